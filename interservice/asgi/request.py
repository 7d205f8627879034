"""A scope read as a Request. Translation only: no decision is taken here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interservice.http import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


class _Names(dict[str, bytes]):
    """Field names as bytes, made on first use. Asked for by policies only, so it stays small."""

    def __missing__(self, name: str) -> bytes:
        key = self[name] = name.encode("latin-1", "replace")
        return key


_NAMES = _Names()


class ScopeHeaders:
    """The headers of a scope: byte pairs, repeated fields apart. Names match exactly, so `x_a` is never `x-a`."""

    __slots__ = ("_by_name", "_raw", "_repeated")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        pairs = self._raw = tuple(raw)
        table = dict(pairs)
        #: Whether a name occurs more than once, or might in another spelling: servers send lower case, nearly all fields once.
        self._repeated = len(table) != len(pairs) or not b"".join(table).islower()
        self._by_name = _joined(pairs) if self._repeated else table

    def get(self, name: str) -> str | None:
        """The value of a field, repeated ones joined by "," (RFC 9110 section 5.3)."""
        value = self._by_name.get(_NAMES[name])
        return None if value is None else value.decode("latin-1")

    def all(self, name: str) -> list[str]:
        """Each field's value."""
        if self._repeated:
            return [value for key, value in self.items() if key == name]
        value = self._by_name.get(_NAMES[name])
        return [] if value is None else [value.decode("latin-1")]

    def items(self) -> Iterator[tuple[str, str]]:
        """Every field."""
        for key, value in self._raw:
            yield key.decode("latin-1").lower(), value.decode("latin-1")


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Values by name in lower case, those of repeated fields joined."""
    table: dict[bytes, bytes] = {}
    for name, value in pairs:
        key = name.lower()
        table[key] = table[key] + b"," + value if key in table else value
    return table


class ScopeRequest(Request):
    """A request read out of an http or websocket scope as it is when it arrives: what becomes of the scope changes nothing.

    What is seldom asked for is kept as the server gave it, and put into shape when somebody asks. The scope itself is not kept:
    its state leads to the exchange, and both should go without the garbage collector.
    """

    __slots__ = ("_extensions", "_http_version", "_raw_path", "_server")

    def __init__(self, scope: Mapping[str, Any]) -> None:
        get = scope.get
        self.kind = kind = scope["type"]
        self.method = scope["method"] if kind == "http" else "GET"
        self.mount = mount = get("root_path") or ""
        self.path = below(scope["path"], mount) if mount else scope["path"] or "/"
        self.headers = ScopeHeaders(get("headers") or ())
        self.query = query.decode("latin-1") if (query := get("query_string")) else ""
        self.scheme = get("scheme") or ("http" if kind == "http" else "ws")
        self.peer = client[0] if (client := get("client")) else None
        self._raw_path = get("raw_path")
        self._server = get("server")
        self._http_version = get("http_version")
        self._extensions = get("extensions")

    # Of these four nobody has a use for another value, so that they need no setter.

    @property
    def raw_path(self) -> bytes | None:  # type: ignore[override]
        """The path as sent, where the server gives it."""
        raw: bytes | None = self._raw_path
        return raw.partition(b"?")[0] if raw and b"?" in raw else raw or None

    @property
    def has_encoded_slash(self) -> bool:
        """As of any request; nearly none has anything encoded."""
        raw = self._raw_path
        return raw is not None and b"%" in raw and super().has_encoded_slash

    @property
    def server(self) -> tuple[str, int | None] | None:  # type: ignore[override]
        """The host and port that answered."""
        server = self._server
        return (server[0], port if type(port := server[1]) is int else _port(port)) if server else None

    @property
    def protocol(self) -> str:  # type: ignore[override]
        """The HTTP version."""
        return self._http_version or "1.1"

    @property
    def peer_certificate(self) -> Callable[[], str | None] | None:  # type: ignore[override]
        """What gives the client's certificate, where the server has the extension."""
        return _certificate_reader(self._extensions)


def certificate_reader(scope: Mapping[str, Any]) -> Callable[[], str | None] | None:
    """Gives the client's certificate (ASGI's TLS extension: PEM, the client's first), where the server has the extension."""
    return _certificate_reader(scope.get("extensions"))


def _certificate_reader(extensions: Mapping[str, Any] | None) -> Callable[[], str | None] | None:
    """Of the extensions alone."""
    tls = extensions.get("tls") if extensions else None
    return None if tls is None else lambda: next(iter(tls.get("client_cert_chain") or ()), None)


def below(path: str, mount: str) -> str:
    """The part of a path under the mount point. ASGI has `path` include `root_path`; servers exist that leave it out."""
    if mount and path.startswith(mount) and path[len(mount) : len(mount) + 1] in ("", "/"):
        return path[len(mount) :] or "/"
    return path or "/"


def _port(port: object) -> int | None:
    """Some servers give the port as text, and a unix socket has none."""
    return int(str(port)) if str(port).isdecimal() else None
