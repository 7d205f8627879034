"""Where a request goes, looked up once per origin and TLS settings instead of once per call.

`HTTPAdapter.send` works out the pool, the certificates and the target of each request anew, which is a fifth of its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy

from .address import origin
from .errors import NoEndpoint, TokenUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import urllib3

    from .adapter import ServiceAdapter
    from .address import Address
    from .call import Destination
    from .destinations import Destinations, Settings
    from .endpoint import Endpoint

#: Routes that are remembered; beyond it all are forgotten, as only a crawler has so many.
_MOST = 1024


class Route:
    """Where the requests to one origin go, with one set of TLS settings.

    Attributes:
        destination: The live state of its policies.
        tls: What was said about certificates: verify and cert.
        named: Whether the adapter has a service's name, and so calls one of ours.
        trusted: Whether the host is the one that the adapter was made or mounted for.
        target: What the request line names, where it is not the path of the URL (a proxy's); else None.
    """

    __slots__ = ("_adapter", "_permitted", "_pools", "_settings", "destination", "named", "target", "tls", "trusted")

    def __init__(
        self, adapter: ServiceAdapter, destination: Destination, settings: Settings, tls: tuple[Any, Any], *, trusted: bool
    ) -> None:
        self._adapter = adapter
        self._settings = settings
        self.tls = tls
        self._pools: dict[Endpoint, urllib3.HTTPConnectionPool] = {}
        self._permitted: set[Endpoint] = set()
        self.destination = destination
        self.trusted = trusted
        self.named = settings.service is not None
        self.target: str | None = None

    def pool(self, endpoint: Endpoint, request: requests.PreparedRequest) -> urllib3.HTTPConnectionPool:
        """The pool of connections to an endpoint."""
        pool = self._pools.get(endpoint)
        if pool is None:
            if len(self._pools) >= _MOST:  # of endpoints long gone, most of them
                self._pools.clear()
            pool = self._pools[endpoint] = self._connect(endpoint, request)
        return pool

    def check_token(self, endpoint: Endpoint, request: requests.PreparedRequest) -> None:
        """Refuse to send a token where anybody could read it.

        Raises:
            TokenUnavailable: neither TLS nor loopback, and not allowed.
        """
        auth = self._settings.auth
        if auth is None or endpoint in self._permitted:
            return
        tls = (request.url or "").lower().startswith("https:") or endpoint.url.startswith("https:")
        if not auth.permits(endpoint.url if not tls else "https" + endpoint.url[endpoint.url.index(":") :]):
            msg = f"nothing was sent: a token must not go to {endpoint.url} in the clear; use https, or set allow_http"
            raise TokenUnavailable(msg, service=self._settings.service, endpoint=endpoint.url, request=request)
        self._permitted.add(endpoint)

    def renew(self) -> None:
        """Forget the pools, as one turned out to be closed."""
        self._pools.clear()

    def _connect(self, endpoint: Endpoint, request: requests.PreparedRequest) -> urllib3.HTTPConnectionPool:
        adapter = self._adapter
        verify, cert = self.tls
        if self._settings.endpoints is None:
            pool = adapter.get_connection_with_tls_context(request, verify, proxies=None, cert=cert)
            adapter.cert_verify(pool, request.url or "", verify, cert)
            return pool
        host, keys = adapter.build_connection_pool_key_attributes(request, verify, cert)
        address = origin(endpoint.url)
        if address.scheme == "https" and host["scheme"] != "https":  # the endpoint speaks TLS; never the other way round
            host = {**host, "scheme": "https", "port": host["port"] if host["port"] != 80 else None}  # noqa: PLR2004
        keys = {**keys, "dialling": adapter._dialling(address)}  # noqa: SLF001 - the adapter's own part
        pool = adapter.poolmanager.connection_from_host(**host, pool_kwargs=keys)
        adapter.cert_verify(pool, f"{host['scheme']}://", verify, cert)
        return pool


class ProxyRoute(Route):
    """Through a proxy, which resolves names itself: one pool, and the target that the proxy needs."""

    __slots__ = ("_pool",)

    def through(self, pool: urllib3.HTTPConnectionPool, target: str) -> ProxyRoute:
        """The route through that pool."""
        self._pool = pool
        self.target = target
        return self

    def pool(self, endpoint: Endpoint, request: requests.PreparedRequest) -> urllib3.HTTPConnectionPool:  # noqa: ARG002
        """The pool of connections to the proxy."""
        return self._pool


class Routes:
    """The routes of an adapter. Safe to use from many threads: a route found twice is made twice, and the last is kept."""

    def __init__(self, adapter: ServiceAdapter, settings: Settings, destinations: Destinations, mounted: frozenset[str]) -> None:
        self._adapter = adapter
        self._settings = settings
        self._destinations = destinations
        self._mounted = mounted
        self._known: dict[tuple[str, Any, Any], Route] = {}
        kind = type(adapter)
        #: A subclass with a say in the target or the pool of each request is asked each time.
        self._plain = all(
            getattr(kind, name) is getattr(HTTPAdapter, name)
            for name in ("get_connection_with_tls_context", "cert_verify", "request_url", "build_connection_pool_key_attributes")
        )

    def find(self, request: requests.PreparedRequest, verify: Any, cert: Any, proxies: Mapping[str, str] | None) -> Route:
        """The route of a request.

        Raises:
            requests.exceptions.InvalidURL: its URL has no host.
            NoEndpoint: the adapter has endpoints or credentials, and was not mounted for that host.
        """
        url = request.url or ""
        if proxies and select_proxy(url, dict(proxies)):
            return self._proxied(request, verify, cert, proxies)
        key = (url[: url.find("/", 8)], verify, cert)
        try:
            route = self._known.get(key)
        except TypeError:  # a certificate given as a list
            return self._make(request, verify, cert)
        if route is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            route = self._make(request, verify, cert)
            if self._plain:
                self._known[key] = route
        return route

    def forget(self) -> None:
        """Look everything up anew."""
        self._known.clear()
        self._mounted = self._adapter._mounted  # noqa: SLF001 - the adapter's own part

    def _make(self, request: requests.PreparedRequest, verify: Any, cert: Any) -> Route:
        address = _address(request)
        destination = self._destinations.of(address)
        route = Route(self._adapter, destination, self._settings, (verify, cert), trusted=self._trusted(address, request))
        if not self._plain:
            route.target = self._adapter.request_url(request, None)
        return route

    def _proxied(self, request: requests.PreparedRequest, verify: Any, cert: Any, proxies: Mapping[str, str]) -> Route:
        address = _address(request)
        adapter = self._adapter
        pool = adapter.get_connection_with_tls_context(request, verify, proxies=dict(proxies), cert=cert)
        adapter.cert_verify(pool, request.url or "", verify, cert)
        trusted = self._trusted(address, request)
        route = ProxyRoute(adapter, self._destinations.at(address), self._settings, (verify, cert), trusted=trusted)
        return route.through(pool, adapter.request_url(request, dict(proxies)))

    def _trusted(self, address: Address, request: requests.PreparedRequest) -> bool:
        """Whether the host is the adapter's own: a prefix "http://billing" also matches "http://billing.evil.example"."""
        settings, service = self._settings, self._settings.service
        own = address.netloc in self._mounted or (service is not None and address.host == service.lower())
        if own:
            return True
        unchecked = not self._mounted and service is None and settings.auth is None
        if settings.auth is None and (settings.endpoints is None or unchecked):
            return not self._mounted
        name = f"the adapter of {service!r}" if service else "an adapter without a name"
        msg = (
            f"nothing was sent: {name} was asked for {address.url}, which it was not mounted for; "
            f"use interservice.outbound.mount(session, '{address.url}/', adapter)"
        )
        raise NoEndpoint(msg, service=service, request=request)


def _address(request: requests.PreparedRequest) -> Address:
    try:
        return origin(request.url or "")
    except ValueError as error:
        raise requests.exceptions.InvalidURL(error, request=request) from error
