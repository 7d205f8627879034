"""What a call needs to know of a `requests.PreparedRequest`, which it never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from requests.utils import rewind_body

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Either makes a request repeatable (Go's net/http; draft-ietf-httpapi-idempotency-key-header).
IDEMPOTENCY_KEYS = ("Idempotency-Key", "X-Idempotency-Key")
_KEYS = frozenset(name.lower() for name in IDEMPOTENCY_KEYS)
_BUFFERS = (str, bytes, bytearray, memoryview)


def replayable(request: requests.PreparedRequest) -> bool:
    """Whether the body can be sent again from where it began: bytes can, files that seek can, generators cannot."""
    body = request.body
    return body is None or isinstance(body, _BUFFERS) or (_began_at(request) is not None and hasattr(body, "seek"))


def rewind(request: requests.PreparedRequest) -> None:
    """Set a file back to where the body began.

    Raises:
        requests.exceptions.UnrewindableBodyError: it does not let itself be.
    """
    if not isinstance(request.body, (type(None), *_BUFFERS)) and _began_at(request) is not None:
        rewind_body(request)


def keyed(headers: Iterable[str]) -> bool:
    """Whether the request says that the server can tell a repetition."""
    return not _KEYS.isdisjoint([name.lower() for name in headers])


def target(request: requests.PreparedRequest) -> str:
    """Path and query, as `path_url` has them, which parses the URL anew each time."""
    url = request.url or ""
    slash = url.find("/", 8)
    if slash < 0 or "#" in url or url[-1] == "?" or type(request) is not requests.PreparedRequest:
        return request.path_url
    return url[slash:]


def public_url(request: requests.PreparedRequest) -> str:
    """The URL without what may be secret: query, fragment and credentials."""
    url = (request.url or "").partition("?")[0].partition("#")[0]
    scheme, _, rest = url.partition("://")
    netloc, slash, path = rest.partition("/")
    return f"{scheme}://{netloc.rpartition('@')[2]}{slash}{path}"


def _began_at(request: requests.PreparedRequest) -> int | None:
    position = request._body_position  # noqa: SLF001 - where requests keeps it, and reads it itself after a redirect
    return position if isinstance(position, int) else None
