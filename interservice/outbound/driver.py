"""Carries out the steps of a flow on the thread that makes the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .steps import AcquireSlot, Discover, FetchToken, Send, Wait

if TYPE_CHECKING:
    from collections.abc import Generator

    from interservice.clock import Clock

    from .call import Lease
    from .steps import Sent, Step


class Carrier(Protocol):
    """What sends: an adapter's one call."""

    def send(self, step: Send) -> Sent:
        """Send the request once; whatever `Exception` that meets is in the result."""

    def discard(self, sent: Sent) -> None:
        """Let go of a response whose body is not wanted."""


def drive(steps: Generator[Step, Any, tuple[Sent, Lease | None]], carrier: Carrier, clock: Clock) -> tuple[Sent, Lease | None]:
    """Run a flow to its end and give its result. What a step raises is raised inside the flow, which gives back what it holds."""
    try:
        step = next(steps)
        while True:
            try:
                answer = _carry_out(step, carrier, clock)
            except BaseException as error:  # noqa: BLE001 - the flow raises it again, once it has cleaned up
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: tuple[Sent, Lease | None] = end.value
        return result


def _carry_out(step: Step, carrier: Carrier, clock: Clock) -> Any:
    if isinstance(step, Send):
        return carrier.send(step)
    if isinstance(step, FetchToken):
        return step.auth.token(step.seconds)
    if isinstance(step, Wait):
        return clock.sleep(step.seconds)
    if isinstance(step, AcquireSlot):
        return step.slots.acquire(step.timeout)
    if isinstance(step, Discover):
        return step.watch.wait(step.seconds)
    return carrier.discard(step.sent)
