"""W3C Trace Context (level 2): where a request stands in a trace, read strictly and written on.

A header that is not to the letter of the grammar starts a new trace; a bad `tracestate` is dropped, and never the parent.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

#: Trace Context level 2, section 2.2: lower-case hex; version ff and all-zero ids are invalid.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_MEMBER = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]", re.ASCII)
_MAX_MEMBERS = 32
SAMPLED = 0x01
RANDOM = 0x02


class Trace(NamedTuple):
    """One span's place in a trace.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits, ours.
        parent_id: The caller's span, or None where the trace starts here.
        flags: Bit 0 sampled, bit 1 random trace id (level 2).
        state: The `tracestate` list as it is sent on, or "".
    """

    trace_id: str
    span_id: str
    parent_id: str | None = None
    flags: int = RANDOM
    state: str = ""

    @property
    def sampled(self) -> bool:
        """Whether the caller recorded this trace."""
        return bool(self.flags & SAMPLED)

    @property
    def traceparent(self) -> str:
        """The header that says this span is the parent."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    def child(self, bits: Callable[[int], int] = random.getrandbits) -> Trace:
        """A new span below this one, in the same trace."""
        return Trace(self.trace_id, new_span_id(bits), self.span_id, self.flags, self.state)


def new_span_id(bits: Callable[[int], int] = random.getrandbits) -> str:
    """Sixteen random hexadecimal digits, never all zero. The module's generator is reseeded after a fork."""
    return (bits(64) or 1).to_bytes(8).hex()  # half of what formatting takes


def new_trace(bits: Callable[[int], int] = random.getrandbits) -> Trace:
    """A trace that starts here: random ids, the random flag set, not sampled."""
    return Trace((bits(128) or 1).to_bytes(16).hex(), new_span_id(bits))


def parse_traceparent(value: str) -> tuple[str, str, int] | None:
    """Trace id, span id and flags of a `traceparent`; None when it is not to the letter.

    Version 00 has exactly four parts; later versions may have more, which are ignored (section 2.2.4 and "Versioning").
    """
    match = _TRACEPARENT.fullmatch(value) or _TRACEPARENT.fullmatch(value.strip(" \t"))
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if more is not None and version == "00":
        return None
    return trace_id, span_id, int(flags, 16) & (SAMPLED | RANDOM)


def parse_tracestate(value: str) -> str:
    """The list as it is sent on; "" when any part breaks the grammar or it has more than 32 members (section 2.3).

    Of a key that comes again the first stays: duplicates may be discarded ("Mutating the tracestate Field").
    """
    if not value:
        return ""
    members = [member for part in value.split(",") if (member := part.strip(" \t"))]
    if len(members) > _MAX_MEMBERS or not all(map(_MEMBER.fullmatch, members)):
        return ""
    first: dict[str, str] = {}
    for member in members:
        first.setdefault(member.partition("=")[0], member)
    return ",".join(first.values())
