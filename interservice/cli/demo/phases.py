"""The phases of the demo: what trouble is made, and what must hold all the same. Each is a function that gives its findings."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from .stack import Stack
from .tokens import forgeries, minted
from .traffic import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from interservice.clock import Clock

    from .process import Process
    from .traffic import Traffic

S_co = TypeVar("S_co", bound=Stack, covariant=True)

_FLUSHED = 0.6
_WATCH_EVERY = 0.1
_LOOK_EVERY = 0.05
_CHANGED_WITHIN = 15.0
_REPEATS = 20
#: How a gateway says at once that it has no room, or knows that nobody behind it has.
_SHED = ("overloaded", "circuit_open", "bulkhead_full")
_ALL = 100.0
#: In percent: the availability that the architecture aims at.
_AVAILABLE = 99.9


@dataclass
class Findings:
    """How a phase went.

    Attributes:
        name: The phase.
        tally: Its calls.
        retries: How many second and third tries were made behind the client.
        states: The states that each orders instance was seen in by whoever balances the load, in order.
        faults: What should have been and was not; empty when all is well.
        remark: One line of what there is to see.
    """

    name: str
    tally: Tally = field(default_factory=Tally)
    retries: int = 0
    states: dict[str, list[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    remark: str = ""

    def expect(self, ok: bool, otherwise: str) -> None:  # noqa: FBT001 - the condition is the point of the call
        """Note what was not as it should be."""
        if not ok:
            self.faults.append(otherwise)

    def expect_available(self) -> None:
        """Note an availability below the one that the architecture aims at."""
        seen = f"not {self.tally.share:.2f} %: {dict(self.tally.statuses)} {dict(self.tally.codes)}"
        self.expect(self.tally.share >= _AVAILABLE, f"at least {_AVAILABLE} % should succeed, {seen}")

    def expect_all(self) -> None:
        """Note calls that failed."""
        seen = f"not {self.tally.successes} of {self.tally.calls}: {dict(self.tally.statuses)} {dict(self.tally.codes)}"
        self.expect(self.tally.calls > 0 and self.tally.share == _ALL, f"every call should succeed, {seen}")


@dataclass
class Scene(Generic[S_co]):
    """What a phase works with."""

    stack: S_co
    traffic: Traffic
    clock: Clock
    seconds: float
    #: The phase under way, for whoever shows it.
    current: Findings | None = None

    def taken_out(self, name: str, findings: Findings) -> bool:
        """Whether an instance was without traffic at a time."""
        return not self.stack.balancing.out.isdisjoint(findings.states.get(name, []))

    def let_in(self, name: str, findings: Findings) -> bool:
        """Whether an instance has traffic at the end."""
        return findings.states.get(name, [])[-1:] == [self.stack.balancing.well]

    def await_state(self, instance: Process, *states: str) -> None:
        """Wait until an instance is in one of these states, but not for ever: what it never came to is found afterwards."""
        give_up = self.clock.monotonic() + _CHANGED_WITHIN
        while self.stack.states().get(instance.name) not in states and self.clock.monotonic() < give_up:
            self.clock.sleep(_LOOK_EVERY)

    def begin(self, name: str) -> Findings:
        """The findings of a phase that starts now."""
        self.current = Findings(name)
        return self.current

    def load(
        self,
        findings: Findings,
        *meanwhile: Callable[[], object],
        workers: int = 6,
        pause: float = 0.02,
        seconds: float | None = None,
    ) -> None:
        """Traffic for the length of a phase, with the instances' states watched."""
        before = self.stack.retries()
        with Watch(self.stack) as watch:
            findings.states = watch.seen
            length = self.seconds if seconds is None else seconds
            self.traffic.run(findings.tally, seconds=length, meanwhile=meanwhile, workers=workers, pause=pause)
        self.clock.sleep(_FLUSHED)  # the gateway's last packet is on its way
        findings.retries = self.stack.retries() - before


class Watch:
    """Looks at the instances' states several times a second while the phase runs; a context manager."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: defaultdict[str, list[str]] = defaultdict(list)

    def look(self) -> None:
        """Note each state where it has changed."""
        for name, state in self._stack.states().items():
            states = self.seen[name]
            if not states or states[-1] != state:
                states.append(state)

    def _watch(self) -> None:
        while not self._done.wait(_WATCH_EVERY):
            self.look()

    def __enter__(self) -> Self:
        self.look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.look()


def healthy(scene: Scene[Stack]) -> Findings:
    """Nothing is wrong."""
    findings = scene.begin("healthy")
    created = scene.traffic.fill(24)
    findings.expect(
        created.successes == created.calls, f"orders could not be made: {dict(created.statuses)} {dict(created.codes)}"
    )
    if scene.traffic.orders:
        scene.load(findings)
    findings.expect_all()
    findings.remark = f"{created.successes} orders made and invoiced"
    return findings


def slow_instance(scene: Scene[Stack]) -> Findings:
    """One of two instances takes longer than the stack puts up with: it is taken out, and let in again when it is well."""
    findings = scene.begin("one instance slow")
    slow, balancing = scene.stack.orders[1], scene.stack.balancing

    def heal() -> None:
        scene.await_state(slow, *balancing.out)
        scene.stack.slow_down(slow, 0)
        scene.await_state(slow, balancing.well)

    scene.stack.slow_down(slow, balancing.slowness)
    try:
        scene.load(findings, heal, seconds=1.6 * scene.seconds)
    finally:
        scene.stack.slow_down(slow, 0)
    findings.expect_available()
    findings.expect(scene.taken_out(slow.name, findings), f"{slow.name} should have been taken out")
    findings.expect(scene.let_in(slow.name, findings), f"{slow.name} should have been let in again")
    findings.remark = f"+{balancing.slowness} s on orders-b for the first half"
    return findings


def killed_instance(scene: Scene[Stack]) -> Findings:
    """One of two instances dies without a word and comes back: no idempotent call may fail."""
    findings = scene.begin("one instance killed")
    killed, balancing = scene.stack.orders[1], scene.stack.balancing

    def come_back() -> None:
        scene.await_state(killed, *balancing.out)
        killed.start()
        scene.await_state(killed, balancing.well)

    scene.load(findings, killed.kill, come_back)
    findings.expect_available()
    findings.expect(findings.retries + findings.tally.repeats > 0, "somebody should have tried again elsewhere")
    findings.expect(scene.taken_out(killed.name, findings), f"{killed.name} should have been taken out")
    findings.expect(scene.let_in(killed.name, findings), f"{killed.name} should have been let in again")
    findings.remark = "SIGKILL on orders-b, restarted two thirds through"
    return findings


def keys_rotated(scene: Scene[Stack]) -> Findings:
    """The issuer signs with new keys: no valid token may be refused, and none with a dropped key believed."""
    findings = scene.begin("keys rotated")
    old_key = scene.stack.key()
    scene.load(findings, scene.stack.rotate_keys)
    findings.expect_all()
    fresh = Tally()
    scene.traffic.get(fresh, "/v2/orders", minted(scene.stack, scene.clock))
    findings.expect(scene.stack.key().kid != old_key.kid, "the issuer should sign with another key")
    findings.expect(fresh.successes == 1, f"a token of the new key should be believed at once, not {dict(fresh.statuses)}")
    findings.remark = "a token of the new key is believed at once"
    return findings


def issuer_down(scene: Scene[Stack]) -> Findings:
    """The authorization server is gone: tokens that are valid stay valid, for keys and tokens are kept."""
    findings = scene.begin("issuer down")
    scene.stack.stop_issuer()
    try:
        scene.load(findings)
    finally:
        scene.stack.start_issuer()
    findings.expect_all()
    findings.remark = "keys and tokens are kept"
    return findings


def bad_tokens(scene: Scene[Stack]) -> Findings:
    """Expired, forged, unsigned, foreign: each is 401 invalid_token, and never reaches a service."""
    findings = scene.begin("expired and forged tokens")
    for token in forgeries(scene.stack, scene.clock) * _REPEATS:
        scene.traffic.get(findings.tally, "/v2/orders", token)
    refused = findings.tally.codes["invalid_token"]
    findings.expect(findings.tally.calls == refused == findings.tally.statuses[401], "every one should be 401 invalid_token")
    findings.expect(findings.tally.headers["www-authenticate"] == refused, "every refusal should carry a challenge")
    findings.remark = "expired, wrong audience, other key, alg none, altered"
    return findings


def old_version(scene: Scene[Stack]) -> Findings:
    """Version 1 works and says that it is deprecated; version 0 is gone; version 9 never was."""
    findings = scene.begin("old API version")
    tally, order = findings.tally, scene.traffic.orders[0]
    for _ in range(_REPEATS):
        scene.traffic.get(tally, f"/v1/orders/{order}")
    noticed = tally.headers["deprecation"] == tally.headers["sunset"] == _REPEATS
    findings.expect(noticed and tally.statuses[200] == _REPEATS, "version 1 should be served with notice")
    scene.traffic.get(tally, f"/v0/orders/{order}")
    scene.traffic.get(tally, f"/v9/orders/{order}")
    findings.expect(tally.codes["api-version-retired"] == tally.statuses[410] == 1, "version 0 should be 410")
    findings.expect(tally.codes["api-version-unsupported"] == tally.statuses[404] == 1, "version 9 should be 404")
    findings.remark = "v1 with Deprecation and Sunset, v0 is 410, v9 is 404"
    return findings


def overload(scene: Scene[Stack]) -> Findings:
    """More than is admitted: the rest is told so at once, and what is admitted is answered."""
    findings = scene.begin("overload")
    scene.stack.burden(0.05)
    try:
        scene.load(findings, workers=48, pause=0.01)
    finally:
        scene.stack.burden(0)
    tally = findings.tally
    shed = sum(tally.codes[code] for code in _SHED)
    findings.expect(tally.codes["overloaded"] > 0, "some should have been shed")
    findings.expect(
        tally.successes + shed == tally.calls, f"nothing else should have failed, not {dict(tally.statuses)} {dict(tally.codes)}"
    )
    findings.expect(tally.headers["retry-after"] == shed, "every refusal should say when to come again")
    findings.remark = f"48 callers, 12 admitted at a time: {100 * shed // max(1, tally.calls)} % shed with 503 and Retry-After"
    return findings


PHASES: tuple[Callable[[Scene[Stack]], Findings], ...] = (
    healthy, slow_instance, killed_instance, keys_rotated, issuer_down, bad_tokens, old_version, overload,
)  # fmt: skip
