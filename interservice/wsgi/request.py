"""An `environ` read as a Request. Translation only: no decision is taken here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from interservice.http import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: PEP 3333: these two have no HTTP_ prefix.
_UNPREFIXED = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class _Keys(dict[str, str]):
    """Environ keys by lower-case header name, made on first use. Asked for by policies only, so it stays small."""

    def __missing__(self, name: str) -> str:
        key = self[name] = _UNPREFIXED.get(name) or "HTTP_" + name.upper().replace("-", "_")
        return key


_KEYS = _Keys()


class EnvironHeaders:
    """The headers in an environ. The server has joined repeated fields, with "," or ", "."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ: Mapping[str, Any] = environ

    def get(self, name: str) -> str | None:
        """The value of the field with this lower-case name."""
        return self._environ.get(_KEYS[name])

    def all(self, name: str) -> list[str]:
        """The value, alone: WSGI does not keep repeated fields apart."""
        value = self._environ.get(_KEYS[name])
        return [] if value is None else [value]

    def items(self) -> Iterator[tuple[str, str]]:
        """Every field, names in lower case with hyphens."""
        for name, key in _UNPREFIXED.items():
            if self._environ.get(key):
                yield name, self._environ[key]
        for key, value in self._environ.items():
            if key.startswith("HTTP_") and isinstance(value, str):
                yield key[5:].replace("_", "-").lower(), value


class EnvironRequest(Request):
    """A request read out of an environ of its own: what is nearly free at once, and the rest when somebody asks."""

    __slots__ = ("_environ",)

    kind = "http"

    def __init__(self, environ: Mapping[str, Any]) -> None:
        get = environ.get
        self._environ = environ
        self.method = environ["REQUEST_METHOD"]
        path, mount = get("PATH_INFO", ""), get("SCRIPT_NAME", "")
        self.path = (path if path.isascii() else decoded(path)) or "/"
        self.mount = mount if mount.isascii() else decoded(mount)
        self.headers = EnvironHeaders(environ)
        self.query = get("QUERY_STRING", "")
        self.scheme = get("wsgi.url_scheme", "http")
        self.peer = get("REMOTE_ADDR")

    # Of these four nobody has a use for another value, so that they need no setter.

    @property
    def raw_path(self) -> bytes | None:  # type: ignore[override]
        """The path as sent, where the server gives it."""
        return raw_path(self._environ)

    @property
    def has_encoded_slash(self) -> bool:
        """As of any request; nearly none has anything encoded."""
        raw = self._environ.get("RAW_URI") or self._environ.get("REQUEST_URI")
        return isinstance(raw, str) and "%" in raw and super().has_encoded_slash

    @property
    def server(self) -> tuple[str, int | None]:  # type: ignore[override]
        """The host and port that answered."""
        port = str(self._environ.get("SERVER_PORT", ""))  # Hypercorn gives a number
        return self._environ.get("SERVER_NAME", ""), int(port) if port.isdecimal() else None

    @property
    def protocol(self) -> str:  # type: ignore[override]
        """The HTTP version."""
        return str(self._environ.get("SERVER_PROTOCOL", "HTTP/1.1")).rpartition("/")[2]

    @property
    def peer_certificate(self) -> Callable[[], bytes | str | None] | None:  # type: ignore[override]
        """What gives the client's certificate, where there is TLS."""
        return partial(peer_certificate, self._environ) if self.scheme == "https" else None


def environ_request(environ: dict[str, Any]) -> Request:
    """The request that an environ describes as it is now: what becomes of the environ on its way in changes nothing.

    Of the copy that is read, no way leads back to the exchange in the environ, so that both go without the garbage collector.
    """
    return EnvironRequest(environ.copy())


def peer_certificate(environ: Mapping[str, Any]) -> bytes | str | None:
    """The client's certificate as the server has it: PEM (mod_ssl, werkzeug), DER (uWSGI), or on its socket (gunicorn)."""
    given = environ.get("SSL_CLIENT_CERT")
    if given:
        return str(given)
    exported = environ.get("HTTPS_CC")
    if isinstance(exported, str) and exported:
        return exported.encode("latin-1", "replace")
    ask = getattr(environ.get("gunicorn.socket"), "getpeercert", None)
    try:
        shown: bytes | None = ask(binary_form=True) if ask is not None else None
    except (OSError, ValueError):  # the connection has gone, or its handshake was not finished
        return None
    return shown


def decoded(path: str) -> str:
    """A path as text: WSGI hands bytes over as latin-1."""
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")


def encoded(path: str) -> str:
    """Text as WSGI's latin-1 spelling of its UTF-8 bytes."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("latin-1")


def raw_path(environ: Mapping[str, Any]) -> bytes | None:
    """The path as it stood in the request line, where the server passes it on (gunicorn, waitress, uWSGI, werkzeug)."""
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if not isinstance(raw, str):
        return None
    if "?" in raw:
        raw = raw.partition("?")[0]
    return raw.encode("latin-1", "replace")
