"""The grammar of versions, their order and equality, and `Version`, the one that a request got.

    version = ( date [ "." num [ "." num ] ] / num *2( "." num ) ) [ "-" status ] / date "." name

Strict: ASCII only, no leading zeros, real calendar days, at most 64 characters; anything else is no version. `parse` is total.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

#: No version is longer than this.
MAX_CHARACTERS = 64

_NUM = "(?:0|[1-9][0-9]{0,8})"
_WORD = "[A-Za-z][A-Za-z0-9.]{0,31}"
_NUMBERS = re.compile(rf"({_NUM})(?:\.({_NUM}))?(?:\.({_NUM}))?(?:-({_WORD}))?", re.ASCII)
_DATE = re.compile(
    rf"([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})(?:(?:\.({_NUM})(?:\.({_NUM}))?)?(?:-({_WORD}))?|\.({_WORD}))",
    re.ASCII,
)


class Number(NamedTuple):
    """What a version's text means. Equal for equal spellings (1, 1.0, 1.0.0), ordered, hashable.

    The order of the fields is the order of versions: numbers before dates; dates by day; 2.0-beta before 2.0.

    Attributes:
        day: The proleptic ordinal of a dated version's day; 0 for a numbered one.
        major: The first number; of a dated version, the one behind the day.
        minor: The second number.
        patch: The third number.
        stable: Whether there is no status.
        status: The status in lower case, such as "beta", or "".
        name: A dated version's name in lower case, as Stripe's "clover", or "".
    """

    day: int = 0
    major: int = 0
    minor: int = 0
    patch: int = 0
    stable: bool = True
    status: str = ""
    name: str = ""


def parse(text: str) -> Number | None:
    """The meaning of a version's text, or None when it is not one."""
    if len(text) > MAX_CHARACTERS:
        return None
    if match := _NUMBERS.fullmatch(text):
        major, minor, patch, status = match.groups()
        return Number(0, int(major), int(minor or 0), int(patch or 0), status is None, (status or "").lower())
    if match := _DATE.fullmatch(text):
        year, month, day, first, second, status, name = match.groups()
        try:
            ordinal = date(int(year), int(month), int(day)).toordinal()
        except ValueError:
            return None
        return Number(ordinal, int(first or 0), int(second or 0), 0, status is None, (status or "").lower(), (name or "").lower())
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """The API version that answers a request: `current().version`.

    `str()` gives it as the service configured it: asked for "v1", served "1.0", it reads "1.0". It compares, by meaning, with
    other versions and with strings: `current().version >= "2"`. As "1" and "1.0" are equal but hash apart, it is not hashable:
    use `str()` for keys.

    Attributes:
        text: The version as configured.
        number: What the text means.
        source: Where it was read: path, header, query, content-type, accept, default, or a custom reader's own word.
        raw: What the client wrote; None when the default answered.
        deprecated: Whether it should no longer be used.
    """

    text: str
    number: Number
    source: str
    raw: str | None = None
    deprecated: bool = False

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        number = _number(other)
        return NotImplemented if number is None and not isinstance(other, str) else self.number == number

    def __lt__(self, other: object) -> bool:
        number = _number(other)
        return NotImplemented if number is None else self.number < number

    def __le__(self, other: object) -> bool:
        number = _number(other)
        return NotImplemented if number is None else self.number <= number

    def __gt__(self, other: object) -> bool:
        number = _number(other)
        return NotImplemented if number is None else self.number > number

    def __ge__(self, other: object) -> bool:
        number = _number(other)
        return NotImplemented if number is None else self.number >= number


def _number(value: object) -> Number | None:
    """What `value` means as a version, or None when it is none."""
    if isinstance(value, Version):
        return value.number
    return parse(value) if isinstance(value, str) else None
