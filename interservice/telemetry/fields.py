"""The fields of log lines, in one table: each with its name in every preset, and what it means. Documentation is made from it.

Invariants: the first three fields of a line are the first three of HEAD; a field's name in `flat` is its identity: one name
there is one name in every preset. In preset `otel` each dotted name is a stable name of OpenTelemetry's semantic conventions
1.44, or starts with `interservice.` or `api.`, or is one of the five that the conventions have no stable name for
(http.request.body.size, http.response.body.size, process.pid, enduser.id, auth.subject). Names without a dot are the log
record's own, as OpenTelemetry writes them in JSON (trace_id, span_id, trace_flags).
"""

from __future__ import annotations

from typing import NamedTuple

PRESETS = ("otel", "ecs", "flat")


class Field(NamedTuple):
    """One field: its name in each preset ("" where the preset has none) and its meaning."""

    otel: str
    ecs: str
    flat: str
    meaning: str


#: Of every line.
HEAD = (
    Field("timestamp", "@timestamp", "timestamp", "When the line was written: RFC 3339, UTC, milliseconds."),
    Field("level", "log.level", "level", "debug, info, warning or error: by status and outcome."),
    Field("message", "message", "message", "A sentence for people, such as `GET /orders/{id} 200`."),
    Field(
        "logger", "log.logger", "logger", "interservice.access, interservice.call, interservice.circuit or interservice.sampling."
    ),
    Field("", "ecs.version", "", "The version of ECS that the names are of."),
    Field("", "event.dataset", "", "The logger again, where Elastic's views look for it."),
)
#: Of an inbound request: its head.
REQUEST = (
    Field("http.request.method", "http.request.method", "method", "The method, or _OTHER when it is none of RFC 9110 and PATCH."),
    Field(
        "http.request.method_original",
        "interservice.method_original",
        "method_original",
        "The method as sent, where it is _OTHER.",
    ),
    Field("http.route", "interservice.route", "route", "The template of the route that matched; absent when none did."),
    Field("url.path", "url.path", "path", "The path, decoded, as the client asked for it."),
    Field("url.query", "url.query", "query", "The query string, with secrets redacted."),
    Field("url.scheme", "url.scheme", "scheme", "http, https, ws or wss."),
    Field("http.request.body.size", "http.request.body.bytes", "bytes_in", "Content-Length of the request."),
    Field("client.address", "client.address", "client", "The address of the client, as far as known."),
    Field("network.peer.address", "source.address", "peer", "The address at the connection's other end."),
    Field("server.address", "server.address", "host", "The host that answered."),
    Field("server.port", "server.port", "port", "Its port."),
    Field("network.protocol.version", "http.version", "protocol", "The HTTP version, such as 1.1."),
    Field("user_agent.original", "user_agent.original", "user_agent", "User-Agent, at most 256 characters."),
)
#: Of an inbound request: how it ended.
RESPONSE = (
    Field("http.response.status_code", "http.response.status_code", "status", "The status; absent when no response was started."),
    Field("duration_ms", "interservice.duration_ms", "duration_ms", "Milliseconds from arrival to the last byte."),
    Field("", "event.duration", "", "The same in nanoseconds."),
    Field("ttfb_ms", "interservice.ttfb_ms", "ttfb_ms", "Milliseconds to the first byte of the response."),
    Field("http.response.body.size", "http.response.body.bytes", "bytes_out", "Bytes of body handed to the server."),
    Field(
        "outcome", "interservice.outcome", "outcome", "ok, client_error, server_error, exception, client_disconnect or aborted."
    ),
    Field("", "event.outcome", "", "success, failure or unknown."),
)
#: Which request it was, and in which trace.
TRACE = (
    Field("trace_id", "trace.id", "trace_id", "32 hexadecimal digits."),
    Field("span_id", "transaction.id", "span_id", "16 hexadecimal digits, ours."),
    Field("parent_span_id", "parent.id", "parent_span_id", "The caller's span."),
    Field("trace_flags", "interservice.trace_flags", "trace_flags", "Two hexadecimal digits; 01 is sampled."),
)
#: Who asked, and for what.
IDENTITY = (
    Field("request_id", "http.request.id", "request_id", "The id of the request, on the response and on all calls it made."),
    Field("auth.subject", "user.id", "subject", "Who the verified token speaks of; a hash when AccessLog.subject is hash."),
    Field("interservice.client_id", "interservice.client_id", "client_id", "The client the token was issued to."),
    Field("api.version", "interservice.api.version", "version", "The negotiated API version."),
    Field(
        "api.version.source",
        "interservice.api.version_source",
        "version_source",
        "Where it was read: path, header, ... or default.",
    ),
    Field("api.version.deprecated", "interservice.api.version_deprecated", "version_deprecated", "true on a deprecated version."),
    Field("interservice.refusal.code", "interservice.refusal.code", "refusal", "The code of the problem document."),
    Field("interservice.refusal.reason", "interservice.refusal.reason", "refusal_reason", "Why a token was not believed."),
)
#: Of an error: of the application, the server side, or a call.
ERROR = (
    Field("error.type", "error.type", "error", "The exception's qualified name, or a 5xx status."),
    Field("exception.type", "", "exception_type", "The exception's qualified name."),
    Field("exception.message", "error.message", "exception_message", "What it says, with secrets redacted."),
    Field("exception.stacktrace", "error.stack_trace", "stacktrace", "Where it was raised; the last 4,096 characters."),
)
#: Of an outbound call.
CALL = (
    Field("http.request.method", "http.request.method", "method", "The method."),
    Field("url.full", "url.full", "url", "The URL, without query string and credentials."),
    Field("interservice.call.service", "interservice.call.service", "called", "The name of the service that was called."),
    Field("http.response.status_code", "http.response.status_code", "status", "The status of the last attempt, if it had one."),
    Field(
        "http.request.resend_count",
        "interservice.call.retries",
        "retries",
        "Attempts after the first; absent when there was none.",
    ),
    Field("duration_ms", "interservice.duration_ms", "duration_ms", "Milliseconds from the start of the call to its end."),
    Field("", "event.duration", "", "The same in nanoseconds."),
    Field("outcome", "interservice.outcome", "outcome", "How it ended, in a word."),
    Field("", "event.outcome", "", "success or failure."),
)
#: Of one attempt of a call, before what RESPONSE has.
ATTEMPT = (
    Field("interservice.call.service", "interservice.call.service", "called", "The name of the service that was called."),
    Field("interservice.endpoint", "interservice.endpoint", "endpoint", "The endpoint that was tried."),
    Field("interservice.call.attempt", "interservice.call.attempt", "attempt", "The number of the try, from 1."),
)
#: Of a circuit that changed its state.
CIRCUIT = (
    Field("interservice.call.service", "interservice.call.service", "called", "The service behind the circuit."),
    Field("interservice.endpoint", "interservice.endpoint", "endpoint", "The endpoint behind the circuit."),
    Field("interservice.circuit.before", "interservice.circuit.before", "before", "The state it left."),
    Field("interservice.circuit.after", "interservice.circuit.after", "after", "The state it is in."),
    Field(
        "interservice.circuit.snapshot", "interservice.circuit.snapshot", "snapshot", "Calls, failures and rates at that moment."
    ),
)
#: Of the log itself: what sampling left out, and what a full buffer lost.
SUMMARY = (
    Field(
        "interservice.summary",
        "interservice.summary",
        "summary",
        "Per method, route and status: count, total and longest milliseconds.",
    ),
    Field(
        "interservice.summary.count",
        "interservice.summary_count",
        "summary_count",
        "Requests that sampling left out since the last summary.",
    ),
    Field("interservice.dropped", "interservice.dropped", "dropped", "Lines lost because the buffer was full."),
)
#: Of the process, in every line.
PROCESS = (
    Field("service.name", "service.name", "service", "The service that wrote the line."),
    Field("service.version", "service.version", "service_version", "Its version, where AccessLog was told."),
    Field("service.instance.id", "service.node.name", "instance", "Its instance, where AccessLog was told."),
    Field("process.pid", "process.pid", "pid", "The process that wrote the line."),
    Field(
        "interservice.sampled_rate",
        "interservice.sampled_rate",
        "sampled_rate",
        "The share of such lines that is written, when below 1.",
    ),
)

GROUPS: dict[str, tuple[Field, ...]] = {
    "head": HEAD,
    "request": REQUEST,
    "response": RESPONSE,
    "trace": TRACE,
    "identity": IDENTITY,
    "error": ERROR,
    "call": CALL,
    "attempt": ATTEMPT,
    "circuit": CIRCUIT,
    "summary": SUMMARY,
    "process": PROCESS,
}


def names(group: tuple[Field, ...], preset: str) -> tuple[str, ...]:
    """The names of a group's fields in a preset, in order, "" for those it has not."""
    return tuple(str(getattr(field, preset)) for field in group)


def keys(preset: str) -> dict[str, str]:
    """Each field's name in a preset, by its name in `flat`."""
    return {field.flat: str(getattr(field, preset)) for group in GROUPS.values() for field in group if field.flat}


def all_names(preset: str) -> frozenset[str]:
    """Every name that a preset writes of itself."""
    return frozenset(name for group in GROUPS.values() for name in names(group, preset) if name)


def where_annotations_go(preset: str) -> str:
    """What is put before the name of a field that was annotated: ECS has the object `labels`, `flat` the bare name."""
    return {"otel": "interservice.fields.", "ecs": "labels", "flat": ""}[preset]
