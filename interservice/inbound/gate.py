"""The gate: policies in order, then the application, then the policies in reverse; one event when the last byte is out.

A binding calls `open`, then `prepare` until no work is wanted, `admit`, `respond` for each head, and `finish` at the end. The
gate decides and keeps no state of a request: that lives in the Exchange. Nothing here blocks; a fault of a policy is a 500,
never a request let through.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from interservice.clock import SYSTEM
from interservice.errors import ConfigurationError, Rejection
from interservice.events import Listener, Listeners, Served
from interservice.exchange import Exchange
from interservice.http import Head, Reply, problem

from .policy import Answer, Policy, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from interservice.clock import Clock
    from interservice.http import Request

_LOG = logging.getLogger("interservice")
_MOMENTS = ("prepare", "admit", "respond")


class Gate:
    """What stands in front of an application, whatever serves it.

    Args:
        policies: In the order in which they see a request; they see the response in reverse.
        listeners: Callables that take an event: `AccessLog`, `StatsD`, your own.
        service: The name of this service, for logs, metrics and challenges.
        clock: Where time comes from.

    Raises:
        ConfigurationError: A policy has none of the moments `prepare`, `admit` and `respond`, or a listener cannot be called.
    """

    def __init__(
        self,
        policies: Iterable[Policy],
        listeners: Iterable[Listener] = (),
        *,
        service: str | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.policies = tuple(_checked(policies))
        self.service = service
        self.clock = clock
        self.listeners = Listeners(listeners, option="Gate.listeners")
        self._told = bool(self.listeners)
        self._steps = tuple(_steps(self.policies))
        self._responders = tuple(step for policy in reversed(self.policies) if (step := _moment(policy, "respond")))

    def open(self, request: Request) -> Exchange:
        """Begin the exchange of a request that has just arrived."""
        clock = self.clock
        return Exchange(request, clock.monotonic(), self.service, clock)

    def prepare(self, exchange: Exchange) -> Work | None:
        """Run the policies up to the first that wants blocking work, and give that work; None when all have had their say.

        Each policy is prepared and admitted before the next one looks, so that no keys are fetched for a request that a
        cheaper policy refuses. The work never raises: what goes wrong becomes the exchange's refusal.
        """
        steps, position = self._steps, exchange.step
        try:
            for step, following in steps[position:] if position else steps:
                if (work := step(exchange)) is not None and following:
                    exchange.step = following
                    return partial(self._do, exchange, work)
        except Exception as error:  # noqa: BLE001 - sorted out by _refuse: a Rejection is meant, all else is a fault
            self._refuse(exchange, error)
        exchange.step = len(steps)
        return None

    def admit(self, exchange: Exchange) -> Reply | None:
        """None when the application is to answer; otherwise the whole refusal, or a policy's answer. Comes after `prepare`."""
        if exchange.refusal is not None:
            return self.refuse(exchange, exchange.refusal)
        return None if exchange.reply is None else self._amended(exchange, exchange.reply)

    def refuse(self, exchange: Exchange, rejection: Rejection) -> Reply:
        """The problem document for a refusal, amended by the policies as any response."""
        exchange.refusal = rejection
        return self._amended(exchange, problem(rejection, exchange.request_id))

    def _amended(self, exchange: Exchange, reply: Reply) -> Reply:
        head = Head(reply.status, reply.headers)
        self.respond(exchange, head)
        reply.status = head.status
        if exchange.request.method == "HEAD":
            reply.body = b""
        return reply

    def respond(self, exchange: Exchange, head: Head) -> None:
        """Let the policies amend the head of a response, and note its status. A policy that raises makes it a 500."""
        try:
            for step in self._responders:
                step(exchange, head)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is a 500
            _LOG.exception("a policy failed on the response to request %s", exchange.request_id)
            exchange.error = error
            head.status = 500
        exchange.status = head.status

    def finish(
        self,
        exchange: Exchange,
        outcome: str | None = None,
        error: BaseException | None = None,
        *,
        ended: float | None = None,
    ) -> None:
        """End the exchange, once: give back what policies hold, and tell the listeners. Later calls do nothing.

        Args:
            exchange: The exchange whose last byte is out, or will never come.
            outcome: "client_disconnect" or "aborted" where the binding saw one; otherwise it follows from error and status.
            error: The exception that ended it.
            ended: Seconds on the clock when the last byte went out, if that was before now.
        """
        if exchange.finished:
            return
        exchange.finished = True
        if error is not None and exchange.error is None and not isinstance(error, Rejection):
            exchange.error = error
        if exchange.deferred is not None:
            for callback in exchange.deferred:
                _give_back(callback)
        if self._told:
            seconds = (self.clock.monotonic() if ended is None else ended) - exchange.started
            if exchange.first_byte is None and exchange.status is not None:
                exchange.first_byte = seconds
            for event in exchange.events or ():
                self.listeners(event)
            outcome = outcome or _outcome(exchange)
            self.listeners(
                Served(exchange, exchange.status, exchange.bytes_sent, seconds, exchange.first_byte, outcome, exchange.error)
            )

    def flush(self) -> None:
        """Have listeners that keep something back, such as `StatsD`, let go of it: the server ends. May block a second each."""
        for listener in self.listeners:
            flush = getattr(listener, "flush", None)
            if callable(flush):
                _give_back(flush)

    def _do(self, exchange: Exchange, work: Work) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - as in prepare
            self._refuse(exchange, error)
            return
        if exchange.deadline.expired:
            late = Rejection("The deadline of the request has passed.", status=504, code="deadline_exceeded")
            self._refuse(exchange, late)

    def _refuse(self, exchange: Exchange, error: Exception) -> None:
        """Keep what ended the admission; a fault of ours is logged in full and told to the client as a bare 500."""
        exchange.step = len(self._steps)
        if isinstance(error, Rejection):
            exchange.refusal = error
            return
        if isinstance(error, Answer):
            exchange.reply = error.reply
            return
        _LOG.error("a policy failed on request %s", exchange.request_id, exc_info=error)
        exchange.error = error
        exchange.refusal = Rejection("The request could not be checked.", status=500, code="internal_error")


def _checked(policies: Iterable[Policy]) -> Sequence[Policy]:
    if isinstance(policies, (str, bytes)) or not hasattr(policies, "__iter__"):
        raise ConfigurationError(f"Gate.policies must be a list of policies, not {policies!r}")
    given = list(policies)
    for policy in given:
        if isinstance(policy, type) or not any(callable(getattr(policy, moment, None)) for moment in _MOMENTS):
            raise ConfigurationError(f"Gate.policies must be policies (with prepare, admit or respond), not {policy!r}")
    return given


def _moment(policy: Policy, name: str) -> Callable[..., Work | None] | None:
    """A policy's method for a moment; None where it has none of its own, so that the request pays for no empty call."""
    if getattr(type(policy), name, None) is getattr(Policy, name):
        return None
    return getattr(policy, name, None)


def _steps(policies: Sequence[Policy]) -> Iterable[tuple[Callable[[Exchange], Work | None], int]]:
    """Each policy's prepare and admit, in order; with prepare, which may want work, the position of what follows, else 0."""
    position = 0
    for policy in policies:
        for name in ("prepare", "admit"):
            step = _moment(policy, name)
            if step is not None:
                position += 1
                yield step, position if name == "prepare" else 0


def _give_back(callback: Callable[[], object]) -> None:
    try:
        callback()
    except Exception:  # noqa: BLE001 - the others must have their turn, and the request has been answered
        _LOG.exception("%r failed at the end of a request", callback)


def _outcome(exchange: Exchange) -> str:
    """The word for how an exchange ended that was neither disconnected nor aborted."""
    if exchange.error is not None:
        return "exception"
    status = exchange.status
    if status is None:
        return "aborted"
    if status < 400:  # noqa: PLR2004 - RFC 9110 section 15: 4xx is the client's error, 5xx the server's
        return "ok"
    return "client_error" if status < 500 else "server_error"  # noqa: PLR2004
