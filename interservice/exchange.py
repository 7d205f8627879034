"""The Exchange: one inbound request with what policies found out about it, and `current()`, the one under way.

Whatever belongs to one request lives here, never on a shared object. The bindings set the context variable; the outbound side
reads it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

from .challenge import missing_scopes, unauthenticated
from .clock import SYSTEM
from .deadline import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .clock import Clock
    from .deadline import Deadline
    from .errors import Rejection
    from .http import Reply, Request
    from .trace import Trace


class Identity(Protocol):
    """What the exchange needs to know of a principal; `tokens.Principal` is one."""

    @property
    def subject(self) -> str | None:
        """Who the token speaks of."""

    @property
    def issuer(self) -> str:
        """Who vouches."""

    @property
    def client_id(self) -> str | None:
        """The client that asked for the token."""

    @property
    def scopes(self) -> frozenset[str]:
        """What it may do."""

    @property
    def roles(self) -> frozenset[str]:
        """What it is."""

    @property
    def claims(self) -> Mapping[str, Any]:
        """Every claim."""

    @property
    def expires_at(self) -> float:
        """Seconds since the epoch."""

    @property
    def token_id(self) -> str | None:
        """The token's jti."""


class NegotiatedVersion(Protocol):
    """What the exchange needs to know of a version; `inbound.versions.Version` is one. `str()` is the version as configured."""

    @property
    def source(self) -> str:
        """Where it was read: path, header, query, accept, content-type or default."""

    @property
    def raw(self) -> str | None:
        """What the client wrote."""

    @property
    def deprecated(self) -> bool:
        """Whether it should no longer be used."""


class Exchange:
    """One inbound request, from its arrival to its last byte.

    Attributes:
        request: The request's head.
        service: The name of the service that answers, from the gate.
        started: Seconds on the gate's monotonic clock.
        clock: The gate's clock.
        path: The path that rules and the application see; differs from `request.path` where a version prefix was stripped.
        mount: The prefix above `path` (SCRIPT_NAME, root_path).
        rewritten: Request headers that the application sees with other values than were sent, by lower-case name, or None.
        principal: Who asks, once a token was verified.
        version: The negotiated API version; None on neutral paths and preflights.
        preflight_version: The version that a preflight's path names, for the choice of an application alone.
        trace: Our span in the caller's trace. Read when somebody asks for it, as is the deadline: see `trace_later`.
        request_id: The id of the request, in logs, problem documents and calls.
        deadline: When the answer is no longer of use; `.remaining()` is inf without one.
        realm: What challenges call the protected space, where an authenticating policy says so; otherwise the service.
        resource_metadata: Where such a policy says that the protected resource is described (RFC 9728), or None.
        seen: What an authenticating policy found out in `prepare`, for its own `admit`.
        token: The bearer token as it came, for exchange on the caller's behalf; never logged.
        certificate: The thumbprint of the client's certificate (RFC 8705), where `ClientCertificate` found one to be believed.
        status: The response's status, once started.
        bytes_sent: Bytes of body handed to the server so far.
        first_byte: Seconds from the start to the first byte handed to the server.
        route: The template of the route that matched, such as "/orders/{id}", where the framework tells.
        refusal: The Rejection that ended it, if one did.
        reply: The response that a policy gave in the application's place, if one did.
        error: The exception that ended it, if one did.
        fields: Further fields for its log line.
        finished: Whether the last byte is out.
        quiet: Whether its line in the log is of level debug whatever its outcome: it was a probe.
        closing: Whether the connection should end with the response, where the server lets that be said.
        step: How far the gate has come, for the gate alone.
        events: What listeners are told besides; `report` adds to it.
        deferred: What is called at the end; `defer` adds to it.
    """

    __slots__ = (
        "__weakref__",
        "_deadline",
        "_trace",
        "bytes_sent",
        "certificate",
        "clock",
        "closing",
        "deferred",
        "error",
        "events",
        "fields",
        "finished",
        "first_byte",
        "mount",
        "path",
        "preflight_version",
        "principal",
        "quiet",
        "realm",
        "refusal",
        "reply",
        "request",
        "request_id",
        "resource_metadata",
        "rewritten",
        "route",
        "seen",
        "service",
        "started",
        "status",
        "step",
        "token",
        "version",
    )  # fmt: skip

    def __init__(self, request: Request, started: float, service: str | None = None, clock: Clock = SYSTEM) -> None:
        self.request = request
        self.service = service
        self.started = started
        self.clock = clock
        self.path = request.path
        self.mount = request.mount
        self.rewritten: dict[str, str] | None = None
        self.principal: Identity | None = None
        self.version: NegotiatedVersion | None = None
        self.preflight_version: NegotiatedVersion | None = None
        self._trace: list[Any] | None = None
        self.request_id: str | None = None
        self._deadline: list[Any] | None = None
        self.token: str | None = None
        self.certificate: str | None = None
        self.realm: str | None = None
        self.resource_metadata: str | None = None
        self.seen: Any = None
        self.status: int | None = None
        self.bytes_sent = 0
        self.first_byte: float | None = None
        self.route: str | None = None
        self.refusal: Rejection | None = None
        self.reply: Reply | None = None
        self.error: BaseException | None = None
        self.fields: dict[str, Any] | None = None
        self.finished = False
        self.quiet = False
        self.closing = False
        self.events: list[object] | None = None
        self.deferred: list[Callable[[], None]] | None = None
        self.step = 0

    @property
    def trace(self) -> Trace | None:
        """Our span in the caller's trace."""
        return None if self._trace is None else self._read(self._trace)

    @trace.setter
    def trace(self, trace: Trace | None) -> None:
        self._trace = None if trace is None else [None, trace]

    @property
    def deadline(self) -> Deadline:
        """When the answer is no longer of use."""
        return NEVER if self._deadline is None else self._read(self._deadline)

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._deadline = [None, deadline]

    def trace_later(self, read: Callable[[Exchange], Trace]) -> None:
        """Have the trace worked out when somebody asks: many requests log and call nothing."""
        self._trace = [read]

    def deadline_later(self, read: Callable[[Exchange], Deadline]) -> None:
        """Have the deadline worked out when somebody asks."""
        self._deadline = [read]

    @property
    def is_traced(self) -> bool:
        """Whether there is a trace; asking does not read it."""
        return self._trace is not None

    def _read(self, later: list[Any]) -> Any:
        """What `later` holds behind the way to it. Of several threads that ask first, one appends first: all get its value."""
        if len(later) == 1:
            later.append(later[0](self))
        return later[1]

    def annotate(self, **fields: Any) -> None:
        """Add fields to this request's log line."""
        if self.fields is None:
            self.fields = fields
        else:
            self.fields.update(fields)

    def require(self, *scopes: str) -> None:
        """Refuse the request, as a rule would, unless the principal has all of `scopes`.

        Raises:
            Rejection: 401 without a principal, 403 `insufficient_scope` (RFC 6750 section 3.1) when a scope is missing.
        """
        principal = self.principal
        if principal is not None and principal.scopes.issuperset(scopes):
            return
        realm = self.realm or self.service
        self.refusal = unauthenticated(realm, self.resource_metadata) if principal is None else missing_scopes(scopes, realm)
        raise self.refusal

    def report(self, event: object) -> None:
        """Have the gate's listeners told of an event on the way, such as a token that was refused; they hear of it at the end."""
        if self.events is None:
            self.events = [event]
        else:
            self.events.append(event)

    def defer(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once, when the exchange has ended; for what a policy must give back."""
        if self.deferred is None:
            self.deferred = [callback]
        else:
            self.deferred.append(callback)

    def __repr__(self) -> str:
        return f"<Exchange {self.request.method} {self.request.path} {self.request_id or ''}>"


_CURRENT: ContextVar[Exchange | None] = ContextVar("interservice.exchange", default=None)


def current() -> Exchange | None:
    """The exchange under way; None outside a request, after its end, and in a thread that was started afresh."""
    exchange = _CURRENT.get()
    return None if exchange is None or exchange.finished else exchange


def entered() -> Exchange | None:
    """For logs: the exchange of this context, ended or not; a task that outlives the response belongs to its request."""
    return _CURRENT.get()


#: For a binding that gives each request a context of its own: set the exchange of it.
begin: Final = _CURRENT.set


def enter(exchange: Exchange | None) -> Exchange | None:
    """For other bindings: set the exchange of the current context, and give the one that was there, to be put back at the end.

    No context-variable token is used: a body may be closed in another context, where a token cannot be reset.
    """
    before = _CURRENT.get()
    _CURRENT.set(exchange)
    return before
