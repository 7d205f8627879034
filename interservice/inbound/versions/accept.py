"""Media types and Accept, as RFC 9110 sections 5.6 and 12.5.1 have them: total, linear in the text, and bounded.

A member that does not follow the grammar is ignored, so is one with a malformed weight; nothing beyond the caps is read.
"""

from __future__ import annotations

import re
from typing import NamedTuple

#: Members of an Accept field that are read.
MAX_MEMBERS = 64
#: Characters of a field that are read.
MAX_CHARACTERS = 8192

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_TYPE = re.compile(rf"[ \t]*({_WORD})/({_WORD})")
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*(?:({_WORD})(?:=({_WORD}|{_QUOTED}))?)?")
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?", re.ASCII)
_TOKEN = re.compile(_WORD)
_SPECIAL = re.compile(r'["\\]')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
#: A quoted string, closed or not; a run without quote and comma; or the comma itself.
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[^",]+|,', re.DOTALL)


class MediaRange(NamedTuple):
    """One media range or type. Type, subtype and parameter names are in lower case, values as sent and unquoted.

    Attributes:
        type: Such as "application", or "*".
        subtype: Such as "json", or "*".
        parameters: Those before the weight; what follows it are extensions of Accept and is dropped.
        q: The weight, 0 to 1.
    """

    type: str
    subtype: str
    parameters: tuple[tuple[str, str], ...] = ()
    q: float = 1.0

    @property
    def specificity(self) -> tuple[int, int]:
        """How precisely it says what is wanted: RFC 9110 section 12.5.1 prefers the more specific range."""
        exact = 0 if self.type == "*" else 1 if self.subtype == "*" else 2
        return (exact, len(self.parameters))

    def values(self, name: str) -> list[str]:
        """The values of a parameter, named in lower case."""
        return [value for key, value in self.parameters if key == name]

    def __str__(self) -> str:
        weight = "" if self.q == 1 else f";q={self.q:g}"
        return f"{self.type}/{self.subtype}" + "".join(f";{key}={_written(value)}" for key, value in self.parameters) + weight


def parse_accept(text: str) -> tuple[MediaRange, ...]:
    """The members of an Accept field that are well-formed, in the order sent."""
    ranges = (_parse_range(member) for member in members(text))
    return tuple(found for found in ranges if found is not None)


def parse_media_type(text: str) -> MediaRange | None:
    """A Content-Type's media type, or None when it is malformed or a range."""
    found = _parse_range(text, weighted=False) if len(text) <= MAX_CHARACTERS else None
    return None if found is None or "*" in (found.type, found.subtype) else found


def members(text: str) -> list[str]:
    """The members of a list field, split at commas outside quoted strings; empty ones skipped (RFC 9110 section 5.6.1)."""
    whole = len(text) <= MAX_CHARACTERS
    found = [""]
    for piece in _PIECE.findall(text[:MAX_CHARACTERS]):
        if piece == ",":
            if found[-1].strip(" \t"):
                if len(found) == MAX_MEMBERS:
                    return found
                found.append("")
            else:
                found[-1] = ""
        else:
            found[-1] += piece
    return found if whole else found[:-1]


def _parse_range(member: str, *, weighted: bool = True) -> MediaRange | None:
    """One member of Accept, or None when it is malformed."""
    head = _TYPE.match(member)
    if head is None:
        return None
    type_, subtype = head[1].lower(), head[2].lower()
    if type_ == "*" and subtype != "*":
        return None
    parameters: list[tuple[str, str]] = []
    weight: float | None = None
    position = head.end()
    while found := _PARAMETER.match(member, position):
        position = found.end()
        name, value = found[1], found[2]
        if name is None or weight is not None:
            continue
        if value is None:
            return None
        if weighted and name in {"q", "Q"}:
            if _WEIGHT.fullmatch(value) is None:
                return None
            weight = float(value)
        else:
            parameters.append((name.lower(), _unquoted(value)))
    if member[position:].strip(" \t"):
        return None
    return MediaRange(type_, subtype, tuple(parameters), 1.0 if weight is None else weight)


def _written(value: str) -> str:
    """A parameter's value, quoted where it must be."""
    return value if _TOKEN.fullmatch(value) else '"' + _SPECIAL.sub(r"\\\g<0>", value) + '"'


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
