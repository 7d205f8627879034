r"""Anything as plain data: what JSON can say, bounded in depth, length and number, secrets taken out. Never raises an Exception.

Rules: NaN and infinities are null; integers above 64 bits are text; lone surrogates are U+FFFD; bytes are UTF-8 with other
bytes as \xNN;
keys are text; dates are ISO 8601; enums are their values; an unknown object is its `str()`.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from .redact import REDACTED, Secrets

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_DEPTH = 6
_MAX_ITEMS = 64
_MAX_KEY = 128
_MAX_TEXT = 4096
#: How a subclass's value is had without its methods.
_EXACT: dict[type, Callable[[Any], Any]] = {str: str.__str__, int: int.__int__, float: float.__float__}
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


class Plain:
    """Makes values plain.

    Args:
        secrets: Which keys of mappings have their values replaced by REDACTED.
    """

    __slots__ = ("_secret",)

    def __init__(self, secrets: Secrets | None = None) -> None:
        self._secret: Callable[[str], bool] = (secrets or Secrets()).hides

    def __call__(self, record: Mapping[Any, Any], cut: int = _MAX_TEXT) -> dict[str, Any]:
        """A record with plain values, its own keys not judged as secrets: they are the schema's."""
        return {_key(key): self.value(value, cut) for key, value in record.items()}

    def fields(self, fields: Mapping[Any, Any], cut: int = _MAX_TEXT) -> dict[str, Any]:
        """Fields that users named: at most 64, those with a secret's name redacted."""
        value = self._safely(fields, cut, 1, self._mapping)
        return value if isinstance(value, dict) else {"value": value}

    def value(self, value: Any, cut: int = _MAX_TEXT, depth: int = 0) -> Any:
        """The plain form of one value."""
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return _text(value, cut)
        if kind is int:
            return _integer(value)
        if kind is float:
            return value if math.isfinite(value) else None
        if depth > _MAX_DEPTH:
            return "..."
        return self._safely(value, cut, depth, self._other)

    def _safely(self, value: Any, cut: int, depth: int, convert: Callable[[Any, int, int], Any]) -> Any:
        try:
            return convert(value, cut, depth)
        except Exception:  # noqa: BLE001 - a hostile __str__, __iter__ or __getattr__ must not lose the line
            return f"<{_text(type(value).__name__, _MAX_KEY)}>"

    def _other(self, value: Any, cut: int, depth: int) -> Any:  # noqa: PLR0911 - one for each kind
        if isinstance(value, enum.Enum):
            return self.value(value.value, cut, depth + 1)
        for base in (str, int, float):
            if isinstance(value, base):  # a subclass: its own methods are not to be trusted
                return self.value(_EXACT[base](value), cut, depth)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return _text(bytes(value[: 4 * cut]).decode("utf-8", "backslashreplace"), cut)
        if isinstance(value, (dt.datetime, dt.date, dt.time)):
            return value.isoformat()
        if isinstance(value, Mapping):
            return self._mapping(value, cut, depth)
        if isinstance(value, (list, tuple, AbstractSet)):
            return self._items(value, cut, depth)
        if isinstance(value, BaseException):
            return _text(f"{type(value).__name__}: {value}", cut)
        if isinstance(value, type):
            return _text(value.__qualname__, cut)
        return _text(str.__str__(str(value)), cut)

    def _mapping(self, value: Mapping[Any, Any], cut: int, depth: int) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, item in value.items():
            if len(plain) == _MAX_ITEMS:
                break
            name = _key(key)
            plain[name] = REDACTED if self._secret(name) else self.value(item, cut, depth + 1)
        return plain

    def _items(self, value: Iterable[Any], cut: int, depth: int) -> list[Any]:
        plain: list[Any] = []
        for item in value:
            if len(plain) == _MAX_ITEMS:
                plain.append("...")
                break
            plain.append(self.value(item, cut, depth + 1))
        return plain


def _key(key: Any) -> str:
    if type(key) is not str:
        try:
            key = str.__str__(key if isinstance(key, str) else str(key))
        except Exception:  # noqa: BLE001 - as for values
            key = f"<{type(key).__name__}>"
    return _text(key, _MAX_KEY)


def _text(value: str, cut: int) -> str:
    if len(value) > cut:
        value = value[:cut] + "..."
    if not value.isascii():
        # A pair of surrogates is the character it stands for; a lone one is U+FFFD.
        value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def _integer(value: int) -> int | str:
    if _INT_MIN <= value <= _INT_MAX:
        return value
    try:
        return _text(str(value), _MAX_TEXT)
    except ValueError:  # sys.set_int_max_str_digits
        return _text(hex(value), _MAX_KEY)
