"""Problem details in a response (RFC 9457), read as what a peer sent: bounded, leniently, and never trusted over the status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

_MEDIA_TYPE = "application/problem+json"
#: Bytes of a problem that are parsed at most; what is longer explains nothing.
_LONGEST = 65536
_BLANK = "about:blank"
_KNOWN = frozenset({"type", "title", "status", "detail", "instance"})


class Problem(NamedTuple):
    """What went wrong, in the words of the service called: `response.problem`.

    Attributes:
        type: A URI that names the kind of problem, for programs; "about:blank" says no more than the status.
        title: The kind of problem, for people.
        status: The status of the response, whatever the document says of it (RFC 9457 section 3.1.2).
        detail: This occurrence, for people.
        instance: A URI or an id of this occurrence.
        extensions: Every other member.
    """

    type: str
    title: str | None
    status: int
    detail: str | None
    instance: str | None
    extensions: Mapping[str, Any]


def problem_of(response: requests.Response) -> Problem | None:
    """The problem in a response that was read; None where there is none, or it cannot be read.

    Members of the wrong type are as if they were not there (RFC 9457 section 3.1).
    """
    content_type = response.headers.get("content-type")
    if content_type is None or content_type.partition(";")[0].strip().lower() != _MEDIA_TYPE:
        return None
    body = response.content
    if len(body) > _LONGEST:
        return None
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict):
        return None

    def text(name: str) -> str | None:
        value = members.get(name)
        return value if isinstance(value, str) else None

    rest = {name: value for name, value in members.items() if name not in _KNOWN}
    return Problem(text("type") or _BLANK, text("title"), response.status_code, text("detail"), text("instance"), rest)
