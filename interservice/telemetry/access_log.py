"""The access log: one JSON line at the true end of each exchange and of each call.

A listener of events. It never raises, whatever an event holds and wherever its lines go; what it cannot write it counts.
"""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

from interservice.clock import SYSTEM
from interservice.events import Attempted, Called, CircuitChanged, Served
from interservice.options import check, number, one_of, strings

from .encode import JsonLines
from .parts import Source
from .plain import Plain
from .records import Records
from .redact import SECRET_HEADERS, Secrets
from .sampling import DEBUG, ERROR, INFO, LEVEL_OF_OUTCOME, LEVELS, WARNING, Sampler, level_of_called
from .summary import Summary
from .writer import BufferedOutput, output_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from interservice.clock import Clock

    from .writer import Output, TextStream

_LOG = logging.getLogger("interservice.telemetry")


class AccessLog:
    """Writes one JSON line at the true end of each inbound exchange and each outbound call.

    Args:
        preset: Names of the fields: `otel` (OpenTelemetry's conventions), `ecs` (Elastic Common Schema) or `flat`.
        stream: A text stream; None is `sys.stdout` as it is at the time of each line. Each line is one write and one flush.
        logger: A `logging.Logger` that gets each record as a dict, in place of a stream.
        sample_rate: The share, between 0 and 1, of uneventful exchanges that is written. Errors, 4xx (see `client_errors`),
            slow ones, deprecated versions and traces that the caller sampled are always written; the rest is chosen by trace
            id, as in other services.
        slow: Seconds from which an exchange is always written; None: none is for its duration.
        level: The lowest level that is written: debug, info, warning or error.
        client_errors: Whether 4xx are written whatever the rate.
        quiet: Paths whose successes are of level debug: health checks.
        summary_every: Seconds between summaries of what sampling left out; None: none is written.
        service: The name of the service, where the gate does not give it.
        service_version: The version of the service, for every line.
        instance: The name of the instance, for every line.
        subject: How the subject of a token is written: plain, hash (a pseudonym) or omit.
        redact: Further names of query parameters and annotated fields whose values are replaced by REDACTED.
        request_headers: Request headers to write; those that carry credentials are refused.
        stacktrace: Whether exceptions are written with their stack.
        attempts: Whether each attempt of a call has a line too.
        buffer: Lines kept for a thread that writes them, so that a slow stream delays no request: when full, lines of level
            info and below are dropped first, and what was dropped is counted in the log. It is against a stream that may be
            slow, not for speed: in all a line costs the process more, as its thread takes turns with the requests'. None:
            each line is written where it comes up.
        fast: Use msgspec to encode; None: where it is installed.
        clock: The source of timestamps.

    Raises:
        ConfigurationError: An option has a value that cannot work.
    """

    def __init__(
        self,
        *,
        preset: str = "otel",
        stream: TextStream | None = None,
        logger: logging.Logger | None = None,
        sample_rate: float = 1.0,
        slow: float | None = 1.0,
        level: str = "debug",
        client_errors: bool = True,
        quiet: Iterable[str] = ("/healthz", "/livez", "/readyz"),
        summary_every: float | None = 60.0,
        service: str | None = None,
        service_version: str | None = None,
        instance: str | None = None,
        subject: str = "plain",
        redact: Iterable[str] = (),
        request_headers: Iterable[str] = (),
        stacktrace: bool = True,
        attempts: bool = False,
        buffer: int | None = None,
        fast: bool | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        secrets = Secrets(redact)
        lines = JsonLines(fast=fast, plain=Plain(secrets))
        source = Source(
            preset=preset, service=service, service_version=service_version, instance=instance, subject=subject,
            headers=_header_names(request_headers), stacktrace=stacktrace, secrets=secrets, clock=clock,
        )  # fmt: skip
        self._records = Records(source, lines.rows)
        one_of("AccessLog.level", level, LEVELS)
        self._minimum = LEVELS[level]
        self._quiet = frozenset(strings("AccessLog.quiet", quiet))
        sampler = Sampler(sample_rate, slow, client_errors=client_errors)
        number("AccessLog.summary_every", summary_every, above=0, optional=True)
        self._sampler = sampler if sample_rate < 1.0 else None
        self._summary = Summary(summary_every, clock) if self._sampler is not None and summary_every is not None else None
        output = output_to(stream, logger, lines.encode)
        self._output = output if buffer is None else BufferedOutput(output, buffer, self._records.dropped, clock)
        self._others: dict[type, Callable[[Any], None]] = {Called: self._called, CircuitChanged: self._circuit_changed}
        if attempts:
            self._others[Attempted] = self._attempted
        self._failures = 0
        weakref.finalize(self, _close, self._output, self._summary, self._records)

    @property
    def dropped(self) -> int:
        """Lines that could not be built or written, since the start."""
        return self._failures + self._output.dropped

    def __call__(self, event: object) -> None:
        """Write the line of an event that has one; other events are ignored."""
        try:
            if isinstance(event, Served):
                self._served(event)
                return
            write = self._others.get(type(event))
            if write is not None:
                write(event)
        except Exception:  # noqa: BLE001 - whatever an event holds must not become the request's
            self._failures += 1
            if self._failures == 1:
                _LOG.exception(
                    "no access line could be made of %s; further failures of this kind are only counted", type(event).__name__
                )

    def flush(self, timeout: float = 1.0) -> bool:
        """Write what a buffer holds, waiting at most `timeout` seconds: True when all is written."""
        return self._output.flush(timeout)

    def close(self) -> None:
        """Write the last summary and what a buffer holds. Lines that come later are still written."""
        _close(self._output, self._summary, self._records)

    def _served(self, event: Served) -> None:
        exchange, level = event.exchange, LEVEL_OF_OUTCOME.get(event.outcome, ERROR)
        quiet = exchange.quiet
        if quiet or (level == INFO and exchange.request.path in self._quiet):
            level = DEBUG
        if level < self._minimum:
            return
        rate = None
        sampler = self._sampler
        if sampler is not None:
            if self._summary is not None and self._summary.due():
                _summarize(self._output, self._summary, self._records)
            if quiet or not sampler.always(event):
                rate = sampler.rate
                if not sampler.by_chance(event):
                    if self._summary is not None:
                        self._summary.add(event)
                    return
        self._output.write(level, self._records.served(event, level, rate))

    def _called(self, event: Called) -> None:
        level = level_of_called(event)
        if level >= self._minimum:
            self._output.write(level, self._records.called(event, level))

    def _attempted(self, event: Attempted) -> None:
        if self._minimum <= DEBUG:
            self._output.write(DEBUG, self._records.attempted(event, DEBUG))

    def _circuit_changed(self, event: CircuitChanged) -> None:
        if self._minimum <= WARNING:
            self._output.write(WARNING, self._records.circuit_changed(event, WARNING))

    def __repr__(self) -> str:
        return f"<AccessLog to {self._output!r}>"


def _summarize(output: Output, summary: Summary, records: Records) -> None:
    rows, count = summary.take()
    if count:
        output.write(INFO, records.summary(rows, count, INFO))


def _close(output: Output, summary: Summary | None, records: Records) -> None:
    if summary is not None:
        _summarize(output, summary, records)
    output.close()


def _header_names(names: Iterable[str]) -> tuple[str, ...]:
    lower = tuple(name.lower() for name in strings("AccessLog.request_headers", names))
    for name in lower:
        check(name not in SECRET_HEADERS, "AccessLog.request_headers", "without headers that carry credentials", name)
    return lower
