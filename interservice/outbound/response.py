"""`requests.Response`s, as `HTTPAdapter.build_response` makes them, in less time."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import requests
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from .answer import Answer
from .head import COOKIES

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter

#: Content types are few; the cache is bounded because a peer chooses them.
_MOST_TYPES = 128


@lru_cache(_MOST_TYPES)
def _encoding(content_type: str) -> str | None:
    return get_encoding_from_headers(CaseInsensitiveDict({"content-type": content_type}))


def build(adapter: HTTPAdapter, request: requests.PreparedRequest, raw: Answer) -> requests.Response:
    """The response to `request`: status, headers, encoding and cookies as `requests` has them."""
    response = requests.Response()
    response.status_code = raw.status
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    response.headers = headers
    head = raw.head
    for name, value in head.fields if len(head.fields) == len(head.first) else raw.headers.itermerged():
        headers[name] = value
    content_type = headers.get("content-type")
    response.encoding = _encoding(content_type) if content_type else None
    response.raw = raw
    response.reason = raw.reason or ""
    response.url = request.url.decode() if isinstance(request.url, bytes) else request.url or ""
    if not COOKIES.isdisjoint(head.first):
        extract_cookies_to_jar(response.cookies, request, raw)
    response.request = request
    response.connection = adapter
    return response


def load(response: requests.Response, raw: Any) -> None:
    """Read the whole body now, decoded, so that `response.content` has it."""
    if isinstance(raw, Answer):
        body = raw.take()
        vars(response).update(_content=raw.read(decode_content=True) if body is None else body, _content_consumed=True)
    else:  # made by others, who may have less of a `read` than urllib3
        response.content  # noqa: B018 - reads it
