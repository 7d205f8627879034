"""What several kinds of line have in common: their beginning and end, ids, errors, annotations.

The dictionary is filled field by field, without what the event does not have: this is the costliest part of a line
but its encoding.
"""

from __future__ import annotations

import json
import math
import traceback
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from interservice.options import one_of, text

from . import fields
from .plain import Plain
from .redact import redact_text
from .sampling import LEVEL_NAMES
from .stamp import Stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interservice.clock import Clock
    from interservice.trace import Trace

    from .redact import Secrets

ECS_VERSION = "1.6.0"
ECS_OUTCOME = {"server_error": "failure", "exception": "failure", "aborted": "failure", "client_disconnect": "unknown"}
_MAX_STACK = 4096
#: Trace flags as they are written: sampled and random are all there are (Trace Context level 2).
FLAGS = ("00", "01", "02", "03")
_SUBJECTS = ("plain", "hash", "omit")


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What the records of one log have in common.

    Attributes:
        preset: otel, ecs or flat.
        service: The service's name, where an event does not tell.
        service_version: The service's version, or None.
        instance: The service's instance, or None.
        subject: plain, hash or omit: how the token's subject is written.
        headers: Request headers to write, in lower case.
        stacktrace: Whether exceptions are written with their stack.
        secrets: Which names are secrets.
        clock: Whose time is written.
        owner: Whose options these are, for a ConfigurationError.
    """

    preset: str
    service: str | None
    service_version: str | None
    instance: str | None
    subject: str
    headers: tuple[str, ...]
    stacktrace: bool
    secrets: Secrets
    clock: Clock
    owner: str = "AccessLog"

    def __post_init__(self) -> None:
        one_of(f"{self.owner}.preset", self.preset, fields.PRESETS)
        one_of(f"{self.owner}.subject", self.subject, _SUBJECTS)
        for option in ("service", "service_version", "instance"):
            text(f"{self.owner}.{option}", getattr(self, option), optional=True)


class Parts:
    """Fills records for one log.

    `self._key` has the name of each field in the log's preset, as attributes called as the fields are in preset `flat`.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._ecs = source.preset == "ecs"
        self._stamp = Stamp()
        self._plain = Plain(source.secrets)
        self._taken = fields.all_names(source.preset)
        self._key: Any = SimpleNamespace(**fields.keys(source.preset))
        self._place = fields.where_annotations_go(source.preset)
        self._header_key = {"otel": "http.request.header.", "ecs": "http.request.headers.", "flat": "header_"}[source.preset]

    def _begin(self, level: int, message: str, logger: str, now: float | None = None) -> dict[str, Any]:
        key, source = self._key, self._source
        stamp, pid = self._stamp.at(source.clock.time() if now is None else now)
        record: dict[str, Any] = {
            key.timestamp: stamp,
            key.level: LEVEL_NAMES.get(level),
            key.message: message,
            key.logger: logger,
            key.pid: pid,
        }
        if self._ecs:
            record["ecs.version"], record["event.dataset"] = ECS_VERSION, logger
        if source.service_version is not None:
            record[key.service_version] = source.service_version
        if source.instance is not None:
            record[key.instance] = source.instance
        return record

    def _of_this_service(self, record: dict[str, Any]) -> dict[str, Any]:
        if self._source.service is not None:
            record[self._key.service] = self._source.service
        return record

    def _end(self, record: dict[str, Any], status: int | None, seconds: float, outcome: str) -> None:
        key = self._key
        if status is not None:
            record[key.status] = status
        record[key.duration_ms] = round(seconds * 1000.0, 3)
        record[key.outcome] = outcome
        if self._ecs:
            record["event.duration"], record["event.outcome"] = nanoseconds(seconds), ECS_OUTCOME.get(outcome, "success")

    def _trace(self, record: dict[str, Any], trace: Trace) -> None:
        key = self._key
        record[key.trace_id], record[key.span_id] = trace.trace_id, trace.span_id
        if trace.parent_id is not None:
            record[key.parent_span_id] = trace.parent_id
        record[key.trace_flags] = FLAGS[trace.flags & 3]

    def _error(self, record: dict[str, Any], error: BaseException | None, status: int | None, *, stack: bool) -> None:
        key = self._key
        if error is None:
            record[key.error] = str(status)
            return
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        record[key.error] = name
        if key.exception_type:
            record[key.exception_type] = name
        record[key.exception_message] = redact_text(_message(error))
        if stack and self._source.stacktrace:
            record[key.stacktrace] = _stack(error)

    def _annotations(self, record: dict[str, Any], annotated: Mapping[str, Any]) -> None:
        plain = self._plain.fields(annotated)
        if self._ecs:
            record[self._place] = {_label(key): self._one_type(value) for key, value in plain.items()}
            return
        for key, value in plain.items():
            name = self._place + key
            record[f"fields_{key}" if name in self._taken else name] = value

    def _one_type(self, value: Any) -> Any:
        """In ECS, objects and lists as text: one field has one type in an index, and labels are keywords."""
        return json.dumps(value) if self._ecs and isinstance(value, (dict, list)) else value


def nanoseconds(seconds: float) -> int | None:
    """A duration as ECS has it; None where it is not finite."""
    return int(seconds * 1e9) if math.isfinite(seconds * 1e9) else None


def _label(key: str) -> str:
    """ECS logging: "." "*" and the backslash in a label's key become "_"."""
    return key.replace(".", "_").replace("*", "_").replace("\\", "_")


def _message(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_STACK]
    except Exception:  # noqa: BLE001 - an exception whose __str__ raises is still worth its type
        return ""


def _stack(error: BaseException) -> str:
    return redact_text("".join(traceback.format_exception(error, limit=-40))[-_MAX_STACK:])
