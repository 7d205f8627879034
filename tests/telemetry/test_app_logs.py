"""The application's own logs: strict lines, the request's ids, and nothing that can lose a record."""

from __future__ import annotations

import contextvars
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.errors import ConfigurationError
from interservice.exchange import enter
from interservice.telemetry import LogFormatter, configure
from tests.telemetry.material import TRACE, Sink, exchange, strict

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("shop.test_app_logs")
    made.propagate = False
    yield made
    made.handlers.clear()


@pytest.fixture
def sink(logger: logging.Logger) -> Sink:
    made = Sink()
    configure(logger=logger, stream=made, level="DEBUG", service="orders")
    return made


def test_a_record_has_the_ids_of_the_request_under_way(logger: logging.Logger, sink: Sink) -> None:
    def handle() -> None:
        enter(exchange())
        logger.info("placed %d", 7)

    contextvars.copy_context().run(handle)
    logger.info("idle")
    inside, outside = sink.records()
    assert (inside["trace_id"], inside["span_id"], inside["request_id"]) == (TRACE.trace_id, TRACE.span_id, "r-1")
    assert (inside["message"], inside["level"], inside["logger"]) == ("placed 7", "info", "shop.test_app_logs")
    assert "trace_id" not in outside
    assert outside["service.name"] == "orders"


def test_extra_and_dicts_are_fields_with_secrets_redacted(logger: logging.Logger, sink: Sink) -> None:
    logger.warning("x", extra={"order": 7, "api_key": "s3cret"})
    logger.warning({"message": "y", "order": 8, "name": "not a record's"})
    first, second = sink.records()
    assert (first["interservice.fields.order"], first["interservice.fields.api_key"]) == (7, "REDACTED")
    assert (second["message"], second["interservice.fields.order"]) == ("y", 8)
    assert second["logger"] == "shop.test_app_logs"


def test_an_exception_is_written_with_its_stack(logger: logging.Logger, sink: Sink) -> None:
    def fail() -> None:
        raise KeyError("x")

    try:
        fail()
    except KeyError:
        logger.exception("went wrong")
    record = sink.one()
    assert record["exception.type"] == "KeyError"
    assert "in fail" in record["exception.stacktrace"]


def test_arguments_that_do_not_fit_do_not_lose_the_record() -> None:
    line = LogFormatter().format(logging.LogRecord("x", 20, "f.py", 1, "%d items", ("many",), None))
    assert strict(line)["message"] == "%d items ['many']"


def test_a_critical_record_keeps_its_level(logger: logging.Logger, sink: Sink) -> None:
    logger.critical("down")
    assert sink.one()["level"] == "critical"


def test_configured_again_the_last_one_counts_and_others_stay(logger: logging.Logger, sink: Sink) -> None:
    other, stream = logging.NullHandler(), Sink()
    logger.addHandler(other)
    configure(logger=logger, stream=stream, level=10, preset="ecs")
    logger.info("once")
    assert other in logger.handlers
    assert sink.records() == []
    assert stream.one()["log.level"] == "info"


@pytest.mark.parametrize("options", [{"level": "LOUD"}, {"preset": "xml"}, {"service": ""}, {"redact": "x"}])
def test_nonsense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        configure(logger=logging.getLogger("shop.refused"), **options)


@given(st.text(st.characters(exclude_categories=[])), st.sampled_from(["otel", "ecs", "flat"]), st.lists(st.text(), max_size=3))
def test_any_message_is_one_strict_line(message: str, preset: str, args: list[str]) -> None:
    line = LogFormatter(preset=preset).format(logging.LogRecord("x", 20, "f", 1, message, tuple(args), None))
    assert line.isascii()
    assert "\n" not in line
    strict(line)
