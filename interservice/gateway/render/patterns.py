"""Regular expressions for paths and versions, in the grammar that PCRE, RE2 and Go have in common.

They match whole paths, as sent, without the query. Whatever is put into one is either checked or escaped here: letters, digits
and a few signs stand for themselves, and nothing else does.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interservice.inbound.versions import PathVersion
    from interservice.inbound.versions.version import Number

#: RFC 3986 section 2.3.
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
#: RFC 3986 section 3.3: these may stand in a path, and may be encoded; ";" makes a path ambiguous.
_OPTIONAL: Final = frozenset("!$&'()*+,=:@")
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
_SEGMENT: Final = "[^/]+"

#: What the gate finds ambiguous, as it looks before it is decoded; and an escape that nobody needs, as "%61" for "a", which would
#: make a path pass for another one where it is not decoded.
AMBIGUOUS: Final = (
    r".*(?://|;|\\|%3[Bb]|%2[Ff]|%5[Cc]|%00|%25(?:2[Ff]|5[Cc]|00)|/\.\.?(?:/.*)?$"
    r"|%(?:2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])).*"
)


def literal(text: str) -> str:
    """A pattern for `text` in a path as it may be sent: unreserved characters as they are, others perhaps or always encoded."""
    return "".join(_character(character) for character in text)


def _character(character: str) -> str:
    if character in _UNRESERVED or character == "/":
        return f"\\{character}" if character in ".-~" else character
    escaped = "".join(f"%{_hex(byte >> 4)}{_hex(byte & 15)}" for byte in character.encode())
    return f"(?:[{character}]|{escaped})" if character in _OPTIONAL else escaped


def _hex(digit: int) -> str:
    upper = f"{digit:X}"
    return upper if upper.isdecimal() else f"[{upper}{upper.lower()}]"


def template(reader: PathVersion, version: str = "[0-9][^/]*") -> str:
    """The beginning of a path in which a version stands that the pattern `version` has; by default, whatever looks like one."""
    parts = _PLACEHOLDER.split(reader.template)
    pieces = [literal(parts[0])]
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        pieces += [f"(?:{version})" if name == "version" else _SEGMENT, literal(text)]
    return "".join(pieces)


def below(prefix: str, leads: Sequence[str] = ()) -> str:
    """Paths that are `prefix` or below it, behind one of `leads` or not."""
    return f"{_optional(leads)}{literal(prefix.rstrip('/'))}(?:/.*)?"


def behind(lead: str) -> str:
    """Paths that begin with the pattern `lead`, whole segments of them."""
    return f"{lead}(?:/.*)?"


def _optional(leads: Sequence[str]) -> str:
    return f"(?:{'|'.join(leads)})?" if leads else ""


def spellings(number: Number) -> str:
    """Every way to write a version that means `number`: "1" is "1.0" and "1.0.0", and a status or a name has no case."""
    if number.day:
        head, tail = date.fromordinal(number.day).isoformat(), [number.major, number.minor]
    else:
        head, tail = str(number.major), [number.minor, number.patch]
    pieces = [head.replace("-", r"\-"), _zeros(tail)]
    if number.name:
        pieces = [pieces[0], r"\.", _caseless(number.name)]
    elif number.status:
        pieces += [r"\-", _caseless(number.status)]
    return "".join(pieces)


def _zeros(numbers: Sequence[int]) -> str:
    """Further numbers, of which zeros at the end may be left out."""
    pattern = ""
    for number in reversed(numbers):
        pattern = rf"\.{number}{pattern}" if number or pattern.startswith(r"\.") else rf"(?:\.0{pattern})?"
    return pattern


def _caseless(word: str) -> str:
    return "".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else f"\\{c}" if c == "." else c for c in word)


def rule_path(path: str, leads: Sequence[str] = ()) -> str:
    """The paths of a rule, behind one of `leads` or not."""
    everything = path.endswith("/**")
    segments = path.removesuffix("/**").split("/")[1:]
    body = "".join("/" + (_SEGMENT if segment.startswith("{") else literal(segment)) for segment in segments)
    return _optional(leads) + body + ("(?:/.*)?" if everything else "")
