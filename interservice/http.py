"""Heads of messages, free of any server: what policies read of a request and amend on a response.

Nothing here reads a socket, an `environ` or a `scope`; the bindings translate.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .errors import Rejection


#: A token (RFC 9110 section 5.6.2): what a method and the name of a field are.
TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)


class HeaderLookup(Protocol):
    """The headers of a request. Names are given in lower case."""

    def get(self, name: str) -> str | None:
        """The value, with repeated fields joined by "," (RFC 9110 section 5.3); None when there is none."""

    def all(self, name: str) -> list[str]:
        """Each field's value, as far as the server kept them apart."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Every field, names in lower case."""


@dataclass(slots=True)
class Request:
    """What a policy may know of a request.

    Attributes:
        method: In upper case as sent.
        path: Decoded, below the mount point: what the application routes by.
        headers: A look-up by lower-case name.
        mount: The prefix under which the application is mounted (SCRIPT_NAME, root_path), or "".
        raw_path: The path as sent, undecoded, mount included, where the server gives it.
        query: The query string, undecoded, without "?".
        scheme: http, https, ws or wss.
        peer: The address of the connection's other end, or None.
        server: The host and port that answered, as far as known.
        protocol: The HTTP version, such as "1.1".
        kind: "http" or "websocket".
        peer_certificate: Gives the certificate that the connection's other end has shown over TLS, as DER or PEM, or None; None
            where the server tells nothing of TLS.
    """

    method: str
    path: str
    headers: HeaderLookup
    mount: str = ""
    raw_path: bytes | None = None
    query: str = ""
    scheme: str = "http"
    peer: str | None = None
    server: tuple[str, int | None] | None = None
    protocol: str = "1.1"
    kind: str = "http"
    peer_certificate: Callable[[], bytes | str | None] | None = None

    @property
    def has_encoded_slash(self) -> bool:
        """Whether the path was sent with a slash percent-encoded, as far as the server tells: `path` does not show it."""
        return self.raw_path is not None and _ENCODED_SLASH.search(self.raw_path.partition(b"?")[0]) is not None

    @property
    def is_preflight(self) -> bool:
        """Whether this is a CORS preflight: OPTIONS with Origin and Access-Control-Request-Method (Fetch standard)."""
        return (
            self.method == "OPTIONS"
            and self.headers.get("origin") is not None
            and self.headers.get("access-control-request-method") is not None
        )


class Head:
    """The status and headers of a response, for policies to amend. Names compare without case, order is kept."""

    __slots__ = ("headers", "status")

    def __init__(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.status = status
        self.headers = headers

    def get(self, name: str) -> str | None:
        """The first value of a field, or None."""
        lower = name.lower()
        for key, value in self.headers:
            if key.lower() == lower:
                return value
        return None

    def add(self, name: str, value: str) -> None:
        """Append a field, whatever is there."""
        self.headers.append((name, value))

    def set(self, name: str, value: str) -> None:
        """Put one field in place of any of that name."""
        headers = self.headers
        lower = name.lower()
        for key, _ in headers:
            if key.lower() == lower:
                headers[:] = [pair for pair in headers if pair[0].lower() != lower]
                break
        headers.append((name, value))

    def default(self, name: str, value: str) -> None:
        """Append a field unless the application has set it."""
        if self.get(name) is None:
            self.headers.append((name, value))

    def vary(self, *names: str) -> None:
        """Merge names into Vary (RFC 9110 section 12.5.5): no name twice, "*" stays alone."""
        values = [value for key, value in self.headers if key.lower() == "vary"]
        present = [name.strip() for value in values for name in value.split(",") if name.strip()]
        known = {name.lower() for name in present}
        new = [name for name in names if name.lower() not in known]
        if new and "*" not in known:
            self.set("Vary", ", ".join([*present, *new]))


@dataclass(slots=True)
class Reply:
    """A whole response that a policy, and not the application, gives."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def reason(self) -> str:
        """The status' reason phrase."""
        return phrase(self.status)


def phrase(status: int) -> str:
    """The reason phrase of a status (RFC 9110 section 15); "Unknown" where the registry has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


#: RFC 6750 section 3.1: these codes are OAuth's own, and the body names them as `error` too.
_OAUTH_ERRORS = frozenset({"invalid_request", "invalid_token", "insufficient_scope", "insufficient_user_authentication"})


def problem(rejection: Rejection, request_id: str | None) -> Reply:
    """The response to a refusal: `application/problem+json` (RFC 9457), escaped to ASCII, never to be stored."""
    document = {
        "type": "about:blank",
        "title": rejection.title or phrase(rejection.status),
        "status": rejection.status,
        "detail": rejection.detail,
        "instance": request_id and f"urn:request:{request_id}",
        "code": rejection.code,
        "error": rejection.code if rejection.code in _OAUTH_ERRORS else None,
        **rejection.extra,
    }
    body = json.dumps({key: value for key, value in document.items() if value is not None}).encode()
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        *rejection.headers,
    ]
    if rejection.retry_after is not None:
        headers.append(("Retry-After", str(max(0, math.ceil(rejection.retry_after)))))
    return Reply(rejection.status, headers, body)
