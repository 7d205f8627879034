"""Records as lines: any dictionary becomes exactly one line of strict, ASCII-only JSON of at most 16 KiB, and never an exception.

python-json-logger does the encoding (with msgspec where it is installed), and this module makes that total: what its encoders
refuse, or write in a way that a strict parser refuses (lone surrogates, NaN, integers above 64 bits), is first turned into
plain data.
"""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

from pythonjsonlogger.core import BaseJsonFormatter
from pythonjsonlogger.json import JsonFormatter

from .plain import Plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rows import Columns, Row

#: A string as ASCII JSON, quotes included.
_STRING = json.encoder.encode_basestring_ascii
#: Bytes of the longest line, its newline included.
MAX_LINE = 16 * 1024
#: How much of each string is kept, in turn, until the line is short enough.
_CUTS = (4096, 512, 64)
#: Present, with true, in a line that was cut.
TRUNCATED = "interservice.truncated"

_STRICT = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode
#: Names whose JSON form is remembered: the schema's, and those that applications annotate with.
_REMEMBERED = 1024
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


def _serializer() -> Callable[..., str]:
    """What python-json-logger calls: compact, ASCII, and a ValueError rather than what is not strict.

    A record is one flat level of text and numbers: written by hand it takes three quarters of the time of `json`.
    """
    names: dict[str, str] = {}

    def serialize(record: dict[str, Any], **_: Any) -> str:
        try:
            written = [
                names[name] + (_STRING(value) if value.__class__ is str else _other(value)) for name, value in record.items()
            ]
        except KeyError:
            written = [_name(name) + _other(value) for name, value in record.items()]
            if len(names) < _REMEMBERED:
                names.update((name, _name(name)) for name in record)
        return f"{{{''.join(written)[1:]}}}"

    return serialize


def _row(row: Row) -> str:
    """What the serializer writes for `row.record()`."""
    written = [
        name + (_STRING(value) if value.__class__ is str else _other(value))
        for name, value in zip(row.columns.written, row.values, strict=True)
        if value is not None
    ]
    return f"{{{''.join(written)[1:]}}}"


def _name(name: str) -> str:
    """A name with the comma before it and the colon after it."""
    return f",{_STRING(name)}:"


def _other(value: Any) -> str:
    if value.__class__ is int:
        if _INT_MIN <= value <= _INT_MAX:
            return repr(value)
    elif value.__class__ is float:
        if value - value == 0.0:  # neither NaN nor infinite
            return repr(value)
    else:
        return _STRICT(value)
    raise ValueError(value.__class__.__name__)


def _refuse(value: object) -> Any:
    """The default of the quick encoders: what is no plain data takes the slow path, where it is made plain."""
    raise TypeError(type(value).__name__)


def fast_available() -> bool:
    """Whether msgspec is installed (the extra `fast`)."""
    return importlib.util.find_spec("msgspec") is not None


class JsonLines(BaseJsonFormatter):
    """A python-json-logger formatter that cannot fail and cannot write more than one line.

    Args:
        fast: Use msgspec; None uses it where it is installed.
        plain: How values that are not JSON become so; the default redacts the usual secret names.
        **options: python-json-logger's own, for use as the formatter of a logging handler.
    """

    def __init__(self, *, fast: bool | None = None, plain: Plain | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.plain = plain or Plain()
        self._ascii: Callable[[dict[str, Any]], str] = JsonFormatter(json_serializer=_serializer()).jsonify_log_record
        self._fast: Callable[[Any], str] | None = None
        if fast or (fast is None and fast_available()):
            from pythonjsonlogger.msgspec import MsgspecFormatter  # noqa: PLC0415 - an extra, and lazy

            self._fast = MsgspecFormatter(json_default=_refuse).jsonify_log_record

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """One line for a record whose values may be anything at all."""
        return self.encode(self.plain(log_data))

    def rows(self, columns: Columns) -> Callable[..., Row]:
        """What makes the rows that `encode` takes."""
        return columns.rows() if self._fast is None else columns.structures()

    def encode(self, record: Row | dict[str, Any]) -> str:
        """One line for a record that was built of plain values; any other still gives one, at a higher price."""
        try:
            if self._fast is not None:
                text: str = self._fast(record)
                if text.isascii():  # msgspec writes UTF-8, with C1 controls and U+2028 as they are
                    return text if len(text) < MAX_LINE else self._slowly(record)
            text = self._ascii(record) if isinstance(record, dict) else _row(record)
            # Surrogate escapes: a pair is an astral character, a lone one no strict parser accepts. The slow path tells them
            # apart.
            if len(text) < MAX_LINE and "\\ud" not in text:
                return text
        except (ValueError, TypeError, LookupError, RecursionError, OverflowError):
            pass
        return self._slowly(record)

    def _slowly(self, given: Row | dict[str, Any]) -> str:
        record = given if isinstance(given, dict) else given.record()
        for cut in _CUTS:
            record = self.plain(record, cut)
            text = self._ascii(record)
            if len(text) < MAX_LINE:
                return text
            record[TRUNCATED] = True
        return self._ascii(_that_fits(record, self._ascii))


def _that_fits(record: dict[str, Any], encode: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    """The first fields, in order, that fit in a line."""
    kept: dict[str, Any] = {TRUNCATED: True}
    room = MAX_LINE - len(encode(kept)) - 1
    for key, value in record.items():
        size = len(encode({key: value}))  # the braces stand for comma and colon
        if size < room and key != TRUNCATED:
            kept[key] = value
            room -= size
    return kept
