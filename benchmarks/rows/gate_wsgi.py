"""The gate over WSGI, warm: what it costs as a whole, and what each part of it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measure import calls
from benchmarks.scene import Nowhere, Scene, bare, served, versions
from benchmarks.table import Side, Table, Target
from interservice import AccessLog, Deadlines, Gate, StatsD, Tracing
from interservice.wsgi import Middleware

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from interservice.events import Listener
    from interservice.inbound.policy import Policy

_TEXT = """\
One request from a service that sends a token (RS256, already verified), `traceparent`, `X-Request-ID` and
`X-Request-Timeout-Ms`, to an application that does nothing, called as a server calls it: fresh environ, whole body,
`close()`. The whole gate is `Tracing`, `Deadlines`, `Versions` (path, stripped), `JWTAuth` (keys from a JWKS, two rules),
`AccessLog` (a stream that keeps nothing) and `StatsD` (a UDP socket on loopback; its thread's time is included). A single
policy stands in a gate of its own."""
WHY = """\
The rows of its table say what a gate that does nothing, each policy and each listener take; "Work, counted" has the functions and
instructions that are left, and each of them is Python."""


def tables(stack: ExitStack) -> list[Table]:
    """One table."""
    scene = Scene(stack)
    environ = scene.environ()

    def gate(policies: Sequence[Policy] = (), listeners: Sequence[Listener] = ()) -> Middleware:
        return Middleware(bare, Gate(policies, listeners, service="orders"))

    def side(name: str, policies: Sequence[Policy] = (), listeners: Sequence[Listener] = ()) -> Side:
        return Side(name, calls(served(gate(policies, listeners), environ)))

    def log(*, fast: bool = True) -> AccessLog:
        return AccessLog(stream=Nowhere(), fast=fast)

    def statsd() -> StatsD:
        made = StatsD(scene.statsd, prefix="orders")
        stack.callback(made.close)
        return made

    sides = [
        Side("bare application", calls(served(bare, environ))),
        side("whole gate", scene.policies(), [log(), statsd()]),
        side("whole gate, no log line", scene.policies(), [statsd()]),
        side("whole gate, no listeners", scene.policies()),
        side("whole gate, without msgspec", scene.policies(), [log(fast=False), statsd()]),
        side("empty gate"),
        side("Tracing alone", [Tracing()]),
        side("Deadlines alone", [Deadlines()]),
        side("Versions alone", [versions()]),
        side("Versions and JWTAuth alone", [versions(), scene.auth()]),
        side("AccessLog alone", (), [log()]),
        side("StatsD alone", (), [statsd()]),
    ]
    targets = [Target("whole gate", "over", 20.0, why=WHY), Target("whole gate, no log line", "over", 7.0, why=WHY)]
    title = "The gate, WSGI"
    return [
        Table(key="gate-wsgi", title=title, text=_TEXT, sides=sides, reference="bare application", clock="cpu", targets=targets)
    ]
