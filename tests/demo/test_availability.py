"""How availability is measured: a load that does not wait, figures of it, trouble at its time, a plot."""

from __future__ import annotations

import threading
from xml.etree import ElementTree as ET

import pytest

from interservice.cli.demo.availability.draw import plot
from interservice.cli.demo.availability.incidents import Happened, Incident, make
from interservice.cli.demo.availability.load import Load, Outcome, Sample
from interservice.cli.demo.availability.pages import page
from interservice.cli.demo.availability.summary import by_second, document, during, failures, figures
from interservice.clock import SYSTEM
from interservice.testing import FakeClock

SAMPLES = [Sample(0.1, 0.010, 0.0), Sample(0.9, 0.030, 0.0, Outcome(None, 1)), Sample(1.5, 2.0, 0.1, Outcome("503 overloaded"))]


def test_calls_begin_though_none_before_them_was_answered() -> None:
    everybody = threading.Barrier(40)

    def call(number: int) -> Outcome:
        everybody.wait(30)
        return Outcome()

    samples = Load(call, rate=400.0, seconds=0.1, clock=SYSTEM).run(lambda _: None)
    assert [sample.at for sample in samples] == pytest.approx([number / 400 for number in range(40)])


def test_time_that_a_call_had_to_wait_for_its_turn_counts() -> None:
    held = threading.Event()

    def call(number: int) -> Outcome:
        held.wait(0.02)
        return Outcome()

    samples = Load(call, rate=1000.0, seconds=0.01, clock=SYSTEM, threads=1).run(lambda _: None)
    assert len(samples) == 10
    assert samples[-1].late > samples[0].late
    assert all(sample.seconds >= sample.late for sample in samples)


def test_figures_count_failures_and_their_times() -> None:
    found = figures(SAMPLES)
    assert (found.calls, found.failed, found.worst) == (3, 1, 2000.0)
    assert found.share == pytest.approx(66.67, abs=0.01)
    assert failures(SAMPLES) == {"503 overloaded": 1}
    assert figures([]).share == 100.0


def test_seconds_and_incidents_have_figures_of_their_own() -> None:
    assert [each.calls for each in by_second(SAMPLES, 3.0)] == [2, 1, 0]
    assert during(SAMPLES, Happened("x", 1.0, 1.2)).failed == 1
    assert during(SAMPLES, Happened("x", 1.6, 1.7)).calls == 0


def test_incidents_happen_at_their_shares_of_the_run() -> None:
    clock = FakeClock()
    started, seen = clock.monotonic(), []

    def note(what: str) -> None:
        seen.append((what, round(clock.monotonic() - started, 3)))

    plan = [
        Incident("killed", 0.1, 0.2, lambda: note("kill"), lambda: note("start")),
        Incident("rotated", 0.5, 0.0, lambda: note("rotate")),
    ]
    happened = make(plan, started, 60.0, clock)
    assert seen == [("kill", 6.0), ("start", 18.0), ("rotate", 30.0)]
    assert [(one.name, round(one.begin), round(one.end)) for one in happened] == [("killed", 6, 18), ("rotated", 30, 30)]


def test_trouble_that_could_not_be_made_is_ended_all_the_same() -> None:
    ended = []

    def fail() -> None:
        raise OSError("no such process")

    with pytest.raises(OSError, match="no such process"):
        make([Incident("paused", 0.0, 0.1, fail, lambda: ended.append(True))], 0.0, 1.0, FakeClock())
    assert ended


def test_report_has_a_row_for_each_incident_and_says_why_calls_failed() -> None:
    happened = [Happened("orders-b killed", 61.0, 64.5)]
    text = page(document(SAMPLES, happened, rate=1.0, seconds=3.0, machine={"cores": "2"}))
    assert "| 1:01 | 3.5 s | orders-b killed | 0 | 0 | 100.000 % |" in text
    assert "1 x 503 overloaded" in text
    assert "cores: 2" in text
    assert "| 3 | 1 | 66.667 % | 30.0 ms | 2000.0 ms | 2000 ms | 1 | 100 ms |" in text


def test_plot_is_xml_with_every_name_escaped_and_goes_as_low_as_the_worst_second() -> None:
    svg = plot("load <x>", by_second(SAMPLES, 3.0), [Happened("orders-b & co", 1.0, 2.0)])
    texts = [element.text for element in ET.fromstring(svg).iter() if element.text and element.text.strip()]
    assert "load <x>" in texts
    assert "orders-b & co" in texts
    assert "0 %" in texts
