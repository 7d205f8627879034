"""One outbound call as one generator: it decides, and yields each step that takes time for a driver to carry out.

The order of the parts is the order of this page: deadline > token > endpoint > its circuit > a place in the bulkhead > the wire,
and then: what became of it > whether to try again > the retry budget, asked last. The flow knows no thread, socket, HTTP library
or real clock. However it ends, thrown exceptions and `close()` included, what it holds is given back or handed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from interservice.errors import CallError
from interservice.events import Attempted, RetryBudgetExhausted, Shed, TokenReplayed

from .attempt import Attempt
from .call import Call, Destination, Lease, bulkhead_full
from .choice import choose, may_be_called
from .outcome import Outcome, classify_status, verdict
from .retry import parse_retry_after
from .steps import AcquireSlot, Discard, Discover, FetchToken, Send, Wait

if TYPE_CHECKING:
    from collections.abc import Generator

    from .bulkhead import Slot
    from .endpoint import Endpoint
    from .retry import Retry
    from .steps import Sent, Step

#: What a flow gives: how the last try ended, and what it still holds when its body is streamed.
Result: TypeAlias = "tuple[Sent, Lease | None]"
Steps: TypeAlias = "Generator[Step, Any, Any]"

_PAUSING = frozenset({429, 503})
_UNAUTHORIZED = 401
_CONFLICT = 409
#: Seconds that an endpoint is left alone at most, where no `Retry.retry_after_cap` says.
_LONGEST_PAUSE = 30.0


def flow(call: Call, to: Destination) -> Generator[Step, Any, Result]:
    """Make one call.

    Returns:
        The last try, with the lease that goes along with a body still to be read.

    Raises:
        CallError: nothing could be sent (`DeadlineExceeded`, `CircuitOpen`, `BulkheadFull`, `NoEndpoint`, `TokenUnavailable`).
    """
    if to.budget is not None:
        to.budget.deposit(call.started)
    if to.unsent_budget is not None:
        to.unsent_budget.deposit(call.started)
    while True:
        try:
            lease = yield from _admit(call, to)
        except CallError:
            if call.last is None:
                raise
            return _result(call, call.last), None
        sent = yield from _attempt(call, to, lease)
        wait = _again(call, to, sent, lease.endpoint)
        if wait is None:
            return _result(call, sent), lease if sent.streaming else None
        yield from _let_go(call, to, sent, lease)
        if wait > 0:
            yield Wait(wait)


def _admit(call: Call, to: Destination) -> Generator[Step, Any, Lease]:
    """Everything that comes before a try; nothing is held when it raises."""
    now = to.clock.monotonic()
    if now >= call.deadline:
        raise call.exceeded(to.service, now, "backoff" if call.attempts else "start")
    if call.auth is not None:
        call.token = yield FetchToken(call.auth, call.deadline - now)
        now = to.clock.monotonic()
    if to.watch is not None and not to.endpoints:
        yield Discover(to.watch, call.deadline - now)
        now = to.clock.monotonic()
        if now >= call.deadline:
            raise call.exceeded(to.service, now, "dns")
    endpoint, permit, probe = choose(call, to, now)
    if to.slots is None:
        return Lease(endpoint, permit, None, probe)
    try:
        slot = to.slots.try_acquire() or (yield from _queue(call, to))
    except BaseException:
        if permit is not None:
            permit.ignore()
        if probe:
            endpoint.probed(probe, success=None)
        raise
    return Lease(endpoint, permit, slot, probe)


def _queue(call: Call, to: Destination) -> Generator[Step, Any, Slot]:
    """Wait for a place, no longer than the bulkhead allows and the call has left."""
    slots = to.slots
    assert slots is not None  # noqa: S101 - the caller asked
    started = to.clock.monotonic()
    timeout = min(slots.options.max_wait, call.deadline - started)
    slot: Slot | None = (yield AcquireSlot(slots, timeout)) if timeout > 0 else None
    if slot is not None:
        return slot
    now = to.clock.monotonic()
    if now >= call.deadline:
        raise call.exceeded(to.service, now, "pool")
    if to.listeners:
        to.listeners(Shed(to.service, slots.limit, slots.in_flight))
    raise bulkhead_full(call, to, slots, now - started)


def _attempt(call: Call, to: Destination, lease: Lease) -> Generator[Step, Any, Sent]:
    """One try on the wire, judged and recorded. What it holds is given back, unless its body is still to be read."""
    endpoint = lease.endpoint
    number = len(call.attempts) + 1
    started = to.clock.monotonic()
    try:
        sent: Sent = yield Send(endpoint, number, call.token, call.deadline)
    except BaseException:
        lease.release(to.clock.monotonic())
        raise
    now = to.clock.monotonic()
    seconds = now - started
    error = sent.error
    outcome = _classify(call, to, sent, endpoint, now)
    judgement = verdict(outcome, sent.status, retry_after=sent.asked)
    lease.report(judgement, seconds, error if error is not None else str(sent.status))
    if not sent.streaming:
        lease.release(now, None if judgement == "ignore" else seconds, failed=judgement == "failure")
    if judgement == "failure":
        _suspect(to, lease, outcome, now)
    call.attempts.append(Attempt(endpoint.url, started, seconds, outcome, sent.status, error))
    call.last = sent
    if sent.error is not None and outcome is not Outcome.NEVER_SENT:
        call.reached = sent
    if to.listeners:
        to.listeners(Attempted(to.service, endpoint.url, number, seconds, outcome, sent.status, error))
    return sent


def _suspect(to: Destination, lease: Lease, outcome: Outcome, now: float) -> None:
    """A try failed: maybe its endpoint is an outlier, and maybe the service has moved."""
    if to.outliers is not None:
        to.outliers.failed(to.endpoints, lease.endpoint, now, lease.probe)
    if to.watch is not None and outcome is Outcome.NEVER_SENT:
        to.watch.hasten()


def _classify(call: Call, to: Destination, sent: Sent, endpoint: Endpoint, now: float) -> Outcome:
    """What became of the try; an endpoint that asks to be left alone is, and a passed deadline becomes the call's own error."""
    if sent.status is not None and sent.error is None:
        retry = to.retry
        sent.outcome = classify_status(sent.status) if retry is None else classify_status(sent.status, retry.statuses)
        if sent.status in _PAUSING:
            _heed(to, sent, endpoint, now)
        elif sent.status == _CONFLICT and call.keyed and len(call.attempts) > call.replayed:
            # an earlier try of ours is still being worked on (draft-ietf-httpapi-idempotency-key-header section 2.6)
            sent.outcome = Outcome.STATUS
            _read_retry_after(to, sent)
    elif sent.outcome is Outcome.DEADLINE:
        exceeded = call.exceeded(to.service, now, sent.phase, endpoint.url)
        exceeded.__cause__ = sent.error
        sent.error = exceeded
    return sent.outcome or Outcome.OK


def _heed(to: Destination, sent: Sent, endpoint: Endpoint, now: float) -> None:
    """Read Retry-After; where a circuit guards the endpoint, leave it alone for that long, within reason."""
    _read_retry_after(to, sent)
    if sent.asked and endpoint.circuit is not None:
        endpoint.pause(now + min(sent.asked, to.retry.retry_after_cap if to.retry is not None else _LONGEST_PAUSE))


def _read_retry_after(to: Destination, sent: Sent) -> None:
    values = sent.fields("Retry-After")
    if values:
        sent.asked = parse_retry_after(values, to.clock.time(), next(iter(sent.fields("Date")), None))


def _again(call: Call, to: Destination, sent: Sent, endpoint: Endpoint) -> float | None:
    """How long to wait before the next try; None when this was the last. The budget is asked once nothing else is in the way."""
    if sent.status == _UNAUTHORIZED and _replays(call, sent):
        if to.listeners:
            to.listeners(TokenReplayed(to.service))
        return 0.0
    retry, outcome = to.retry, sent.outcome
    if retry is None or outcome is None or outcome is Outcome.OK:
        return None
    made = len(call.attempts) - call.replayed
    if not retry.may_retry(outcome, method=call.method, keyed=call.keyed, facts=sent.facts, status=sent.status, attempt=made):
        return None
    wait = _wait(call, to, retry, sent, endpoint)
    budget = to.unsent_budget if outcome is Outcome.NEVER_SENT else to.budget
    if wait is None or budget is None or budget.try_withdraw():
        return wait
    if to.listeners:
        to.listeners(RetryBudgetExhausted(to.service, budget.balance))
    return None


def _wait(call: Call, to: Destination, retry: Retry, sent: Sent, endpoint: Endpoint) -> float | None:
    """How long to pause; None when too little time is left, or no endpoint would take the call after it."""
    call.tried.append(endpoint)
    now = to.clock.monotonic()
    elsewhere = any(other not in call.tried and may_be_called(to, other, now) for other in to.endpoints)
    if sent.outcome is Outcome.READ_TIMEOUT and not elsewhere:
        return None  # it is busy with this very request: more of the same would make it worse
    if call.waits is None:
        call.waits = retry.waits(to.random)
    wait = call.waits.after(sent.outcome or Outcome.OK, status=sent.status, retry_after=sent.asked, elsewhere=elsewhere)
    if not retry.worth_waiting(wait, call.deadline - now, None if elsewhere else sent.asked):
        return None
    return wait if any(may_be_called(to, other, now + wait) for other in to.endpoints) else None


def _replays(call: Call, sent: Sent) -> bool:
    """Whether a 401 is answered by sending the request again with another token: once, and only where there may be another."""
    if call.replayed or call.auth is None or call.token is None or not sent.facts.replayable:
        return False
    call.replayed = call.auth.refused(call.token)
    return call.replayed


def _result(call: Call, sent: Sent) -> Sent:
    """The try that is the call's result: the last; but that the last could not even be sent is no excuse for one that was."""
    if sent.outcome is Outcome.NEVER_SENT and call.reached is not None:
        return call.reached
    return sent


def _let_go(call: Call, to: Destination, sent: Sent, lease: Lease) -> Steps:
    """Drop a streamed response that is tried again, and what it holds; it can no longer be the result."""
    if sent.streaming:
        try:
            yield Discard(sent)
        finally:
            lease.release(to.clock.monotonic())
        call.last = None
