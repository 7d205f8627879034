"""The head of a request in one piece, as urllib3 and `http.client` write it line by line. Pure.

Written here is what nearly every request has. Whatever is unusual is left to them, who refuse it or know how to write it: there
is no second opinion of what is a legal header.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from urllib3.util import SKIP_HEADER

from interservice.http import TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE = re.compile(r"[A-Z]+ /[!-~]*", re.ASCII)
#: What is added to a request that lacks them.
_OWED = frozenset({"accept-encoding", "user-agent"})
#: Methods that get no Content-Length for a body that is not there (RFC 9110 section 8.6).
_BODYLESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})
#: Sets of names are few, as programs write them; the cache is bounded for those that do not.
_MOST_SHAPES = 512


class _Shape(NamedTuple):
    """What the names of the header fields say: whether Host and Content-Length are among them."""

    host: bool
    length: bool


def plain_head(method: str, target: str, host: str, fields: Mapping[str, str], body: object = None) -> bytes | None:
    """The head of a request, or None where something about it is unusual.

    Args:
        method: The method.
        target: The path and query, in ASCII.
        host: What Host says, unless that is among the fields.
        fields: The header fields.
        body: The body: bytes or None are usual.
    """
    shape = _shape(tuple(fields))
    if shape is None or not _LINE.fullmatch(line := f"{method} {target}"):
        return None
    if not (shape.length or (body is None and method in _BODYLESS)) or not isinstance(body, bytes | None):
        return None
    try:
        lines = [": ".join(field) for field in fields.items()]
        block = "\r\n".join(lines)
        if block.count("\n") != len(lines) - 1 or block.count("\r") != len(lines) - 1 or SKIP_HEADER in fields.values():
            return None  # a line break that is not ours
        own = "" if shape.host else f"Host: {host}\r\n"
        return f"{line} HTTP/1.1\r\n{own}{block}\r\n\r\n".encode("iso-8859-1")
    except (TypeError, UnicodeEncodeError):  # a value in bytes or a number; or one that is not in Latin 1
        return None


@lru_cache(_MOST_SHAPES)
def _shape(names: tuple[object, ...]) -> _Shape | None:
    """None where a name is unusual, or something is missing or there that changes how the request is written."""
    lower = {name.lower() for name in names if isinstance(name, str) and TOKEN.fullmatch(name)}
    if len(lower) != len(names) or not lower >= _OWED or "transfer-encoding" in lower:
        return None
    return _Shape("host" in lower, "content-length" in lower)
