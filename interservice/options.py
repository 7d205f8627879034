"""Checks of option values: nonsense is refused when an object is made, in a message that names option and value.

>>> number("Retry.attempts", 0, at_least=1)
Traceback (most recent call last):
interservice.errors.ConfigurationError: Retry.attempts must be at least 1, not 0
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from .errors import ConfigurationError


def check(ok: bool, option: str, rule: str, value: object) -> None:  # noqa: FBT001 - the condition is the point of the call
    """Raise `ConfigurationError` saying that `option` must be `rule` unless `ok`."""
    if not ok:
        msg = f"{option} must be {rule}, not {value!r}"
        raise ConfigurationError(msg)


def number(
    option: str,
    value: object,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    integer: bool = False,
    optional: bool = False,
) -> None:
    """Refuse `value` unless it is a finite number (an int when `integer`, or None when `optional`) within the bounds."""
    if value is None and optional:
        return
    kind = "a whole number" if integer else "a number"
    kinds = (int,) if integer else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
        check(False, option, kind, value)  # noqa: FBT003
        return
    check(at_least is None or value >= at_least, option, f"at least {at_least}", value)
    check(above is None or value > above, option, f"more than {above}", value)
    check(at_most is None or value <= at_most, option, f"at most {at_most}", value)


def one_of(option: str, value: object, choices: Iterable[object]) -> None:
    """Refuse `value` unless it is one of `choices`."""
    known = tuple(choices)
    check(value in known, option, "one of " + ", ".join(map(repr, known)), value)


def strings(option: str, value: object) -> tuple[str, ...]:
    """Give `value` as a tuple of strings; a bare string, or anything but non-empty strings, is refused rather than split."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        check(False, option, "a list of strings", value)  # noqa: FBT003
        return ()
    items = tuple(value)
    check(all(isinstance(item, str) and item for item in items), option, "a list of non-empty strings", value)
    return items


def text(option: str, value: object, *, optional: bool = False) -> None:
    """Refuse `value` unless it is a non-empty string (or None when `optional`)."""
    if value is None and optional:
        return
    check(isinstance(value, str) and bool(value), option, "a non-empty string", value)
