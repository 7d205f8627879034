"""Forward authentication: the same gate, asked by a gateway about each request before it passes it on.

A thin translation in front of the ordinary middleware: the gateway's question becomes the client's request, the gate decides
about it over an application that says who asks, and its answer is put as that gateway understands it. So traces, logs, metrics,
admission and deadlines are as they would be in the service. No body is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import interservice.asgi
import interservice.wsgi
from interservice.asgi.request import ScopeRequest
from interservice.errors import ConfigurationError, Rejection
from interservice.exchange import current
from interservice.http import phrase
from interservice.inbound.gate import Gate
from interservice.inbound.peers import Peers
from interservice.options import check
from interservice.wsgi.request import environ_request

from .contracts import Answer, Contract, asked
from .fields import identity_fields
from .heard import EMPTY, Heard, finished, no_success
from .identity import Signer
from .original import Original, as_environ, as_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from wsgiref.types import StartResponse, WSGIEnvironment

    from interservice.asgi.middleware import Message, Receive, Scope, Send
    from interservice.http import Request

#: Where the application under the gate leaves a note that it was reached.
_NOTE: Final = "interservice.forward_auth"
_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")


def forward_auth(
    gate: Gate, *, signer: Signer | None = None, trusted: Sequence[str] | None = _LOOPBACK, base: str = ""
) -> ForwardAuth:
    """An application that tells gateways whether a request may pass `gate`: see `ForwardAuth`."""
    return ForwardAuth(gate, signer=signer, trusted=trusted, base=base)


class ForwardAuth:
    """Answers gateways, as a WSGI application (`.wsgi`) and as an ASGI application (`.asgi`); called, it is whichever fits.

    It has a URL for each kind of gateway: `/nginx`, `/envoy<path>`, `/caddy` and `/traefik`. Whoever may pass gets 200 with
    X-Auth-Subject, X-Auth-Client-Id, X-Auth-Scopes, X-Auth-Issuer and X-Auth-Version as far as they have values, and with the
    signed X-Auth-Identity; everybody else what the gate's middleware would answer.

    Args:
        gate: What decides.
        signer: Signs the identity for `GatewayIdentity`. Without one the services can only trust the network.
        trusted: The networks (CIDR) of the gateways: nobody else is answered. None answers everybody. Goes by the connection's
            other end, so the server must not put an address from X-Forwarded-For in its place.
        base: The path under which this is mounted, where the server or framework does not take it off itself.

    Raises:
        ConfigurationError: An option makes no sense.
    """

    def __init__(
        self, gate: Gate, *, signer: Signer | None = None, trusted: Sequence[str] | None = _LOOPBACK, base: str = ""
    ) -> None:
        if not isinstance(gate, Gate):
            raise ConfigurationError(f"forward_auth.gate must be a Gate, not {gate!r}")
        check(signer is None or isinstance(signer, Signer), "forward_auth.signer", "a Signer", signer)
        rooted = isinstance(base, str) and (not base or (base.startswith("/") and not base.endswith("/")))
        check(rooted, "forward_auth.base", "'' or a path from '/' that does not end with one", base)
        self.gate = gate
        self.signer = signer
        self.base = base
        self._peers = None if trusted is None else Peers("forward_auth.trusted", trusted)
        self.wsgi = _WSGI(self)
        self.asgi = _ASGI(self)

    def __call__(self, *args: Any) -> Any:
        """Serve as WSGI (environ, start_response) or ASGI (scope, receive, send; or scope alone, as ASGI 2 has it)."""
        if len(args) == 2:  # noqa: PLR2004
            return self.wsgi(*args)
        if len(args) == 1:
            return lambda receive, send: self.asgi(args[0], receive, send)
        return self.asgi(*args)

    def asked(self, request: Request, *, joined: bool) -> tuple[Contract, Original] | Answer:
        """Whose question a request is, and about what; or the refusal of one that is none.

        Args:
            request: From a gateway.
            joined: Whether its server may have joined repeated fields.
        """
        found = asked(request, self.base, joined=joined)
        refusal: Rejection | None = None
        if self._peers is not None and request.peer not in self._peers:
            refusal = Rejection("This peer is none of the gateways that may ask.", status=403, code="untrusted_peer")
        elif found is None:
            refusal = Rejection("No contract has this path.", status=404, code="no_contract")
        else:
            try:
                return found[0], found[0].original(found[1])
            except Rejection as rejection:
                refusal = rejection
        answer = self._refusal(request, refusal)
        return answer if found is None else found[0].answered(answer)

    def granted(self) -> list[tuple[str, str]]:
        """The fields of a 200: who asks, in the exchange under way."""
        exchange = current()
        if exchange is None:
            raise RuntimeError("no gate has let this request through")
        return [*identity_fields(exchange, self.signer), *EMPTY]

    def _refusal(self, request: Request, rejection: Rejection) -> Answer:
        """What a question gets that is none; the listeners hear of it as of any request."""
        exchange = self.gate.open(request)
        reply = self.gate.refuse(exchange, rejection)
        self.gate.finish(exchange)
        return Answer(no_success(reply.status, rejection), reply.headers, reply.body)


class _WSGI:
    """The WSGI application."""

    def __init__(self, auth: ForwardAuth) -> None:
        self._auth = auth
        self._gated = interservice.wsgi.Middleware(self._granted, auth.gate)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one question (PEP 3333)."""
        question = self._auth.asked(environ_request(environ), joined=True)
        if isinstance(question, Answer):
            answer = question
        else:
            contract, original = question
            answer = contract.answered(self._decided(as_environ(original, environ, contract.fields)))
        start_response(f"{answer.status} {phrase(answer.status)}", finished(answer, environ["REQUEST_METHOD"]))
        # Never without a part: Hypercorn's WSGI sends no head then.
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]

    def _decided(self, environ: WSGIEnvironment) -> Answer:
        heard = environ[_NOTE] = Heard()

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None, /) -> Callable[[bytes], object]:
            heard.status, heard.headers = int(status[:3]), headers
            return lambda _: None

        result = self._gated(environ, start_response)
        try:
            heard.body = b"".join(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        return heard.answer(environ.get("interservice.exchange"))

    def _granted(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = self._auth.granted()
        environ[_NOTE].reached = True
        start_response("200 OK", headers)
        return []


class _ASGI:
    """The ASGI application."""

    def __init__(self, auth: ForwardAuth) -> None:
        self._auth = auth
        self._gated = interservice.asgi.Middleware(self._granted, auth.gate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one question, or follow the server's lifespan (ASGI 3)."""
        if scope["type"] not in ("http", "websocket"):
            await self._gated(scope, receive, send)
            return
        question = self._auth.asked(ScopeRequest(scope), joined=False)
        if isinstance(question, Answer):
            answer = question
        else:
            contract, original = question
            answer = contract.answered(await self._decided(as_scope(original, scope, contract.fields)))
        headers = finished(answer, scope.get("method", "GET"))
        fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
        if scope["type"] == "websocket":  # the gateway has passed the client's Upgrade on
            await receive()
            if "websocket.http.response" not in (scope.get("extensions") or {}):
                await send({"type": "websocket.close", "code": 1008})
                return
        await send({"type": kind + ".start", "status": answer.status, "headers": fields})
        await send({"type": kind + ".body", "body": answer.body})

    async def _decided(self, scope: Scope) -> Answer:
        heard = scope[_NOTE] = Heard()

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                heard.status = message["status"]
                heard.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
            elif message["type"] == "http.response.body":
                heard.body += message.get("body", b"")

        await self._gated(scope, receive, send)
        return heard.answer(scope.get("interservice.exchange"))

    async def _granted(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in self._auth.granted()]
        scope[_NOTE].reached = True
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
