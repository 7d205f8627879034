"""The embedded gateway from the table of an `Edge`: one more server that is made from it, inside this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interservice import options
from interservice.inbound.versions import PathVersion
from interservice.outbound import Retry, ServiceAdapter, Timeouts
from interservice.wsgi import Middleware

from .edge import READY, Edge
from .hygiene import spoofable
from .proxy import Proxy
from .render.plan import versions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from wsgiref.types import StartResponse, WSGIEnvironment

    from interservice.events import Listener

    from .edge import Service
    from .identity import Signer

_READY = b'{"status": "ok"}'
#: Timeouts of one try are a share of the whole, so that there is time for another.
_TRIES_IN = 2


def embedded(
    edge: Edge,
    *,
    signer: Signer | None = None,
    listeners: Iterable[Listener] = (),
    adapters: Mapping[str, Mapping[str, Any]] | None = None,
) -> Embedded:
    """A WSGI application that is the gateway of an edge: see `Embedded`."""
    return Embedded(edge, signer=signer, listeners=listeners, adapters=adapters)


class Embedded:
    """A WSGI application: the edge's gate, and behind it its services through adapters.

    It decides in this process, so `Edge.forward_auth` is not asked; `Edge.listen` and `Edge.access_log` are left to the server
    and the gate's `AccessLog`. `Service.cache` allows answers to be kept, and this gateway keeps none; instead of asking
    `Service.health` it leaves out instances that fail. As every gateway of an edge it answers `/-/ready` itself.

    Args:
        edge: The gate and the services.
        signer: Signs who asks, for services with `GatewayIdentity`.
        listeners: Are told of calls to the services; the gate has its own.
        adapters: Further options of the `ServiceAdapter` of a service, by its name.

    Raises:
        ConfigurationError: `edge` is no `Edge`, `adapters` names a service that is not there, or an option makes no sense.
    """

    def __init__(
        self,
        edge: Edge,
        *,
        signer: Signer | None = None,
        listeners: Iterable[Listener] = (),
        adapters: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        options.check(isinstance(edge, Edge), "embedded.edge", "an Edge", edge)
        further = dict(adapters or {})
        unknown = sorted(set(further) - {service.name for service in edge.services})
        options.check(not unknown, "embedded.adapters", "names of the edge's services", unknown)
        common = {"listeners": tuple(listeners)}
        routes = {service.prefix: _by_version(service, common | dict(further.get(service.name, {}))) for service in edge.services}
        self._proxy = Proxy(
            routes,
            signer=signer,
            forward_token=edge.forward_token,
            drop=spoofable(edge),
            max_body=edge.max_body,
            keep_host=True,
            prefixes=_kept_prefixes(edge),
        )
        self._app = Middleware(self._proxy, edge.gate)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        if environ.get("PATH_INFO") == READY:
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(_READY)))])
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [_READY]
        return self._app(environ, start_response)

    def snapshot(self) -> list[dict[str, Any]]:
        """What an operator wants to see: for each route "prefix", "version" and what `ServiceAdapter.snapshot()` has."""
        return self._proxy.snapshot()


def _by_version(service: Service, further: Mapping[str, Any]) -> dict[str | None, ServiceAdapter]:
    where: list[tuple[str | None, Sequence[str]]] = [(None, service.endpoints), *service.versions.items()]
    return {version: _adapter(service, endpoints, further) for version, endpoints in where}


def _adapter(service: Service, endpoints: Sequence[str], further: Mapping[str, Any]) -> ServiceAdapter:
    read = service.timeout / (_TRIES_IN if service.retries else 1)
    timeouts = Timeouts(connect=service.connect_timeout, read=read, total=service.timeout)
    retry = Retry(attempts=service.retries + 1) if service.retries else None
    return ServiceAdapter(service.name, **{"endpoints": endpoints, "timeouts": timeouts, "retry": retry, **further})


def _kept_prefixes(edge: Edge) -> tuple[PathVersion, ...]:
    """The version prefixes that the gate leaves in the path."""
    versions = versions_of(edge)
    if versions is None or versions.path == "strip":
        return ()
    return tuple(reader for reader in versions.readers if isinstance(reader, PathVersion))
