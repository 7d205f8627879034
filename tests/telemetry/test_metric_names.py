"""Names of metrics: templates as words, any text as a harmless word, and a bound on how many there are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.telemetry import names
from interservice.telemetry.dialects import DIALECTS, Dialect

texts = st.text(st.characters(exclude_categories=[]), max_size=300)


@pytest.mark.parametrize(
    ("route", "told"),
    [
        ("/orders/{id}", "orders_id"),
        ("/orders/<int:id>/lines", "orders_id_lines"),
        ("/files/{path:path}", "files_path"),
        ("/files/<path:name>", "files_name"),
        ("/<regex('[a-z]{2}'):lang>/x", "lang_x"),
        ("^articles/(?P<year>[0-9]{4})/$", "articles_year"),
        (r"^a/(?P<x>(\d+)-(\w+))/b/(?:c)?$", "a_x_b"),
        ("^plain/?$", "plain"),
        ("/", "_root"),
        ("", "_root"),
        ("/a b:c|d@e#f\n", "a_b_c_d_e_f_"),
        ("/é/€", "___"),
        ("/" + "x" * 300, "x" * 100),
        ("/{", "_"),
        ("/unclosed/(?P<x>", "unclosed_x"),
    ],
)
def test_a_route_is_one_word(route: str, told: str) -> None:
    assert names.route_word(route) == told


def test_an_endpoint_is_one_word_without_scheme_and_credentials() -> None:
    assert names.endpoint_word("http://me:x@10.0.0.1:8000/") == "10_0_0_1_8000"


@given(texts)
def test_any_text_is_a_harmless_word_name_and_tag(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,100}", names.word(text))
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,100}", names.route_word(text))
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,100}", names.endpoint_word(text))
    assert re.fullmatch(r"[A-Za-z0-9_./-]{1,100}", names.route_tag(text))
    name = names.name(text)
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", name)
    assert ".." not in f".{name}."


def test_words_beyond_the_limit_are_other_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    words = names.Words("route", names.word, 3)
    assert [words(f"r{number}") for number in range(6)] == ["r0", "r1", "r2", "_other", "_other", "_other"]
    assert words("r1") == "r1"
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("dialect", "line"),
    [
        ("plain", "shop.request.GET.orders_id.200:1.500|ms"),
        (
            "dogstatsd",
            "shop.http.server.request.duration:1.500|ms|#env:test,service:orders,method:GET,route:/orders/id,status:200",
        ),
        ("influx", "shop.http.server.request.duration,env=test,service=orders,method=GET,route=/orders/id,status=200:1.500|ms"),
        ("graphite", "shop.http.server.request.duration;env=test;service=orders;method=GET;route=/orders/id;status=200:1.500|ms"),
    ],
)
def test_a_line_in_each_dialect(dialect: str, line: str) -> None:
    made = Dialect(dialect, "shop", {"env": "test"}, 500)
    labels = {"service": "orders", "method": "GET", "route": "/orders/{id}", "status": "200", "version": None}
    head, tail = made.series("request", labels)
    assert f"{head}:{made.timing(1.5, 1.0)}{tail}" == line


def test_only_datadog_is_told_the_rate_of_timings() -> None:
    assert {dialect: Dialect(dialect, None, {}, 5).timing(1.0, 0.25) for dialect in DIALECTS} == {
        "plain": "1.000|ms", "dogstatsd": "1.000|ms|@0.25", "influx": "1.000|ms", "graphite": "1.000|ms",
    }  # fmt: skip


def test_a_negative_gauge_starts_from_zero() -> None:
    assert Dialect("plain", None, {}, 5).gauge(-5) == ["0|g", "-5|g"]
    assert Dialect("dogstatsd", None, {}, 5).gauge(-5) == ["-5|g"]
    assert Dialect("plain", None, {}, 5).gauge(2.25) == ["2.25|g"]


@pytest.mark.parametrize("metric", names.METRICS)
def test_every_metric_of_the_table_can_be_named(metric: str) -> None:
    row = names.METRICS[metric]
    labels = re.findall(r"\{(\w+)\}", row.plain)
    assert set(labels) <= set(row.labels)
    assert row.meaning.endswith(".")
    values = dict.fromkeys(row.labels, "x")
    assert Dialect("plain", None, {}, 5).series(metric, values).head == re.sub(r"\{\w+\}", "x", row.plain)
    assert Dialect("graphite", None, {}, 5).series(metric, values).head.startswith(row.tagged)
