"""Versions in media types: a parameter (`application/json; version=2`) or a vendor's name (`application/vnd.acme.v2+json`).

Only media types that the reader is told of are looked at, so that a browser's `application/signed-exchange;v=b3` is not ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interservice.options import check, strings, text

from .accept import MediaRange, members, parse_accept, parse_media_type
from .memo import MAX_KEY_CHARACTERS, Memo
from .readers import Reading
from .template import compile_template, looks_like_a_version
from .version import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interservice.http import Request

_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.\-]+/(?:[A-Za-z0-9!#$&^_.+\-]+|\*(?:\+[A-Za-z0-9.\-]+)?)", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9!#$&^_.+\-]+", re.ASCII)
#: What a vendor's placeholder stands for: not across the suffix (RFC 6839) or the type.
_FACETS = r"[^/+]+"
_FACET = r"[^/+.]+"


@dataclass(frozen=True, slots=True)
class MediaTypeVersion:
    """Reads the version from Accept and from Content-Type: `MediaTypeVersion("version")`.

    Accept is walked by weight, then by specificity (RFC 9110 section 12.5.1): the first member with a supported version counts.
    Members with q=0 exclude their version. Wildcards count where they cover one of the media types: `*/*; version=1`.

    Args:
        parameter: The parameter that holds the version, or None to read the template alone.
        media_types: The types that are looked at; the subtype may be "*" or "*+suffix".
        template: A vendor's media type with one {version}, such as "application/vnd.acme.v{version}+json". Without a
            suffix it fits any suffix and none.
        label: Whether JSON responses that do not name their version get the parameter on their Content-Type.
    """

    parameter: str | None = "version"
    media_types: Sequence[str] = ("application/json", "application/*+json")
    template: str | None = None
    label: bool = False
    _types: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _vendor: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)
    _accepted: Memo[str, tuple[Reading, ...]] = field(init=False, repr=False, compare=False, default_factory=Memo)
    _sent: Memo[str, tuple[Reading, ...]] = field(init=False, repr=False, compare=False, default_factory=Memo)
    _plain: Memo[str, str] = field(init=False, repr=False, compare=False, default_factory=Memo)

    def __post_init__(self) -> None:
        text("MediaTypeVersion.parameter", self.parameter, optional=self.template is not None)
        if self.parameter is not None:
            named = _NAME.fullmatch(self.parameter) is not None and self.parameter.lower() != "q"
            check(named, "MediaTypeVersion.parameter", 'a parameter\'s name other than "q"', self.parameter)
        types = tuple(item.lower() for item in strings("MediaTypeVersion.media_types", self.media_types))
        for item in types:
            check(
                _TYPE.fullmatch(item) is not None,
                "MediaTypeVersion.media_types",
                'media types such as "application/*+json"',
                item,
            )
        object.__setattr__(self, "media_types", types)
        object.__setattr__(self, "_types", re.compile("|".join(map(_type_pattern, types)) or r"(?!)"))
        if self.template is not None:
            check("/" in self.template, "MediaTypeVersion.template", "a media type", self.template)
            tail = r"\Z" if "+" in self.template else r"(?:\+[^/+]+)?\Z"
            vendor = compile_template("MediaTypeVersion.template", self.template, version=_FACETS, other=_FACET, tail=tail)
            object.__setattr__(self, "_vendor", re.compile(vendor.pattern, vendor.flags | re.IGNORECASE))

    @property
    def vary(self) -> tuple[str, ...]:
        """Accept. Content-Type needs none: it belongs to requests with a body, whose answers are not reused."""
        return ("Accept",)

    def read(self, request: Request) -> tuple[Reading, ...]:
        """What Content-Type states, then what Accept asks for, ranked."""
        readings: tuple[Reading, ...] = ()
        sent = request.headers.get("content-type")
        if sent is not None:
            known = self._sent.get(sent)
            readings = self._read_content_type(sent) if known is None else known
        accept = request.headers.get("accept")
        if accept is not None:
            known = self._accepted.get(accept)
            readings += self._read_accept(accept) if known is None else known
        return readings

    def without_versions(self, accept: str) -> str:
        """An Accept field as it would be if versions did not exist: without the parameter, a vendor's type as its suffix.

        Members that name no version stay as they were sent; what is beyond the caps of `parse_accept` goes.
        """
        known = self._plain.get(accept)
        if known is not None:
            return known
        plain = ", ".join(self._without_version(member.strip(" \t")) for member in members(accept) if member.strip(" \t"))
        return self._plain.keep(accept, plain) if len(accept) <= MAX_KEY_CHARACTERS else plain

    def _without_version(self, member: str) -> str:
        media = next(iter(parse_accept(member)), None)
        if media is None or self._version_of(media) is None:
            return member
        suffix = media.subtype.rpartition("+")[2]
        vendor = self._vendor is not None and self._vendor.fullmatch(f"{media.type}/{media.subtype}") is not None
        name = (self.parameter or "").lower()
        kept = MediaRange(
            media.type,
            suffix if vendor and "+" in media.subtype else media.subtype,
            tuple((key, value) for key, value in media.parameters if key != name),
            media.q,
        )
        return str(kept)

    def covers(self, media: MediaRange) -> bool:
        """Whether a type is one of ours, or a range covers one of ours."""
        if media.type == "*":
            return True
        if media.subtype == "*":
            return any(item.startswith(f"{media.type}/") for item in (*self.media_types, (self.template or "").lower()))
        return self._types.fullmatch(f"{media.type}/{media.subtype}") is not None

    def _read_content_type(self, value: str) -> tuple[Reading, ...]:
        media = parse_media_type(value)
        raw = None if media is None else self._version_of(media)
        readings = () if raw is None else (Reading("content-type", raw),)
        return self._sent.keep(value, readings) if len(value) <= MAX_KEY_CHARACTERS else readings

    def _read_accept(self, value: str) -> tuple[Reading, ...]:
        found = [(media, raw) for media in parse_accept(value) if (raw := self._version_of(media)) is not None]
        excluded = {raw for media, raw in found if media.q == 0}
        numbers = {parse(raw) for raw in excluded} - {None}
        ranked = sorted(
            (
                Reading("accept", raw, (media.q, *media.specificity))
                for media, raw in found
                if raw not in excluded and parse(raw) not in numbers
            ),
            key=_by_rank,
            reverse=True,
        )
        readings = tuple(ranked)
        return self._accepted.keep(value, readings) if len(value) <= MAX_KEY_CHARACTERS else readings

    def _version_of(self, media: MediaRange) -> str | None:
        """The text of the version that a media type names, or None. Contradiction within one gives a text that is no version."""
        named: list[str] = []
        vendor = None if self._vendor is None else self._vendor.fullmatch(f"{media.type}/{media.subtype}")
        if vendor is not None and looks_like_a_version(vendor[1]):
            named.append(vendor[1])
        if self.parameter is not None and (vendor is not None or self.covers(media)):
            named += [value for value in media.values(self.parameter.lower()) if value]
        if len({parse(raw) or raw for raw in named}) > 1:
            return ", ".join(named)
        return named[0] if named else None


def _by_rank(reading: Reading) -> tuple[float, ...]:
    return reading.rank or ()


def _type_pattern(media_type: str) -> str:
    return re.escape(media_type).replace(r"\*", r"[^/]+?")
