"""The balancer: who is picked, who is passed over, and how even it is."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any, get_args

import pytest

from interservice.errors import ConfigurationError
from interservice.outbound.balancer import Balancer, Kind
from interservice.outbound.endpoint import Endpoint

KINDS = get_args(Kind)
each_kind = pytest.mark.parametrize("kind", KINDS)


def endpoints(count: int) -> list[Endpoint]:
    return [Endpoint(f"http://{number}") for number in range(count)]


class Picking:
    """A picker with its randomness at hand."""

    def __init__(self, kind: Kind, seed: int = 1) -> None:
        self._picker = Balancer(kind).start()
        self._random = Random(seed)

    def __call__(self, choice: list[Endpoint], tried: Any = (), now: float = 0.0) -> Endpoint | None:
        return self._picker.pick(choice, tried=tried, random=self._random, now=now)


@each_kind
def test_of_none_none_is_picked(kind: Kind) -> None:
    assert Picking(kind)([]) is None


@each_kind
def test_the_only_one_is_picked_tried_or_not(kind: Kind) -> None:
    only = endpoints(1)
    assert Picking(kind)(only) is only[0]
    assert Picking(kind)(only, tried=only) is only[0]


@each_kind
@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_who_is_not_available_is_never_picked(kind: Kind, count: int) -> None:
    everyone = endpoints(count)
    for paused in everyone[:-1]:
        paused.pause(10.0)
    pick = Picking(kind)
    assert {pick(everyone) for _ in range(100)} == {everyone[-1]}
    everyone[-1].pause(10.0)
    assert pick(everyone) is None
    assert pick(everyone, now=10.0) is not None


@each_kind
@pytest.mark.parametrize("count", [2, 3, 10])
def test_who_was_tried_is_picked_when_nobody_else_can_be(kind: Kind, count: int) -> None:
    everyone = endpoints(count)
    pick = Picking(kind)
    assert {pick(everyone, tried=everyone[:-1]) for _ in range(100)} == {everyone[-1]}
    everyone[-1].pause(10.0)
    assert {pick(everyone, tried=everyone[:-1]) for _ in range(200)} == set(everyone[:-1])


@each_kind
def test_idle_endpoints_share_evenly(kind: Kind) -> None:
    everyone = endpoints(4)
    pick = Picking(kind)
    shares = Counter(pick(everyone) for _ in range(4000))
    assert all(850 <= shares[endpoint] <= 1150 for endpoint in everyone)


@each_kind
def test_every_endpoint_can_be_drawn_first(kind: Kind) -> None:
    everyone = endpoints(5)
    assert {Picking(kind, seed)(everyone) for seed in range(100)} == set(everyone)


def test_p2c_goes_where_fewer_calls_are_under_way() -> None:
    idle, busy = endpoints(2)
    busy.begin()
    pick = Picking("p2c")
    assert {pick([idle, busy]) for _ in range(50)} == {idle}
    assert {pick([busy, idle]) for _ in range(50)} == {idle}


def test_p2c_never_picks_the_busiest_of_three() -> None:
    everyone = endpoints(3)
    everyone[1].begin()
    pick = Picking("p2c")
    assert {pick(everyone) for _ in range(100)} == {everyone[0], everyone[2]}


def test_p2c_evens_out_calls_that_last() -> None:
    everyone = endpoints(10)
    pick = Picking("p2c")
    for _ in range(1000):
        chosen = pick(everyone)
        assert chosen is not None
        chosen.begin()
    held = [endpoint.in_flight for endpoint in everyone]
    assert max(held) - min(held) <= 6, "two choices: about log log n apart, where one choice would be about 30"


def test_peak_ewma_goes_where_an_answer_is_sooner() -> None:
    fast, slow = endpoints(2)
    for endpoint, seconds in ((fast, 0.1), (slow, 0.5)):
        endpoint.begin()
        endpoint.end(0.0, seconds)
    pick = Picking("peak-ewma")
    assert {pick([fast, slow]) for _ in range(50)} == {fast}
    for _ in range(5):
        fast.begin()
    assert {pick([fast, slow]) for _ in range(50)} == {slow}, "six at 0.1 s are dearer than one at 0.5 s"


def test_turns_go_round_and_pass_over() -> None:
    everyone = endpoints(3)
    pick = Picking("round-robin")
    start = everyone.index(pick(everyone))  # type: ignore[arg-type]
    order = [everyone[(start + step) % 3] for step in range(1, 7)]
    assert [pick(everyone) for _ in range(6)] == order
    assert pick(everyone, tried=[order[0]]) is order[1]


def test_turns_survive_a_change_of_endpoints() -> None:
    pick = Picking("round-robin")
    for count in (5, 2, 7, 1):
        everyone = endpoints(count)
        assert {pick(everyone) for _ in range(count)} == set(everyone)


def test_two_that_are_started_do_not_share_their_turns() -> None:
    balancer, everyone = Balancer("round-robin"), endpoints(3)
    one, other = balancer.start(), balancer.start()
    first = one.pick(everyone, tried=(), random=Random(1), now=0.0)
    one.pick(everyone, tried=(), random=Random(1), now=0.0)
    assert other.pick(everyone, tried=(), random=Random(1), now=0.0) is first


def test_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^Balancer\.kind must be one of 'p2c', 'peak-ewma', 'round-robin', not 'random'$"
    ):
        Balancer("random")  # type: ignore[arg-type]
