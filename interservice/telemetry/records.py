"""Events as records: dictionaries under the names of `fields`. Nothing here encodes, writes or decides."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from .parts import Parts
from .redact import redact_text
from .sampling import ERROR, LEVEL_NAMES

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from interservice.events import Attempted, Called, CircuitChanged, Served
    from interservice.exchange import Exchange
    from interservice.http import Request

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


class Records(Parts):
    """Makes the record of each kind of event."""

    def served(self, event: Served, level: int, rate: float | None = None) -> dict[str, Any]:
        """The record of an inbound exchange; `rate` when it was kept by chance."""
        exchange, status, sent, seconds, first_byte, outcome, error = event
        request, key = exchange.request, self._key
        path = request.mount + request.path
        message = f"{request.method} {exchange.route or path} {'-' if status is None else status}"
        record = self._begin(level, message, ACCESS)
        self._request(record, exchange, path)
        self._end(record, status, seconds, outcome)
        if first_byte is not None:
            record[key.ttfb_ms] = round(first_byte * 1000.0, 3)
        record[key.bytes_out] = sent
        trace = exchange.trace
        if trace is not None:
            self._trace(record, trace)
        if exchange.request_id is not None:
            record[key.request_id] = exchange.request_id
        self._identity(record, exchange)
        if error is not None or (status is not None and status >= _SERVER_ERRORS):
            self._error(record, error, status, stack=outcome == "exception")
        service = self._source.service or exchange.service
        if service is not None:
            record[key.service] = service
        if rate is not None:
            record[key.sampled_rate] = rate
        if self._source.headers:
            self._headers(record, request)
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

    def _request(self, record: dict[str, Any], exchange: Exchange, path: str) -> None:
        request, key = exchange.request, self._key
        method, headers = request.method, request.headers
        if method in _METHODS:
            record[key.method] = method
        else:
            record[key.method], record[key.method_original] = "_OTHER", method
        if exchange.route is not None:
            record[key.route] = exchange.route
        record[key.path] = path
        if request.query:
            record[key.query] = self._source.secrets.query(request.query)
        record[key.scheme] = request.scheme
        length = headers.get("content-length")
        if length and length.isascii() and length.isdecimal() and len(length) < _MAX_DIGITS:
            record[key.bytes_in] = int(length)
        peer = request.peer
        if peer is not None:
            record[key.client] = record[key.peer] = peer
        if request.server is not None:
            record[key.host], port = request.server
            if port is not None:
                record[key.port] = port
        record[key.protocol] = request.protocol
        agent = headers.get("user-agent")
        if agent is not None:
            record[key.user_agent] = agent if len(agent) <= _MAX_USER_AGENT else agent[:_MAX_USER_AGENT]

    def _identity(self, record: dict[str, Any], exchange: Exchange) -> None:
        principal, version, refusal, key = exchange.principal, exchange.version, exchange.refusal, self._key
        if principal is not None:
            subject = self._subject(principal.subject)
            if subject is not None:
                record[key.subject] = subject
            if principal.client_id is not None:
                record[key.client_id] = principal.client_id
        if version is not None:
            record[key.version], record[key.version_source] = str(version), version.source
            if version.deprecated:
                record[key.version_deprecated] = True
        if refusal is not None:
            record[key.refusal] = refusal.code
            reason = getattr(refusal, "reason", None)
            if reason is not None:
                record[key.refusal_reason] = reason

    def _subject(self, subject: str | None) -> str | None:
        how = self._source.subject
        if subject is None or how == "plain":
            return subject
        return hashlib.blake2b(subject.encode("utf-8", "replace"), digest_size=8).hexdigest() if how == "hash" else None

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


def _answered(outcome: str, status: int | None) -> str:
    """How a call ended, in the words of an exchange where it was answered: to a reader a 500 is not "ok", on whichever side."""
    if status is None or status < _CLIENT_ERRORS or outcome not in ("ok", "status"):
        return outcome
    return "client_error" if status < _SERVER_ERRORS else "server_error"
