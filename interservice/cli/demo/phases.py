"""The phases of the demo: what trouble is made, and what must hold all the same. Each is a function that gives its findings."""

from __future__ import annotations

import base64
import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import requests

from interservice.issuer import KeyRing
from interservice.issuer.minting import access_token_claims, sign

from .gateway import SNAPSHOT
from .traffic import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from interservice.clock import Clock

    from .stack import Stack
    from .traffic import Traffic

#: What the gateway's StatsD listener counts retries under.
_RETRIES = "gateway.retry.orders"
_FLUSHED = 0.6
_WATCH_EVERY = 0.1
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
        retries: How many second and third tries the gateway made, as StatsD was told.
        circuits: The states that each orders instance's circuit was seen in, in order.
        faults: What should have been and was not; empty when all is well.
        remark: One line of what there is to see.
    """

    name: str
    tally: Tally = field(default_factory=Tally)
    retries: int = 0
    circuits: dict[str, list[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    remark: str = ""

    def expect(self, ok: bool, otherwise: str) -> None:  # noqa: FBT001 - the condition is the point of the call
        """Note what was not as it should be."""
        if not ok:
            self.faults.append(otherwise)


@dataclass
class Scene:
    """What a phase works with."""

    stack: Stack
    traffic: Traffic
    clock: Clock
    seconds: float
    #: The phase under way, for whoever shows it.
    current: Findings | None = None

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
        """Traffic for the length of a phase, with the circuits watched."""
        before = self.stack.receiver.counters()[_RETRIES]
        with Watch(self.stack) as watch:
            findings.circuits = watch.seen
            length = self.seconds if seconds is None else seconds
            self.traffic.run(findings.tally, seconds=length, meanwhile=meanwhile, workers=workers, pause=pause)
        self.clock.sleep(_FLUSHED)  # the gateway's last packet is on its way
        findings.retries = int(self.stack.receiver.counters()[_RETRIES] - before)


class Watch:
    """Reads the gateway's circuits several times a second while the phase runs; a context manager."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._names = {instance.url: instance.name for instance in stack.orders}
        self.seen: defaultdict[str, list[str]] = defaultdict(list)

    def look(self) -> None:
        """Note each circuit's state where it has changed."""
        try:
            snapshot = requests.get(self._stack.gateway.url + SNAPSHOT, timeout=5).json()
        except requests.RequestException:
            return
        for url, endpoint in snapshot["endpoints"].items():
            states = self.seen[self._names[url]]
            if not states or states[-1] != endpoint["state"]:
                states.append(endpoint["state"])

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


def healthy(scene: Scene) -> Findings:
    """Nothing is wrong."""
    findings = scene.begin("healthy")
    created = scene.traffic.fill(24)
    findings.expect(
        created.successes == created.calls, f"orders could not be made: {dict(created.statuses)} {dict(created.codes)}"
    )
    if scene.traffic.orders:
        scene.load(findings)
    findings.expect(findings.tally.calls > 0 and findings.tally.share == _ALL, "every call should succeed")
    findings.remark = f"{created.successes} orders made and invoiced"
    return findings


def slow_instance(scene: Scene) -> Findings:
    """One of two instances takes longer than the circuit allows: it is taken out, and let in again when it is well."""
    findings = scene.begin("one instance slow")
    slow = scene.stack.orders[1]
    scene.stack.slow_down(slow, 0.8)
    try:
        scene.load(findings, lambda: scene.stack.slow_down(slow, 0), seconds=1.6 * scene.seconds)
    finally:
        scene.stack.slow_down(slow, 0)
    states = findings.circuits.get(slow.name, [])
    findings.expect(findings.tally.share >= _AVAILABLE, f"at least {_AVAILABLE} % should succeed")
    findings.expect("open" in states, f"the circuit of {slow.name} should have opened")
    findings.expect(states[-1:] == ["closed"], f"the circuit of {slow.name} should have closed again")
    findings.remark = "+0.8 s on orders-b for the first half"
    return findings


def killed_instance(scene: Scene) -> Findings:
    """One of two instances dies without a word and comes back: no idempotent call may fail."""
    findings = scene.begin("one instance killed")
    killed = scene.stack.orders[1]
    scene.load(findings, killed.kill, killed.start)
    findings.expect(findings.tally.share >= _AVAILABLE, f"at least {_AVAILABLE} % should succeed")
    findings.expect(findings.retries > 0, "the gateway should have tried again elsewhere")
    findings.expect("open" in findings.circuits.get(killed.name, []), f"the circuit of {killed.name} should have opened")
    findings.remark = "SIGKILL on orders-b, restarted two thirds through"
    return findings


def keys_rotated(scene: Scene) -> Findings:
    """The issuer signs with new keys: no valid token may be refused, and none with a dropped key believed."""
    findings = scene.begin("keys rotated")
    old_key = scene.stack.authorization_server.keys.key()
    scene.load(findings, scene.stack.authorization_server.rotate)
    findings.expect(findings.tally.share == _ALL, "every call should succeed")
    new_key = scene.stack.authorization_server.keys.key()
    fresh = Tally()
    scene.traffic.get(fresh, "/v2/orders", sign(new_key, _claims(scene)))
    findings.expect(new_key.kid != old_key.kid, "the issuer should sign with another key")
    findings.expect(fresh.successes == 1, f"a token of the new key should be believed at once, not {dict(fresh.statuses)}")
    findings.remark = "a token of the new key is believed at once"
    return findings


def issuer_down(scene: Scene) -> Findings:
    """The authorization server is gone: tokens that are valid stay valid, for keys and tokens are kept."""
    findings = scene.begin("issuer down")
    scene.stack.stop_issuer()
    try:
        scene.load(findings)
    finally:
        scene.stack.start_issuer()
    findings.expect(findings.tally.share == _ALL, "every call should succeed")
    findings.remark = "keys and tokens are kept"
    return findings


def bad_tokens(scene: Scene) -> Findings:
    """Expired, forged, unsigned, foreign: each is 401 invalid_token, and never reaches a service."""
    findings = scene.begin("expired and forged tokens")
    for token in _bad_tokens(scene) * _REPEATS:
        scene.traffic.get(findings.tally, "/v2/orders", token)
    refused = findings.tally.codes["invalid_token"]
    findings.expect(findings.tally.calls == refused == findings.tally.statuses[401], "every one should be 401 invalid_token")
    findings.expect(findings.tally.headers["www-authenticate"] == refused, "every refusal should carry a challenge")
    findings.remark = "expired, wrong audience, other key, alg none, altered"
    return findings


def old_version(scene: Scene) -> Findings:
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


def overload(scene: Scene) -> Findings:
    """More than the gateway admits: the rest is told so at once, and what is admitted is answered."""
    findings = scene.begin("overload")
    for instance in scene.stack.orders:
        scene.stack.slow_down(instance, 0.05)
    try:
        scene.load(findings, workers=48, pause=0.01)
    finally:
        for instance in scene.stack.orders:
            scene.stack.slow_down(instance, 0)
    tally = findings.tally
    shed = sum(tally.codes[code] for code in _SHED)
    findings.expect(tally.codes["overloaded"] > 0, "the gateway should have shed some")
    findings.expect(
        tally.successes + shed == tally.calls, f"nothing else should have failed, not {dict(tally.statuses)} {dict(tally.codes)}"
    )
    findings.expect(tally.headers["retry-after"] == shed, "every refusal should say when to come again")
    findings.remark = f"48 callers, 12 admitted at a time: {100 * shed // max(1, tally.calls)} % shed with 503 and Retry-After"
    return findings


PHASES: tuple[Callable[[Scene], Findings], ...] = (
    healthy, slow_instance, killed_instance, keys_rotated, issuer_down, bad_tokens, old_version, overload,
)  # fmt: skip


def _claims(scene: Scene, *, lifetime: float = 60.0, audience: str = "orders", age: float = 0.0) -> dict[str, object]:
    return access_token_claims(
        issuer=scene.stack.issuer_url,
        subject="demo-client",
        audience=audience,
        client_id="demo-client",
        scope="orders:read",
        now=scene.clock.time() - age,
        lifetime=lifetime,
        token_id="demo",  # noqa: S106 - the token's id, not a token
    )


def _bad_tokens(scene: Scene) -> list[str]:
    key = scene.stack.authorization_server.keys.key()
    good = sign(key, _claims(scene))
    head, payload, signature = good.split(".")
    altered = json.dumps({**_claims(scene), "scope": "orders:read orders:write"}).encode()
    unsigned = _base64url(b'{"alg":"none","typ":"at+jwt"}')
    forged = KeyRing.generate(("RS256",)).key()
    return [
        sign(key, _claims(scene, lifetime=60, age=600)),
        sign(key, _claims(scene, audience="invoices")),
        sign(forged, _claims(scene)),
        f"{unsigned}.{payload}.",
        f"{head}.{_base64url(altered)}.{signature}",
    ]


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
