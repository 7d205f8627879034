"""What is simulated: a brown-out, an overload, a bad instance, an outage. Each gives a table, and maybe lines to draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from interservice.outbound.balancer import Balancer
from interservice.outbound.breaker import CircuitBreaker
from interservice.outbound.ejection import Ejection
from interservice.outbound.retry import Retry

from .clients import Clients, Policies
from .instance import Fleet
from .world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .instance import Instance

_ALL = Policies(breaker=CircuitBreaker(), ejection=Ejection())
_UNBOUND = Retry(budget=None, unsent_budget=None)
#: What clients do about failures, by name.
MODES: Mapping[str, Policies] = {
    "no retries": Policies(retry=None),
    "3 tries, no budget": Policies(retry=_UNBOUND),
    "3 tries, budget": Policies(),
    "everything on": _ALL,
}


@dataclass(frozen=True)
class Scenario:
    """A result: a table, and lines over seconds.

    Attributes:
        name: For files.
        title: For people.
        head: Of the table.
        rows: Of the table.
        lines: Share of good calls by second, by name.
    """

    name: str
    title: str
    head: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    lines: dict[str, list[float]] = field(default_factory=dict)


def storm(scale: float, modes: Mapping[str, Policies] = MODES) -> Scenario:
    """Every request fails by half for twenty seconds: what is sent for each call, and how many succeed."""
    found = Scenario(
        "storm",
        "Brown-out: for 20 s every instance fails half of its requests",
        ("clients", "sent per call", "succeed", "refused by circuits", "sent per call in the worst second"),
    )
    for name, policies in modes.items():
        clients, fleet = _service(scale, policies, workers=40, seconds=0.05)
        _set(clients, fleet.instances, 5.0, fails=0.5)
        _set(clients, fleet.instances, 25.0, fails=0.0)
        clients.run(31.0)
        seen = clients.between(5, 25)
        worst = max(second.sends / second.calls for moment, second in clients.seconds.items() if 5 <= moment < 25)  # noqa: PLR2004
        amplified, refused = seen.sends / seen.calls, seen.refused / seen.calls
        found.rows.append((name, f"{amplified:.2f}", f"{seen.good / seen.calls:.1%}", f"{refused:.1%}", f"{worst:.2f}"))
        found.lines[name] = _goodput(clients, 30)
    return found


def overload(scale: float, modes: Mapping[str, Policies] = MODES) -> Scenario:
    """Instances are three times slower for five seconds under 70 % load: who gets out of it again."""
    found = Scenario(
        "overload",
        "Overload: at 70 % load every instance is 3 times slower for 5 s, and well again after that",
        ("clients", "sent per call", "succeed during it", "succeed 5 to 15 s after it", "succeed 15 to 25 s after it"),
    )
    for name, policies in modes.items():
        clients, fleet = _service(scale / 2, policies, workers=8, seconds=0.056, patience=1.0)
        _set(clients, fleet.instances, 5.0, factor=3.0)
        _set(clients, fleet.instances, 10.0, factor=1.0)
        clients.run(36.0)
        spans = [clients.between(*span) for span in ((5, 10), (15, 25), (25, 35))]
        whole = clients.between(5, 35)
        shares = [f"{span.good / max(1, span.calls):.1%}" for span in spans]
        found.rows.append((name, f"{whole.sends / whole.calls:.2f}", *shares))
        found.lines[name] = _goodput(clients, 35)
    return found


def replica(scale: float) -> Scenario:
    """One of twenty instances is bad: its share of what is sent, and what callers notice."""
    found = Scenario(
        "replica",
        "One bad instance of 20 (an even share is 5.0 %), over 20 s",
        ("instance", "balancer", "circuit and ejection", "its share", "succeed", "p50 ms", "p99 ms"),
    )
    for trouble, how in (("20 times slower", {"factor": 20.0}), ("fails at once", {"fails": 1.0}), ("refuses", {"down": True})):
        for kind in ("round-robin", "p2c", "peak-ewma"):
            for word, breaker, ejection in (("off", None, None), ("on", CircuitBreaker(), Ejection())):
                policies = Policies(balancer=Balancer(kind), breaker=breaker, ejection=ejection)
                world, random = World(), Random(1)
                fleet = Fleet(world, random, count=20, workers=50, seconds=0.02, patience=2.0)
                for name, value in how.items():
                    setattr(fleet.instances[0], name, value)
                clients = Clients(world, fleet, random, policies, count=max(2, int(40 * scale)), rate=50.0)
                bad = _Sends(fleet)
                clients.run(20.0)
                seen = clients.between(0, 18)
                shown = f"{bad.share:.2%}"
                latencies = [f"{_quantile(seen.latencies, share) * 1000:.0f}" for share in (0.5, 0.99)]
                found.rows.append((trouble, kind, word, shown, f"{seen.good / seen.calls:.2%}", *latencies))
    return found


def outage(scale: float) -> Scenario:
    """Everything is down for fifteen seconds: what is sent into the void, and how soon it works again."""
    found = Scenario(
        "outage",
        "Outage: every instance refuses connections for 15 s",
        (
            "clients",
            "sent per call while down",
            "refused by circuits",
            "seconds until 99 % succeed",
            "most sent per call in a second after",
        ),
    )
    for name, policies in MODES.items():
        clients, fleet = _service(scale / 2, policies, workers=40, seconds=0.05)
        _set(clients, fleet.instances, 5.0, down=True)
        _set(clients, fleet.instances, 20.0, down=False)
        clients.run(40.0)
        seen = clients.between(10, 20)
        good = _goodput(clients, 38)
        back = next((moment - 20 for moment in range(20, 38) if good[moment] >= 0.99), None)  # noqa: PLR2004
        rush = max(second.sends / second.calls for moment, second in clients.seconds.items() if 20 <= moment < 38)  # noqa: PLR2004
        soon = "not in 18" if back is None else f"{back + 1}"
        found.rows.append((name, f"{seen.sends / seen.calls:.2f}", f"{seen.refused / seen.calls:.1%}", soon, f"{rush:.2f}"))
        found.lines[name] = good
    return found


SCENARIOS: Mapping[str, Callable[[float], Scenario]] = {
    "storm": storm,
    "overload": overload,
    "replica": replica,
    "outage": outage,
}


class _Sends:
    """Which share of what is sent the first instance of a fleet gets, refused connections included."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet, self._first = fleet, 0
        answer, url = fleet.answer, fleet.urls[0]

        def counting(step: object, done: object) -> None:
            self._first += step.endpoint.url == url  # type: ignore[attr-defined]
            answer(step, done)  # type: ignore[arg-type]

        fleet.answer = counting  # type: ignore[method-assign]

    @property
    def share(self) -> float:
        return self._first / self._fleet.sends


def _service(scale: float, policies: Policies, *, workers: int, seconds: float, patience: float = 1.0) -> tuple[Clients, Fleet]:
    """At full scale 2000 clients with 10 calls a second each, of 200 instances, of which each knows 5."""
    world, random = World(), Random(1)
    instances = max(10, int(200 * scale))
    fleet = Fleet(world, random, count=instances, workers=workers, seconds=seconds, patience=patience)
    clients = Clients(world, fleet, random, policies, count=10 * instances, rate=10.0, subset=5, total=3.0)
    return clients, fleet


def _set(clients: Clients, instances: Sequence[Instance], when: float, **values: float) -> None:
    def change() -> None:
        for instance in instances:
            for name, value in values.items():
                setattr(instance, name, value)

    clients.later(when, change)


def _goodput(clients: Clients, seconds: int) -> list[float]:
    spans = [clients.between(moment, moment + 1) for moment in range(seconds)]
    return [span.good / max(1, span.calls) for span in spans]


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
