"""Reading the head of a response: RFC 9112 to the letter where `http.client` is lenient, and in a fraction of its time.

- A head that ends before its empty line is incomplete (section 8), and never a response with an empty body.
- Most heads come whole in one receive with CRLF at the end of each line, and are taken apart at once; any other is read line by
  line, as `http.client` does, which also takes a bare LF for the end of a line.
- Interim responses are skipped, whichever 1xx they are, 101 apart (RFC 9110 section 15.2).
- What is unusual (folded lines, names that are no tokens) goes to `http.client.parse_headers`, and means what it always did.
"""

from __future__ import annotations

import http.client
import io
import re
from typing import TYPE_CHECKING, Any

from interservice.http import TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

_EMPTY = frozenset({b"\r\n", b"\n"})
_FOLD = re.compile(r"[ \t]*\r?\n[ \t]+")
_MAX_LINE = 65536
_MAX_FIELDS = 100
_SWITCHING_PROTOCOLS = 101
_OK = 200
#: The fields that cookies come in.
COOKIES = frozenset({"set-cookie", "set-cookie2"})
_BODYLESS = frozenset({204, 304})


class Head(http.client.HTTPResponse):
    """A response of which the head is read strictly; its body is read as ever."""

    def __init__(self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        super().__init__(sock, debuglevel, method, url)
        self._to_head = method == "HEAD"
        #: The header fields, in order; and of each the first value, by its name in lower case.
        self.fields: list[tuple[str, str]] = []
        self.first: dict[str, str] = {}
        #: What the server says about keeping the connection.
        self.keep_alive: str | None = None
        #: How many bytes of what follows came along with it, at least.
        self.ahead = 0
        #: Whether its body was taken and no cookie came with it.
        self.spent = False

    def __bool__(self) -> bool:
        """Whether there is anything to have of it; `requests` asks so before it looks for cookies, for which it takes a while."""
        return not self.spent

    def hold(self) -> None:
        """Keep the socket until the body was read, whatever becomes of the connection."""
        inlet: Any = self.fp.raw
        inlet.hold()

    def take(self, length: int) -> bytes:
        """The body, of which `length` bytes came along with the head and are all."""
        body: bytes = self.fp.read(length)
        self.close()
        self.spent = COOKIES.isdisjoint(self.first)
        return body

    def begin(self) -> None:
        """Read the head.

        Raises:
            http.client.RemoteDisconnected: the connection was closed before the first byte.
            http.client.IncompleteRead: it was closed inside the head.
            http.client.HTTPException: what came is no HTTP/1 response.
        """
        if self.headers is not None:
            return
        while True:
            version, status, reason, fields, self.ahead = read_head(self.fp)
            if status >= _OK or status == _SWITCHING_PROTOCOLS:
                break
        self.code = self.status = status
        self.reason = reason
        self.version = version
        self.fields = fields
        self.headers = self.msg = message = http.client.HTTPMessage()
        first = self.first
        for name, value in fields:
            message.set_raw(name, value)
            first.setdefault(name.lower(), value)
        self.keep_alive = first.get("keep-alive")
        self._frame(first)

    def _frame(self, fields: Mapping[str, str]) -> None:
        """How long the body is, and whether the connection stays open after it (RFC 9112 sections 6.3 and 9.3)."""
        self.chunked = fields.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left = None
        self.will_close = not _persistent(self.version, fields)
        self.length = None if self.chunked else _length(fields.get("content-length"))
        if self.status in _BODYLESS or self.status < _OK or self._to_head:
            self.length = 0
        if not self.will_close and not self.chunked and self.length is None:
            self.will_close = True


def read_head(lines: Any) -> tuple[int, int, str, list[tuple[str, str]], int]:
    """The version (10 or 11), status, reason and fields of the next head, in order; and how many bytes behind it are here."""
    whole, ahead = _whole_head(lines)
    if whole:
        return *_status(whole[0]), _fields(whole[1:]), ahead
    raw = lines.readline(_MAX_LINE + 1)
    if not raw:
        msg = "Remote end closed connection without response"
        raise http.client.RemoteDisconnected(msg)
    _complete(raw, "status line")
    status = _status(raw.decode("iso-8859-1"))
    fields: list[str] = []
    while (line := lines.readline(_MAX_LINE + 1)) not in _EMPTY:
        _complete(line, "header line")
        fields.append(line.decode("iso-8859-1"))
        _count(fields)
    return *status, _fields(fields), 0


def _whole_head(lines: Any) -> tuple[list[str], int]:
    """The lines of the next head and how much is behind it; none, and nothing is taken, unless all is here and CRLF ends each."""
    ahead: bytes = lines.peek()
    end = ahead.find(b"\r\n\r\n")
    if end < 0:
        return [], 0
    block = ahead[:end].decode("iso-8859-1")
    whole = block.split("\r\n")
    if block.count("\n") >= len(whole):
        return [], 0
    lines.read(end + 4)
    _count(whole[1:])
    return whole, len(ahead) - end - 4


def _status(line: str) -> tuple[int, int, str]:
    version, _, rest = line.partition(" ")
    status, _, reason = rest.strip().partition(" ")
    if not version.startswith("HTTP/") or not (status.isascii() and status.isdigit()) or not 100 <= int(status) <= 999:  # noqa: PLR2004
        raise http.client.BadStatusLine(line)
    if version.startswith("HTTP/1.0") or version.startswith("HTTP/0.9"):  # noqa: PIE810 - two versions, not one prefix
        return 10, int(status), reason.strip()
    if not version.startswith("HTTP/1."):
        raise http.client.UnknownProtocol(version)
    return 11, int(status), reason.strip()


def _fields(block: list[str]) -> list[tuple[str, str]]:
    fields = []
    for line in block:
        name, colon, value = line.partition(":")
        if not colon or not ((name.replace("-", "").isalnum() and name.isascii()) or TOKEN.fullmatch(name)):
            return _unusual(block)
        fields.append((name, value.strip(" \t\r\n")))
    return fields


def _unusual(block: list[str]) -> list[tuple[str, str]]:
    """What `http.client` makes of a block of fields; folded lines are joined (RFC 9112 section 5.2)."""
    lines = [line if line.endswith("\n") else f"{line}\r\n" for line in block]
    message = http.client.parse_headers(io.BytesIO("".join([*lines, "\r\n"]).encode("iso-8859-1")))
    return [(name, _FOLD.sub(" ", value)) for name, value in message.items()]


def _count(fields: list[str]) -> None:
    if len(fields) > _MAX_FIELDS:
        msg = f"got more than {_MAX_FIELDS} headers"
        raise http.client.HTTPException(msg)


def _complete(line: bytes, what: str) -> None:
    if len(line) > _MAX_LINE:
        raise http.client.LineTooLong(what)
    if not line.endswith(b"\n"):
        raise http.client.IncompleteRead(line)


def _persistent(version: int, fields: Mapping[str, str]) -> bool:
    connection = fields.get("connection", "").lower()
    if version > 10:  # noqa: PLR2004 - HTTP/1.1 stays open unless told otherwise
        return "close" not in connection
    return "keep-alive" in connection or "keep-alive" in fields or "keep-alive" in fields.get("proxy-connection", "").lower()


def _length(value: str | None) -> int | None:
    """The Content-Length; None where it is missing or no length, and the body then ends with the connection."""
    return int(value) if value and value.isascii() and value.isdigit() else None
