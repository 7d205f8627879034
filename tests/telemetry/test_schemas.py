"""The lines against the schemas they claim: ECS logging's own specification and OpenTelemetry's list of attributes."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from interservice.errors import InvalidToken
from interservice.events import Attempted, CircuitChanged
from interservice.http import Request
from interservice.telemetry import AccessLog, fields
from interservice.trace import Trace
from tests.telemetry.material import Headers, Principal, Sink, Version, called, exchange, raised, served

_DATA = Path(__file__).parents[1] / "data"
ECS = json.loads((_DATA / "ecs-logging-spec.json").read_text())["fields"]
OTEL = json.loads((_DATA / "otel-semconv-attributes.json").read_text())
_STABLE = {name for name, row in OTEL.items() if row["stability"] == "stable" and not row["deprecated"]}
_BESIDES = {"http.request.body.size", "http.response.body.size", "process.pid", "enduser.id", "auth.subject"}
_ECS_TYPES = {"datetime": str, "string": str, "integer": int, "object": dict}
#: The JSON representation of the record's own fields; OpenTelemetry: "Trace Context in non-OTLP Log Formats".
_OF_THE_RECORD = {
    "timestamp",
    "level",
    "message",
    "logger",
    "trace_id",
    "span_id",
    "parent_span_id",
    "trace_flags",
    "request_id",
    "duration_ms",
    "ttfb_ms",
    "outcome",
}


def everything() -> list[object]:
    """Events that between them have every field."""
    full = exchange(
        Request("BREW", "/p", Headers([("user-agent", "x"), ("content-length", "1")]), query="a=b", peer="::1", server=("h", 1)),
        principal=Principal(),
        version=Version(deprecated=True),
        refusal=InvalidToken("expired"),
    )
    full.annotate(order=7, nested={"a": [1]})
    error = raised(ValueError("boom"))
    low = Trace("f" * 32, "1" * 16, None, 2)
    return [
        served(full, 500, outcome="exception", error=error),
        served(exchange(trace=low)),
        called(attempts=2, error=error, trace=low, request_id="r"),
        Attempted("billing", "http://b", 1, 0.1, "timeout", None, error),
        CircuitChanged("billing", "http://b", "closed", "open", {"calls": 1}),
    ]


def lines(preset: str) -> list[dict[str, Any]]:
    sink = Sink()
    log = AccessLog(
        stream=sink,
        preset=preset,
        attempts=True,
        service="orders",
        service_version="1.2",
        instance="i-1",
        sample_rate=0.5,
        summary_every=1e9,
    )
    for event in everything():
        log(event)
    log(served(exchange(trace=Trace("0" * 31 + "1", "1" * 16, None, 2))))
    log.close()
    return sink.records()


def test_every_event_of_the_sample_has_a_line() -> None:
    assert len(lines("otel")) == len(everything()) + 1


def test_dotted_names_of_otel_are_stable_attributes_or_ours() -> None:
    for record in lines("otel"):
        for name in record:
            if "." in name:
                assert name in _STABLE | _BESIDES or name.startswith(("interservice.", "api.")), name
            else:
                assert name in _OF_THE_RECORD, name


def test_values_of_otel_attributes_have_the_conventions_types() -> None:
    kinds = {"string": str, "int": int}
    for record in lines("otel"):
        for name, value in record.items():
            kind = OTEL.get(name, {}).get("type")
            if kind in kinds:
                assert type(value) is kinds[kind], (name, value)


def check_ecs(record: dict[str, Any]) -> None:
    """Fail unless a record is to the ECS logging specification: names, types and order."""
    for name, rule in ECS.items():
        if name not in record:
            assert not rule["required"], name
            continue
        assert type(record[name]) is _ECS_TYPES[rule["type"]], (name, record[name])
        if rule.get("index") is not None:
            assert list(record)[rule["index"]] == name
    assert datetime.fromisoformat(record["@timestamp"]).utcoffset() is not None
    for label, value in record.get("labels", {}).items():
        assert not set(label) & set(".*\\")
        assert not isinstance(value, (dict, list))


def test_ecs_lines_pass_the_ecs_logging_specification() -> None:
    for record in lines("ecs"):
        check_ecs(record)


def test_no_ecs_name_is_an_object_and_a_value_at_once() -> None:
    """Elasticsearch turns dots into objects: `a` and `a.b` in one index would refuse each other's documents."""
    every = fields.all_names("ecs")
    assert not [name for name in every for other in every if other.startswith(name + ".")]


@pytest.mark.parametrize("preset", fields.PRESETS)
def test_every_name_of_the_table_is_written_by_some_event(preset: str) -> None:
    written = {name for record in lines(preset) for name in record}
    known = fields.all_names(preset) - {"interservice.dropped", "dropped"}
    assert known <= written
    assert {
        name for name in written - known if not name.startswith(("interservice.fields.", "labels", "order", "nested"))
    } == set()


@pytest.mark.parametrize("preset", fields.PRESETS)
def test_no_line_has_two_fields_of_one_name(preset: str) -> None:
    together = (
        (fields.HEAD, fields.REQUEST, fields.RESPONSE, fields.TRACE, fields.IDENTITY, fields.ERROR, fields.PROCESS),
        (fields.HEAD, fields.CALL, fields.TRACE, fields.ERROR, fields.PROCESS),
        (fields.HEAD, fields.ATTEMPT, fields.RESPONSE, fields.ERROR, fields.PROCESS),
        (fields.HEAD, fields.CIRCUIT, fields.PROCESS),
        (fields.HEAD, fields.SUMMARY, fields.PROCESS),
    )
    for groups in together:
        written = [name for group in groups for name in fields.names(group, preset) if name]
        assert len(written) == len(set(written))


def test_every_field_has_a_meaning() -> None:
    for group in fields.GROUPS.values():
        for field in group:
            assert field.meaning.endswith(".")


def test_one_flat_name_is_one_name_in_every_preset() -> None:
    rows = [field for group in fields.GROUPS.values() for field in group if field.flat]
    for preset in fields.PRESETS:
        assert len({(row.flat, getattr(row, preset)) for row in rows}) == len({row.flat for row in rows})
