"""Whatever a request, an application or an exception holds, there is exactly one strict line of at most 16 KiB for it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.errors import Rejection
from interservice.events import CircuitChanged, Served
from interservice.http import Request
from interservice.telemetry import AccessLog, JsonLines
from interservice.telemetry.redact import REDACTED, Secrets
from tests.telemetry.material import Headers, Principal, Sink, Version, called, exchange, served, strict
from tests.telemetry.test_schemas import check_ecs

#: Text as servers give it: any code point, lone surrogates and controls included, and bytes decoded as WSGI does.
texts = st.text(st.characters(exclude_categories=[]), max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))
long_texts = st.builds(lambda text, times: text * times, texts, st.sampled_from([1, 1, 1, 100, 2000]))


class Hostile:
    """An object that raises when it is told or walked."""

    def __str__(self) -> str:
        raise RuntimeError

    def __repr__(self) -> str:
        return "Hostile()"

    def __iter__(self) -> Any:
        raise OSError

    def __hash__(self) -> int:
        return 1


class Text(str):
    """A str that lies."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\udcff\n"


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**63)
    | st.sampled_from([63, 400, 5000]).map(lambda power: -(10**power))
    | st.floats(allow_nan=True, allow_infinity=True)
    | long_texts
    | st.binary(max_size=40)
    | st.builds(Hostile)
    | texts.map(Text)
    | st.dates()
    | st.uuids()
    | st.decimals()
    | st.complex_numbers()
    | st.sampled_from([ValueError, ValueError("\udc00"), object(), print])
)
#: What a dictionary may be keyed by.
keys = texts | st.integers() | st.floats() | st.none() | st.binary(max_size=9) | st.builds(Hostile) | texts.map(Text)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def looped() -> list[Any]:
    """A list that holds itself."""
    loop: list[Any] = []
    loop.append(loop)
    return loop


def deep() -> Any:
    """A thousand lists, one within the other."""
    nest: Any = 1
    for _ in range(1000):
        nest = [nest]
    return nest


def one_line(event: object, **options: Any) -> dict[str, Any]:
    sink = Sink()
    log = AccessLog(stream=sink, **options)
    log(event)
    text = sink.getvalue()
    assert log.dropped == 0
    assert text.count("\n") == 1
    assert text.endswith("}\n")
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert len(text) <= 16 * 1024
    return strict(text)


presets = st.sampled_from(["otel", "ecs", "flat"])


@given(
    st.fixed_dictionaries({"preset": presets, "fast": st.booleans()}),
    st.lists(long_texts, min_size=12, max_size=12),
    st.dictionaries(texts, values, max_size=5),
    st.sampled_from([200, 404, 500, 999999999999999999999, None, -1]),
    st.floats() | st.just(1e300),
)
def test_any_request_is_one_strict_line(
    options: dict[str, Any], text: list[str], fields: dict[str, Any], status: int | None, seconds: float
) -> None:
    headers = Headers([("user-agent", text[0]), ("content-length", text[1]), ("x-a", text[2])])
    request = Request(
        text[3], text[4], headers, mount=text[5], query=text[6], scheme=text[7], peer=text[8], server=(text[9], None)
    )
    made = exchange(request, route=text[10] or None, request_id=text[11], principal=Principal(subject=text[0], client_id=text[1]))
    made.version = Version(text[2], deprecated=True)
    made.refusal = Rejection(text[3], code=text[4])
    made.annotate(**fields)
    error = ValueError(text[5]) if text[5] else None
    event = Served(made, status, 2**70, seconds, None, text[6] or "ok", error)
    one_line(event, **options, request_headers=["x-a"])


@given(
    st.lists(long_texts, min_size=6, max_size=6),
    st.dictionaries(keys, values, max_size=5),
    st.sampled_from([200, 404, 500, None]),
)
def test_any_request_passes_the_ecs_specification(text: list[str], fields: dict[Any, Any], status: int | None) -> None:
    check_ecs(one_line(hostile_event(text, fields, status), preset="ecs"))


def hostile_event(text: list[str], fields: dict[Any, Any], status: int | None) -> Served:
    """The end of a request that holds whatever it is given, wherever there is a place for it."""
    headers = Headers([("user-agent", text[0])])
    made = exchange(Request(text[1], text[2], headers, query=text[3], peer=text[4]), principal=Principal(subject=text[5]))
    made.fields = fields
    return Served(made, status, 1, 0.01, None, "ok", ValueError(text[0]) if status == 500 else None)


@given(presets, st.dictionaries(keys, values, max_size=6))
def test_any_annotation_is_one_strict_line(preset: str, fields: dict[Any, Any]) -> None:
    made = exchange()
    made.fields = fields
    one_line(served(made), preset=preset)


@given(presets, st.dictionaries(texts, values, max_size=4), long_texts, long_texts)
def test_any_call_and_circuit_is_one_strict_line(preset: str, snapshot: dict[str, Any], url: str, word: str) -> None:
    one_line(CircuitChanged(word, url, word, word, snapshot), preset=preset)
    one_line(called(None, word, error=OSError(url))._replace(url=url, method=word, service=word), preset=preset)


@pytest.mark.parametrize("preset", ["otel", "ecs", "flat"])
@pytest.mark.parametrize(
    "value", [looped(), deep(), "\u2028" * 30_000, {str(n): "x" * 5000 for n in range(500)}, [1] * 10**6], ids=range(5)
)
def test_loops_depths_and_floods_are_one_strict_line(preset: str, value: Any) -> None:
    made = exchange()
    made.annotate(value=value, **{f"k{number}" * 50: value for number in range(100)})
    record = one_line(served(made), preset=preset)
    assert record["message"] == "GET /orders/{id} 200"


@given(st.dictionaries(texts, values, max_size=6), st.booleans())
def test_the_formatter_of_ones_own_logs_is_as_total(fields: dict[str, Any], fast: bool) -> None:
    line = JsonLines(fast=fast).format(logging.LogRecord("x", 20, "f.py", 1, fields, (), None))
    assert line.isascii()
    assert len(line) < 16 * 1024
    strict(line)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["token", "Code", "pass%77ord", "a", "user[password]", "X-Amz-Signature", "sig"]),
            st.text("xyz123=%+", min_size=1),
        ),
        max_size=6,
    ),
    st.sampled_from("&;"),
)
def test_no_secret_of_a_query_is_left(pairs: list[tuple[str, str]], separator: str) -> None:
    query = separator.join(f"{name}={value}" for name, value in pairs)
    told = Secrets().query(query)
    assert told == separator.join(f"{name}={value if name == 'a' else REDACTED}" for name, value in pairs)


@given(texts)
def test_a_query_without_secrets_is_left_as_it_is(query: str) -> None:
    secrets = Secrets()
    if REDACTED not in secrets.query(query):
        assert secrets.query(query) == query
