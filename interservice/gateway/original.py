"""The request that a client sent to a gateway: read from what the gateway says of it, and written as a server would have it.

What is read is held to the letter: what a client could have bent is refused, never guessed. What is written is made new, so that
nothing of the gateway's own connection is taken for the client's.
"""

from __future__ import annotations

import io
import ipaddress
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, unquote_to_bytes

from interservice.errors import Rejection

if TYPE_CHECKING:
    from collections.abc import Collection
    from wsgiref.types import WSGIEnvironment

    from interservice.asgi.middleware import Scope
    from interservice.http import HeaderLookup

_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}", re.ASCII)
#: A request target in origin form (RFC 9112 section 3.2.1), in visible ASCII: no fragment, no absolute form, no "*".
_TARGET = re.compile(r"/[!\"$-~]*", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._~\-\[\]:%]{1,255}", re.ASCII)
#: How a scheme of the client's is one of HTTP's.
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
#: More than servers take in a request line.
_MAX_TARGET = 32_768
#: Of the connection to the gateway, and not of the client's request.
_NOT_THE_CLIENTS: Final = frozenset({"content-length", "transfer-encoding", "connection", "upgrade", "expect", "te", "trailer"})
_SERVER_KEYS: Final = (
    "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "wsgi.version", "wsgi.errors", "wsgi.multithread", "wsgi.multiprocess",
    "wsgi.run_once",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Original:
    """The request that a client sent to the gateway.

    Attributes:
        method: As sent.
        path: As sent, undecoded, from "/".
        query: As sent, without "?".
        scheme: How it came to the gateway, http or https; None where the gateway does not say.
        host: For which host; None where the gateway does not say.
        peer: The address that the gateway saw; None where it does not say.
    """

    method: str
    path: str
    query: str
    scheme: str | None = None
    host: str | None = None
    peer: str | None = None


def original(method: str, path: str, query: str, headers: HeaderLookup) -> Original:
    """The request with this method and target, and what X-Forwarded-Proto, -Host and -For say besides.

    Raises:
        Rejection: 400 or 414 `bad_original`: it cannot be one.
    """
    if _METHOD.fullmatch(method) is None:
        raise _bad("The original method is none.")
    if len(path) + len(query) > _MAX_TARGET:
        raise Rejection("The original URI is too long.", status=414, code="bad_original")
    if _TARGET.fullmatch(path) is None or (query and _TARGET.fullmatch("/" + query) is None):
        raise _bad("The original URI is no path from '/'.")
    return Original(method, path, query, _scheme(headers), _host(headers), _peer(headers))


def told(headers: HeaderLookup, *names: str) -> list[str]:
    """The values of fields that must be there once each.

    Raises:
        Rejection: One is not, or is spelt with an underscore too, which somebody else did.
    """
    values: dict[str, str] = {}
    for key, value in headers.items():
        name = key.replace("_", "-")
        if name in names:
            if name != key or name in values:
                raise missing()
            values[name] = value
    found = [values.get(name, "") for name in names]
    if not all(found):
        raise missing()
    return found


def _scheme(headers: HeaderLookup) -> str | None:
    values = headers.all("x-forwarded-proto")
    if not values:
        return None
    scheme = _SCHEMES.get(values[0].strip().lower()) if len(values) == 1 else None
    if scheme is None:
        raise _bad("The original scheme is none.")
    return scheme


def _host(headers: HeaderLookup) -> str | None:
    values = headers.all("x-forwarded-host")
    if not values:
        return None
    if len(values) > 1 or _HOST.fullmatch(values[0]) is None:
        raise _bad("The original host is none.")
    return values[0]


def _peer(headers: HeaderLookup) -> str | None:
    """The last address of X-Forwarded-For, which the gateway itself has put there; None where it has put none."""
    values = headers.all("x-forwarded-for")
    last = values[-1].rpartition(",")[2].strip() if values else ""
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return None


def missing() -> Rejection:
    """403 for a question that names no request, or two."""
    return Rejection("The gateway did not say, once, which request it asks about.", status=403, code="no_original")


def _bad(detail: str) -> Rejection:
    return Rejection(detail, status=400, code="bad_original")


def as_environ(original: Original, environ: WSGIEnvironment, dropped: Collection[str]) -> WSGIEnvironment:
    """The environ of the client's request.

    Args:
        original: The request.
        environ: Of the gateway's question, whose fields are the client's too.
        dropped: Fields that are not.
    """
    target = original.path + ("?" + original.query if original.query else "")
    left_out = _environ_keys(frozenset(dropped))
    made: WSGIEnvironment = {key: value for key, value in environ.items() if key.startswith("HTTP_") and key not in left_out}
    made |= {key: environ[key] for key in _SERVER_KEYS if key in environ}
    if environ.get("CONTENT_TYPE"):
        made["CONTENT_TYPE"] = environ["CONTENT_TYPE"]
    made |= {
        "REQUEST_METHOD": original.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(original.path).decode("latin-1"),
        "QUERY_STRING": original.query,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "wsgi.url_scheme": original.scheme or environ.get("wsgi.url_scheme", "http"),
        "wsgi.input": io.BytesIO(),
    }
    if original.host is not None:
        made["HTTP_HOST"] = original.host
    if original.peer is not None:
        made["REMOTE_ADDR"] = original.peer
    return made


@cache
def _environ_keys(dropped: frozenset[str]) -> frozenset[str]:
    """The environ's keys of fields that are left out."""
    return frozenset("HTTP_" + name.upper().replace("-", "_") for name in (*dropped, *_NOT_THE_CLIENTS))


def as_scope(original: Original, scope: Scope, dropped: Collection[str]) -> Scope:
    """The scope of the client's request; arguments as for `as_environ`."""
    left_out = {name.encode() for name in (*dropped, *_NOT_THE_CLIENTS)}
    if original.host is not None:
        left_out.add(b"host")
    headers = [pair for pair in scope.get("headers") or () if pair[0].lower() not in left_out]
    if original.host is not None:
        headers.append((b"host", original.host.encode()))
    return {
        "type": "http",
        "asgi": scope.get("asgi") or {"version": "3.0"},
        "http_version": scope.get("http_version") or "1.1",
        "method": original.method,
        "scheme": original.scheme or _SCHEMES.get(scope.get("scheme") or "", "http"),
        "path": unquote(original.path),
        "raw_path": original.path.encode(),
        "query_string": original.query.encode(),
        "root_path": "",
        "headers": headers,
        "client": None if original.peer is None else (original.peer, 0),
        "server": scope.get("server"),
    }
