"""The guard: the hot paths do no more work than is stored, and more work is seen. Counts, no times."""

from __future__ import annotations

import dis
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.guard import __main__ as command
from benchmarks.guard import stored
from benchmarks.guard.counter import Work, count
from benchmarks.guard.paths import PATHS
from benchmarks.scene import Nowhere, Scene, bare, served
from interservice import AccessLog, Gate, StatsD
from interservice.wsgi import Middleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from interservice.exchange import Exchange
    from interservice.http import Head

_STORED = stored.file()
_ROOT = Path(__file__).parents[2]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Work]:
    """The work of every path, in a process of its own: what other tests load, Sentry for one, patches what is counted."""
    folder = tmp_path_factory.mktemp("counted")
    subprocess.run([sys.executable, "-m", "benchmarks.guard", "--update", "--folder", folder], cwd=_ROOT, check=True)
    return stored.read(stored.file(folder))


@pytest.mark.parametrize("path", PATHS)
def test_a_hot_path_does_no_more_work_than_stored(path: str, counted: Mapping[str, Work]) -> None:
    before = stored.read(_STORED)
    if not before:
        pytest.skip(f"no counts are stored for this version of Python; store them: make guard ({_STORED.name})")
    assert path in before, f"no counts are stored for {path}: make guard"

    finding = stored.compare(path, before[path], counted[path])

    if finding.grown or finding.stale:
        pytest.fail(stored.advice(finding, _STORED), pytrace=False)


def test_the_same_work_is_counted_twice_alike(stack: ExitStack) -> None:
    call = PATHS["gate-wsgi"](stack)
    one, two = count(call), count(call)

    assert (one.calls, one.c_calls, one.instructions) == (two.calls, two.c_calls, two.instructions)
    assert one.functions == two.functions


class _Nosy:
    """A policy that nobody asked for: a little work on every request."""

    def admit(self, exchange: Exchange) -> None:
        exchange.annotate(**{name.lower(): name for name in ("A", "B", "C", "D")})

    def respond(self, exchange: Exchange, head: Head) -> None:
        head.headers.extend(("X-" + name, exchange.request.method) for name in ("A", "B", "C", "D", "E", "F"))


def _gate(stack: ExitStack, *more: Any) -> Work:
    scene = Scene(stack)
    statsd = StatsD(scene.statsd, prefix="orders", flush_every=3600.0)
    stack.callback(statsd.close)
    gate = Gate([*scene.policies(), *more], [AccessLog(stream=Nowhere()), statsd], service="orders")
    return count(served(Middleware(bare, gate), scene.environ()))


def test_a_policy_too_many_is_seen_and_named(stack: ExitStack) -> None:
    finding = stored.compare("gate-wsgi", _gate(stack), _gate(stack, _Nosy()))

    assert {"calls", "instructions"} <= set(finding.grown)
    assert "tests/benchmarks/test_guard.py:_Nosy." in finding.text
    told = stored.advice(finding, _STORED)
    assert "make guard" in told
    assert "->" in told


def test_a_slip_in_one_function_is_seen_and_named(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    from interservice.inbound.tracing import Tracing

    before = _gate(stack)
    admit = Tracing.admit

    def slower(self: Tracing, exchange: Exchange) -> Any:
        for _ in range(40):  # as if headers were read anew for each name
            str(exchange.request.method)
        return admit(self, exchange)

    monkeypatch.setattr(Tracing, "admit", slower)
    finding = stored.compare("gate-wsgi", before, _gate(stack))

    assert "instructions" in finding.grown
    assert "slower (0 ->" in finding.text


def _short() -> list[int]:
    return [len("ab"), abs(-1)]


def _longer() -> list[int]:
    first = len("ab")
    return [first, abs(-1), abs(-2)]


def test_counts_are_those_of_the_call_and_nothing_else() -> None:
    short, longer = count(_short), count(_longer)

    assert (short.calls, short.c_calls) == (1, 2)
    assert (longer.calls, longer.c_calls) == (1, 3)
    assert longer.instructions - short.instructions == _straight(_longer) - _straight(_short)


def _straight(function: Callable[[], object]) -> int:
    """The instructions of a function that has no branch."""
    return sum(1 for each in dis.get_instructions(function) if each.opname not in {"CACHE", "EXTENDED_ARG"})


def test_memory_that_a_call_takes_is_counted() -> None:
    kept: list[object] = []

    assert count(lambda: kept.append([object() for _ in range(500)])).blocks >= 500
    assert count(lambda: None).blocks < 20


def test_counting_leaves_tracing_as_it_was() -> None:
    before = sys.gettrace(), sys.getprofile()
    count(_short)
    assert (sys.gettrace(), sys.getprofile()) == before


_WORK = Work(calls=100, c_calls=100, instructions=1000, blocks=100, functions={"a": 600, "b": 400})


@pytest.mark.parametrize(
    ("change", "grown"),
    [
        ({"instructions": 1100}, ()),
        ({"instructions": 1101}, ("instructions",)),
        ({"calls": 111, "c_calls": 111}, ("calls", "c_calls")),
        ({"blocks": 119}, ()),
        ({"blocks": 121}, ("blocks",)),
        ({"calls": 50}, ()),
    ],
)
def test_growth_beyond_the_width_is_a_finding(change: dict[str, int], grown: tuple[str, ...]) -> None:
    assert stored.compare("p", _WORK, replace(_WORK, **change)).grown == grown  # type: ignore[arg-type]


def test_figures_far_above_what_is_done_guard_nothing() -> None:
    assert not stored.compare("p", _WORK, replace(_WORK, instructions=751)).stale
    assert stored.compare("p", _WORK, replace(_WORK, instructions=749)).stale


def test_functions_that_grew_come_first_and_say_by_how_much() -> None:
    text = stored.compare("p", _WORK, replace(_WORK, functions={"a": 601, "b": 500, "c": 7})).text

    named = [line.split(" in ")[1] for line in text.splitlines() if " in " in line]
    assert named == ["b (400 -> 500)", "c (0 -> 7)", "a (600 -> 601)"]


def test_other_releases_of_libraries_are_named(tmp_path: Path) -> None:
    place = stored.file(tmp_path)
    stored.write(place, {"p": _WORK})
    place.write_text(place.read_text().replace(f'"requests": "{stored.packages()["requests"]}"', '"requests": "1.0"'))
    finding = stored.compare("p", _WORK, replace(_WORK, calls=200))

    told = stored.advice(finding, place)
    assert f"Libraries differ: requests 1.0 -> {stored.packages()['requests']}\n" in told
    assert "more Python calls than" in told


def test_the_command_stores_and_then_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--only=statsd-pair", f"--folder={tmp_path}"]
    assert command.main([*asked, "--update"]) == 0
    assert command.main(asked) == 0
    assert "Python calls" in capsys.readouterr().out

    place = stored.file(tmp_path)
    kept = stored.read(place)["statsd-pair"]
    stored.write(place, {"statsd-pair": replace(kept, instructions=kept.instructions // 2)})
    assert command.main(asked) == 1
    assert "make guard" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["gate-wsgi", "gate-asgi", "session-call"])
def test_no_thread_is_started_for_a_request_or_a_call(path: str, stack: ExitStack) -> None:
    call = PATHS[path](stack)
    call()
    called: set[str] = set()

    def profile(_frame: object, event: str, argument: Any) -> None:
        if event == "c_call":
            called.add(argument.__name__)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(before)
    assert called
    assert not called & {"start_new_thread", "start_joinable_thread", "fork"}
