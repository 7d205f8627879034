"""A scope read as a Request. Translation only: no decision is taken here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interservice.http import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping


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
        self._raw = tuple(raw)
        self._by_name: dict[bytes, bytes] | None = None
        #: Whether a name occurs more than once, or might in another spelling.
        self._repeated = False

    def get(self, name: str) -> str | None:
        """The value of a field, repeated ones joined by "," (RFC 9110 section 5.3)."""
        table = self._by_name
        if table is None:
            table = self._indexed()
        value = table.get(_NAMES[name])
        return None if value is None else value.decode("latin-1")

    def all(self, name: str) -> list[str]:
        """Each field's value."""
        if self._by_name is None:
            self._indexed()
        if self._repeated:
            return [value for key, value in self.items() if key == name]
        value = self.get(name)
        return [] if value is None else [value]

    def items(self) -> Iterator[tuple[str, str]]:
        """Every field."""
        for key, value in self._raw:
            yield key.decode("latin-1").lower(), value.decode("latin-1")

    def _indexed(self) -> dict[bytes, bytes]:
        """Values by name. Servers send names in lower case and nearly all fields once: then that is one step."""
        table = dict(self._raw)
        if len(table) != len(self._raw) or not b"".join(table).islower():
            self._repeated = True
            table = {}
            for name, value in self._raw:
                key = name.lower()
                table[key] = table[key] + b"," + value if key in table else value
        self._by_name = table
        return table


def scope_request(scope: MutableMapping[str, Any]) -> Request:
    """The request that an http or websocket scope describes."""
    kind = scope["type"]
    mount = scope.get("root_path") or ""
    client = scope.get("client")
    server = scope.get("server")
    raw = scope.get("raw_path")
    return Request(
        scope["method"] if kind == "http" else "GET",
        below(scope["path"], mount),
        ScopeHeaders(scope.get("headers") or ()),
        mount,
        raw.partition(b"?")[0] if raw and b"?" in raw else raw or None,
        (scope.get("query_string") or b"").decode("latin-1"),
        scope.get("scheme") or ("http" if kind == "http" else "ws"),
        client[0] if client else None,
        (server[0], port if type(port := server[1]) is int else _port(port)) if server else None,
        scope.get("http_version") or "1.1",
        kind,
        certificate_reader(scope),
    )


def certificate_reader(scope: Mapping[str, Any]) -> Callable[[], str | None] | None:
    """Gives the client's certificate (ASGI's TLS extension: PEM, the client's first), where the server has the extension."""
    extensions = scope.get("extensions")
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
