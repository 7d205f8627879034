"""Where a request goes: by the longest prefix of its path, and by the version that the gate negotiated. Pure, made once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from interservice.errors import ConfigurationError, Rejection
from interservice.inbound.versions import parse
from interservice.outbound import ServiceAdapter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interservice.exchange import NegotiatedVersion
    from interservice.inbound.versions import PathVersion


class Upstream(NamedTuple):
    """A service, as a request is sent to it.

    Attributes:
        origin: Its URL, by its name.
        adapter: What makes the call.
    """

    origin: str
    adapter: ServiceAdapter


class Routes:
    """The services behind a gateway.

    Args:
        routes: By path prefix an adapter, or adapters by version; the key None is for all other versions, and for none.
        prefixes: What may stand before a route's prefix in the path: the gate's version prefixes, where it keeps them.

    Raises:
        ConfigurationError: There is no route, a prefix is given twice or does not start with "/", a version is none or given
            twice, or an adapter is none or has no service name.
    """

    def __init__(
        self, routes: Mapping[str, ServiceAdapter | Mapping[str | None, ServiceAdapter]], prefixes: Sequence[PathVersion] = ()
    ) -> None:
        if not isinstance(routes, Mapping) or not routes:
            raise ConfigurationError(f"Proxy.routes must name at least one service, not {routes!r}")
        table: dict[str, dict[Any, Upstream]] = {}
        for prefix, target in routes.items():
            if not isinstance(prefix, str) or not prefix.startswith("/"):
                raise ConfigurationError(f"Proxy.routes must have prefixes that start with '/', not {prefix!r}")
            if prefix.rstrip("/") in table:
                raise ConfigurationError(f"Proxy.routes must have each prefix once, not {prefix!r} again")
            table[prefix.rstrip("/")] = _by_version(prefix, target)
        self._table = sorted(table.items(), key=lambda route: -len(route[0]))
        self._prefixes = tuple(prefixes)

    def snapshot(self) -> list[dict[str, Any]]:
        """The state of each route's adapter, by prefix and version."""
        return [
            {"prefix": prefix or "/", "version": version, **upstream.adapter.snapshot()}
            for prefix, upstreams in self._table
            for version, upstream in upstreams.items()
            if version is None or isinstance(version, str)
        ]

    def find(self, path: str, version: NegotiatedVersion | None) -> Upstream:
        """The service for a request.

        Args:
            path: Decoded, as the gate left it.
            version: As the gate negotiated it, or None.

        Raises:
            Rejection: 404: no service answers for the path, or for that version of it.
        """
        for template in self._prefixes:
            split = template.split(path)
            if split is not None:
                path = split[1]
                break
        for prefix, upstreams in self._table:
            if path == prefix or path.startswith(prefix + "/"):
                return _chosen(upstreams, version)
        raise Rejection("No service answers for this path.", status=404, code="no_route")


def _chosen(upstreams: Mapping[Any, Upstream], version: NegotiatedVersion | None) -> Upstream:
    found = None if version is None else upstreams.get(str(version)) or upstreams.get(parse(str(version)))
    found = found or upstreams.get(None)
    if found is not None:
        return found
    if version is None:
        raise Rejection("The request must name an API version.", status=404, code="api-version-unspecified")
    raise Rejection("No service answers for this version.", status=404, code="no_route")


def _by_version(prefix: str, target: ServiceAdapter | Mapping[str | None, ServiceAdapter]) -> dict[Any, Upstream]:
    """The upstreams by version, each under its text and under what that means, so that equal spellings agree."""
    if not isinstance(target, Mapping):
        return {None: _upstream(target)}
    if not target:
        raise ConfigurationError(f"Proxy.routes[{prefix!r}] must name at least one version, not {target!r}")
    found: dict[Any, Upstream] = {}
    for text, adapter in target.items():
        number = parse(text) if isinstance(text, str) else None
        if text is not None and (number is None or number in found):
            raise ConfigurationError(f"Proxy.routes[{prefix!r}] must have different versions as keys, not {text!r}")
        found[text] = _upstream(adapter)
        if number is not None:
            found[number] = found[text]
    return found


def _upstream(adapter: ServiceAdapter) -> Upstream:
    service = adapter.snapshot()["service"] if isinstance(adapter, ServiceAdapter) else None
    if not service:
        raise ConfigurationError(f"Proxy.routes must have adapters with a service name, not {adapter!r}")
    return Upstream(f"http://{service}", adapter)
