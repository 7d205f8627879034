"""The application's own logs in the access log's form: one strict JSON line per record, with the ids of the request under way.

A formatter like any other, for users' own logging configuration, and `configure()` for those who have none.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS

from interservice.clock import SYSTEM
from interservice.exchange import entered
from interservice.options import check

from .encode import JsonLines
from .parts import Source
from .plain import Plain
from .records import Records
from .redact import Secrets, redact_text

if TYPE_CHECKING:
    from collections.abc import Iterable

_RESERVED = frozenset({*RESERVED_ATTRS, "taskName"})


class LogFormatter(JsonLines):
    """Formats records of `logging` as the access log formats requests: same names, same strictness, and the request's ids.

    What is given as `extra`, or as a dict in place of a message, becomes fields as annotations do; secrets' names are redacted.

    Args:
        preset: otel, ecs or flat.
        service: The service's name, for records outside a request.
        service_version: The service's version.
        instance: The instance's name.
        redact: Further names of fields whose values are replaced by REDACTED.
        stacktrace: Whether exceptions are written with their stack.
        fast: Use msgspec to encode; None: where it is installed.

    Raises:
        ConfigurationError: An option has a value that cannot work.
    """

    def __init__(
        self,
        *,
        preset: str = "otel",
        service: str | None = None,
        service_version: str | None = None,
        instance: str | None = None,
        redact: Iterable[str] = (),
        stacktrace: bool = True,
        fast: bool | None = None,
    ) -> None:
        secrets = Secrets(redact, option="LogFormatter.redact")
        super().__init__(fast=fast, plain=Plain(secrets))
        self._records = Records(
            Source(
                preset=preset,
                service=service,
                service_version=service_version,
                instance=instance,
                subject="omit",
                headers=(),
                stacktrace=stacktrace,
                secrets=secrets,
                clock=SYSTEM,
                owner="LogFormatter",
            )
        )

    def format(self, record: logging.LogRecord) -> str:
        """One line; a record whose arguments do not fit its message still has one."""
        extra: dict[str, Any] = {key: value for key, value in record.__dict__.items() if key not in _RESERVED}
        if isinstance(record.msg, dict):
            extra = {**record.msg, **extra}
            message = str(self.plain.value(extra.pop("message", "")))
        else:
            message = _message(record)
        return self.encode(self._records.logged(record, redact_text(message), extra, entered()))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - "%d" and a word: logging itself would lose the record
        return f"{record.msg!s} {Plain().value(record.args)}"


class _Handler(logging.StreamHandler[TextIO]):
    """The handler that `configure` puts on the root logger, so that it finds its own again."""


def configure(
    *, level: str | int = "INFO", stream: TextIO | None = None, logger: logging.Logger | None = None, **options: Any
) -> logging.Handler:
    """Have the application's logs written as JSON lines with the ids of the request under way.

    Puts one handler on the root logger; called again, it takes the place of the one before. The handlers of others stay.

    Args:
        level: The lowest level that is written.
        stream: Where to; None is `sys.stdout` as it is now.
        logger: The logger that gets the handler, in place of the root.
        **options: Those of `LogFormatter`.

    Raises:
        ConfigurationError: An option has a value that cannot work.
    """
    number = logging.getLevelNamesMapping().get(level.upper()) if isinstance(level, str) else level
    check(isinstance(number, int), "configure.level", "a level of logging", level)
    target = logger or logging.getLogger()
    handler = _Handler(stream or sys.stdout)
    handler.setFormatter(LogFormatter(**options))
    for other in [other for other in target.handlers if isinstance(other, _Handler)]:
        target.removeHandler(other)
    target.addHandler(handler)
    target.setLevel(number or logging.NOTSET)
    return handler
