"""The embedded gateway: a WSGI application that passes requests on to services through their adapters.

With a gate in front it is an API gateway: the gate verifies, negotiates and sheds; the adapters balance, retry and break.
Bodies are streamed in both directions. For the edge of a large system, NGINX or Envoy do this better.

Invariants: no field is believed that only a gateway may set; a body that is cut short never looks whole, to either side; the path
is the one that the gate decided on, as the client wrote it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

import requests

from interservice import options
from interservice.errors import Rejection
from interservice.exchange import current
from interservice.http import TOKEN, phrase, problem
from interservice.inbound.versions.neutral import has_dot_segments
from interservice.outbound.forwarding import PassedOn
from interservice.wsgi.request import environ_request

from .bodies import Relay, request_body
from .fields import identity_fields
from .headers import forwarded, returned
from .identity import Signer
from .routes import Routes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from wsgiref.types import StartResponse, WSGIEnvironment

    from interservice.exchange import Exchange
    from interservice.http import Reply, Request
    from interservice.inbound.versions import PathVersion
    from interservice.outbound import ServiceAdapter

#: RFC 3986 section 3.3: what may stand in a path unescaped.
_PATH_SAFE = "/:@!$&'()*+,;=~-._"
#: Printable ASCII but "#", which ends a path, and "?": a path that is sent as it came keeps all of it.
_AS_SENT = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "#?")
_VISIBLE = re.compile(r"[\x21-\x7e]*", re.ASCII)
_REFUSED_METHODS = frozenset({"CONNECT", "TRACE"})
_ALLOWED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
#: What the adapter says when it knew better than to ask.
_NOT_ASKED = frozenset({"circuit_open", "bulkhead_full", "no_endpoint"})


class Proxy:
    """A WSGI application that forwards each request to the service whose path prefix it matches, longest first.

    Args:
        routes: Adapters by path prefix, such as `{"/orders": ServiceAdapter("orders", endpoints=[...])}`; or by version:
            `{"/orders": {"1": adapter_v1, "2": adapter_v2, None: adapter}}`, where None is for all others. A prefix matches whole
            segments. The service sees the whole path, as the client sent it, a stripped version prefix included.
        signer: Signs who asks, for services with `GatewayIdentity`. With or without it they get the X-Auth-* fields that
            `forward_auth` gives, and never those that a client sent.
        forward_token: Whether services get the client's Authorization field.
        drop: Further fields of clients that services never see.
        max_body: The longest request body in bytes.
        keep_host: Whether services get the client's Host; otherwise it is the service's name, and X-Forwarded-Host has the
            client's either way.
        via: What the gateway calls itself in Via (RFC 9110 section 7.6.3).
        prefixes: Path readers of the gate's `Versions`, where it leaves the version in the path: routes are found behind it.

    Raises:
        ConfigurationError: There is no route, a prefix does not start with "/", an adapter has no service name, or an option is
            nonsense.
    """

    def __init__(
        self,
        routes: Mapping[str, ServiceAdapter | Mapping[str | None, ServiceAdapter]],
        *,
        signer: Signer | None = None,
        forward_token: bool = True,
        drop: Collection[str] = (),
        max_body: int = 10_485_760,
        keep_host: bool = False,
        via: str = "interservice",
        prefixes: Sequence[PathVersion] = (),
    ) -> None:
        options.check(signer is None or isinstance(signer, Signer), "Proxy.signer", "a Signer or None", signer)
        options.number("Proxy.max_body", max_body, at_least=0, integer=True)
        options.text("Proxy.via", via)
        options.check(TOKEN.fullmatch(via) is not None, "Proxy.via", "a name without blanks", via)
        self._routes = Routes(routes, prefixes)
        self._signer = signer
        named = {name.lower() for name in options.strings("Proxy.drop", drop)}
        self._drop = frozenset(named if forward_token else {*named, "authorization"})
        self._max_body = max_body
        self._keep_host = keep_host
        self._via = via

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Forward one request (PEP 3333)."""
        exchange: Exchange | None = environ.get("interservice.exchange") or current()
        request = environ_request(environ)
        try:
            response = self._forward(request, environ, exchange)
            return _start(response, start_response)
        except Rejection as rejection:
            if exchange is not None:
                exchange.refusal = rejection
            return _send(problem(rejection, exchange.request_id if exchange else None), request, start_response)

    def snapshot(self) -> list[dict[str, Any]]:
        """What an operator wants to see: for each route "prefix", "version" and what `ServiceAdapter.snapshot()` has."""
        return self._routes.snapshot()

    def _forward(self, request: Request, environ: WSGIEnvironment, exchange: Exchange | None) -> requests.Response:
        _check(request)
        version = None if exchange is None else exchange.version or exchange.preflight_version
        origin, adapter = self._routes.find(request.path, version)
        headers = forwarded(request, self._via, drop=self._drop, host=self._keep_host)
        if exchange is not None:
            headers.update(identity_fields(exchange, self._signer))
        body, length = request_body(environ, self._max_body)
        if length is not None:
            headers["content-length"] = str(length)
        outgoing = PassedOn(request.method, origin, target(request, environ), headers, body=body)
        try:
            return adapter.send(outgoing, stream=True)
        except requests.Timeout as error:
            raise _late(error) from error
        except requests.RequestException as error:
            raise _unreachable(error) from error


def target(request: Request, environ: WSGIEnvironment) -> str:
    """Path and query for the service: as the client wrote them, where the server tells and it means the path decided on."""
    whole = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1", "replace")
    raw = request.raw_path
    as_sent = raw is not None and unquote_to_bytes(raw) == whole
    sent = quote(raw, safe=_AS_SENT) if raw is not None and as_sent else quote(whole, safe=_PATH_SAFE)
    sent = sent or "/"
    if not request.query:
        return sent
    query = request.query if _VISIBLE.fullmatch(request.query) and "#" not in request.query else _escaped(request.query)
    return f"{sent}?{query}"


def _escaped(query: str) -> str:
    """A query with what may not stand in one escaped, and nothing else touched."""
    return quote(query.encode("latin-1", "replace"), safe=_AS_SENT + "?")


def _check(request: Request) -> None:
    """Refuse what cannot be passed on."""
    if request.method in _REFUSED_METHODS:  # RFC 9110 section 9.3.8: a trace would tell the client what the gateway adds
        allow = [("Allow", _ALLOWED)]
        raise Rejection("The method is not allowed.", status=405, code="method_not_allowed", headers=allow)
    if not TOKEN.fullmatch(request.method):
        raise Rejection("The method is none.", status=400, code="bad_method")
    upgrade = request.headers.get("upgrade")
    if upgrade is not None and "websocket" in upgrade.lower():
        raise Rejection("This gateway passes no websockets on.", status=501, code="upgrade_unsupported")
    if has_dot_segments(request.path):  # a service that resolves them would answer for another path than was decided on
        raise Rejection("The path has dot segments.", status=404, code="not_found")


def _start(response: requests.Response, start_response: StartResponse) -> Iterable[bytes]:
    """Begin the answer; a head that cannot be passed on is refused before anything of it is out."""
    try:
        status = response.status_code
        headers = returned(response.raw.headers, status)
        reason = response.reason if response.reason and response.reason.isprintable() else phrase(status)
        start_response(f"{status} {reason}", headers)
    except BaseException:
        response.close()
        raise
    return Relay(response)


def _late(error: requests.Timeout) -> Rejection:
    return Rejection("The service did not answer in time.", status=504, code="upstream_timeout", retry_after=_pause(error))


def _unreachable(error: requests.RequestException) -> Rejection:
    """502 for a service that failed, 503 where the adapter knew better than to ask it."""
    code = getattr(error, "code", "upstream_failed")
    if code in _NOT_ASKED:
        return Rejection("The service cannot be asked now.", status=503, code=code, retry_after=_pause(error))
    return Rejection("The service failed.", status=502, code="upstream_failed", retry_after=_pause(error))


def _pause(error: requests.RequestException) -> float:
    """Seconds after which the client may try again: as the adapter knows them, else one."""
    known: float | None = getattr(error, "retry_after", None)
    return 1.0 if known is None else known


def _send(reply: Reply, request: Request, start_response: StartResponse) -> Iterable[bytes]:
    start_response(f"{reply.status} {reply.reason}", reply.headers)
    return [] if request.method == "HEAD" else [reply.body]
