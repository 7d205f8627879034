"""Events as records: dictionaries under the names of `fields`. Nothing here encodes, writes or decides."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from .parts import ECS_OUTCOME, ECS_VERSION, FLAGS, Parts, nanoseconds
from .redact import redact_text
from .rows import Columns
from .sampling import ERROR, LEVEL_NAMES

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from interservice.events import Attempted, Called, CircuitChanged, Served
    from interservice.exchange import Exchange
    from interservice.http import Request

    from .parts import Source
    from .rows import Row

ACCESS = "interservice.access"
CALL = "interservice.call"
CIRCUIT = "interservice.circuit"
SAMPLING = "interservice.sampling"

#: RFC 9110 section 9, and PATCH (RFC 5789): the known methods of OpenTelemetry's conventions.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_MAX_USER_AGENT = 256
#: Of a Content-Length: what fits in 64 bits.
_MAX_DIGITS = 19
_CLIENT_ERRORS, _SERVER_ERRORS = 400, 500

#: The fields of the line of an exchange, by their names in `flat`; line by line, what `Records.served` gives values to.
_SERVED = (
    "timestamp", "level", "message", "logger",
    "pid", "service_version", "instance",
    "method", "route", "path",
    "query", "scheme",
    "bytes_in", "client", "peer", "host", "port", "protocol",
    "user_agent",
    "status", "duration_ms", "outcome",
    "ttfb_ms", "bytes_out",
    "trace_id", "span_id", "parent_span_id", "trace_flags", "request_id",
    "subject",
    "client_id",
    "version", "version_source",
    "version_deprecated",
    "service", "sampled_rate",
)  # fmt: skip
_ECS_SERVED = ("ecs.version", "event.dataset", "event.duration", "event.outcome")
_NO_TRACE: tuple[None, ...] = (None, None, None, None, None)


class Records(Parts):
    """Makes the record of each kind of event."""

    def __init__(self, source: Source, rows: Callable[[Columns], Callable[..., Row]] = Columns.rows) -> None:
        super().__init__(source)
        names = (getattr(self._key, name) for name in _SERVED)
        self._row = rows(Columns([*names, *_ECS_SERVED] if self._ecs else [*names]))

    def served(self, event: Served, level: int, rate: float | None = None) -> Row | dict[str, Any]:
        """The line of an inbound exchange; `rate` when it was kept by chance. A row, unless it has fields that few lines have."""
        exchange, status, sent, seconds, first_byte, outcome, error = event
        request, source = exchange.request, self._source
        method, path, route = request.method, request.mount + request.path, exchange.route
        query, peer = request.query, request.peer
        look_up = request.headers.get
        agent, length = look_up("user-agent"), look_up("content-length")
        host, port = request.server or (None, None)
        stamp, pid = self._stamp.at(source.clock.time())
        trace_id, span_id, parent_id, flags, _ = exchange.trace or _NO_TRACE
        principal, version = exchange.principal, exchange.version
        subject = client_id = version_text = version_source = deprecated = None
        if principal is not None:
            subject, client_id = principal.subject, principal.client_id
            if source.subject != "plain":
                subject = self._disguised(subject)
        if version is not None:
            version_text, version_source, deprecated = str(version), version.source, version.deprecated or None
        ecs = (ECS_VERSION, ACCESS, nanoseconds(seconds), ECS_OUTCOME.get(outcome, "success")) if self._ecs else ()
        row = self._row(
            stamp, LEVEL_NAMES[level], f"{method} {route or path} {'-' if status is None else status}", ACCESS,
            pid, source.service_version, source.instance,
            method if method in _METHODS else "_OTHER", route, path,
            source.secrets.query(query) if query else None, request.scheme,
            None if length is None else _number(length), peer, peer, host, port, request.protocol,
            agent if agent is None or len(agent) <= _MAX_USER_AGENT else agent[:_MAX_USER_AGENT],
            status, round(seconds * 1000.0, 3), outcome,
            None if first_byte is None else round(first_byte * 1000.0, 3), sent,
            trace_id, span_id, parent_id, None if flags is None else FLAGS[flags & 3], exchange.request_id,
            subject,
            client_id,
            version_text, version_source,
            deprecated,
            source.service or exchange.service, rate,
            *ecs,
        )  # fmt: skip
        failed = error is not None or (status is not None and status >= _SERVER_ERRORS)
        if failed or exchange.refusal is not None or exchange.fields or source.headers or method not in _METHODS:
            return self._with_details(row.record(), event, failed=failed)
        return row

    def _with_details(self, record: dict[str, Any], event: Served, *, failed: bool) -> dict[str, Any]:
        """The record with what only some lines have."""
        exchange, key = event.exchange, self._key
        refusal, method = exchange.refusal, exchange.request.method
        if method not in _METHODS:
            record[key.method_original] = method
        if failed:
            self._error(record, event.error, event.status, stack=event.outcome == "exception")
        if refusal is not None:
            record[key.refusal] = refusal.code
            reason = getattr(refusal, "reason", None)
            if reason is not None:
                record[key.refusal_reason] = reason
        if self._source.headers:
            self._headers(record, exchange.request)
        if exchange.fields:
            self._annotations(record, exchange.fields)
        return record

    def called(self, event: Called, level: int) -> dict[str, Any]:
        """The record of an outbound call."""
        status, outcome, key = event.status, event.outcome, self._key
        url = redact_text(event.url.partition("?")[0])
        record = self._begin(level, f"{event.method} {url} {outcome if status is None else status}", CALL)
        record[key.method], record[key.url] = event.method, url
        if event.service is not None:
            record[key.called] = event.service
        if event.attempts > 1:
            record[key.retries] = event.attempts - 1
        self._end(record, status, event.seconds, _answered(outcome, status))
        if self._ecs and level >= ERROR:
            record["event.outcome"] = "failure"
        if event.trace is not None:
            self._trace(record, event.trace)
        if event.request_id is not None:
            record[key.request_id] = event.request_id
        if event.error is not None or (status is not None and status >= _SERVER_ERRORS):
            self._error(record, event.error, status, stack=False)
        return self._of_this_service(record)

    def attempted(self, event: Attempted, level: int) -> dict[str, Any]:
        """The record of one try of an outbound call."""
        key = self._key
        told = event.outcome if event.status is None else event.status
        message = f"attempt {event.attempt} of {event.service or 'a service'} at {event.endpoint or '-'}: {told}"
        record = self._begin(level, message, CALL)
        self._destination(record, event.service, event.endpoint)
        record[key.attempt] = event.attempt
        self._end(record, event.status, event.seconds, event.outcome)
        if event.error is not None:
            self._error(record, event.error, event.status, stack=False)
        return self._of_this_service(record)

    def circuit_changed(self, event: CircuitChanged, level: int) -> dict[str, Any]:
        """The record of a circuit that went from one state to another."""
        key = self._key
        message = f"circuit of {event.service or 'service'} at {event.endpoint or 'endpoint'}: {event.before} -> {event.after}"
        record = self._begin(level, message, CIRCUIT)
        self._destination(record, event.service, event.endpoint)
        record[key.before], record[key.after] = event.before, event.after
        record[key.snapshot] = self._one_type(self._plain.fields(event.snapshot))
        return self._of_this_service(record)

    def summary(self, rows: list[dict[str, Any]], count: int, level: int) -> dict[str, Any]:
        """The record of what sampling left out."""
        record = self._begin(level, f"{count} requests were not logged one by one", SAMPLING)
        record[self._key.summary], record[self._key.summary_count] = self._one_type(rows), count
        return self._of_this_service(record)

    def dropped(self, count: int, level: int) -> dict[str, Any]:
        """The record of lines that a full buffer lost."""
        record = self._begin(level, f"{count} lines were dropped: the buffer was full", SAMPLING)
        record[self._key.dropped] = count
        return self._of_this_service(record)

    def logged(
        self, entry: logging.LogRecord, message: str, extra: Mapping[str, Any], exchange: Exchange | None
    ) -> dict[str, Any]:
        """The record of what the application logged, with the ids of the request under way."""
        key = self._key
        record = self._begin(entry.levelno, message, entry.name, entry.created)
        if entry.levelno not in LEVEL_NAMES:
            record[key.level] = entry.levelname.lower()
        if exchange is not None:
            trace = exchange.trace
            if trace is not None:
                self._trace(record, trace)
            if exchange.request_id is not None:
                record[key.request_id] = exchange.request_id
        service = self._source.service or (None if exchange is None else exchange.service)
        if service is not None:
            record[key.service] = service
        error = entry.exc_info[1] if entry.exc_info else None
        if error is not None:
            self._error(record, error, None, stack=True)
        if extra:
            self._annotations(record, extra)
        return record

    def _disguised(self, subject: str | None) -> str | None:
        """The subject as it is written where it is not to be written plain."""
        if subject is None or self._source.subject == "omit":
            return None
        return hashlib.blake2b(subject.encode("utf-8", "replace"), digest_size=8).hexdigest()

    def _destination(self, record: dict[str, Any], service: str | None, endpoint: str | None) -> None:
        if service is not None:
            record[self._key.called] = service
        if endpoint is not None:
            record[self._key.endpoint] = endpoint

    def _headers(self, record: dict[str, Any], request: Request) -> None:
        for name in self._source.headers:
            values = request.headers.all(name)
            if values:
                record[self._header_key + name] = [redact_text(value[:_MAX_USER_AGENT]) for value in values]


def _number(length: str) -> int | None:
    """A Content-Length; None for what is none."""
    return int(length) if length.isascii() and length.isdecimal() and len(length) < _MAX_DIGITS else None


def _answered(outcome: str, status: int | None) -> str:
    """How a call ended, in the words of an exchange where it was answered: to a reader a 500 is not "ok", on whichever side."""
    if status is None or status < _CLIENT_ERRORS or outcome not in ("ok", "status"):
        return outcome
    return "client_error" if status < _SERVER_ERRORS else "server_error"
