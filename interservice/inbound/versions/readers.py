"""Where a version is read: path, header, query. Readers are pure, total on hostile input, and share nothing between requests.

A custom reader is any object with `read(request)`, which gives a sequence of `Reading`s (empty: nothing there, never an error),
and `vary`, the request headers it looked at. All readers of a policy are asked; those that found something must agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import parse_qsl

from interservice.http import TOKEN
from interservice.options import check, text

from .memo import MAX_KEY_CHARACTERS, Memo
from .template import compile_template, looks_like_a_version

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from interservice.http import Request

#: One path segment that is no dot segment.
_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[^/]+"


class Reading(NamedTuple):
    """What a reader found.

    Attributes:
        source: A word for where: path, header, query, content-type, accept, or a custom reader's own.
        raw: The text as the client wrote it.
        rank: None for a plain statement. Alternatives, of which the best that is supported counts, are ranked: more is better.
    """

    source: str
    raw: str
    rank: tuple[float, ...] | None = None


class Reader(Protocol):
    """What a policy asks of a reader."""

    @property
    def vary(self) -> tuple[str, ...]:
        """The request headers that the reading depends on; they are merged into Vary."""

    def read(self, request: Request) -> Sequence[Reading]:
        """What the request says; empty when it says nothing."""


@dataclass(frozen=True, slots=True)
class PathVersion:
    """Reads the version from the path: `PathVersion("/api/v{version}")`.

    The template is matched from the start of the path below the mount, up to the end of a segment: "/v{version}" finds 1 in "/v1"
    and "/v1/orders", 10 in "/v10". Other placeholders stand for one segment or a part of it: "/t/{tenant}/v{version}". Upper and
    lower case differ.

    Args:
        template: A path with exactly one {version}.
        latest: Whether "latest" in the version's place is read as well; `Versions(latest=True)` sees to it.
    """

    template: str
    latest: bool = False
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _known: Memo[str, tuple[Reading, ...]] = field(init=False, repr=False, compare=False, default_factory=Memo)

    def __post_init__(self) -> None:
        pattern = compile_template("PathVersion.template", self.template, version=_SEGMENT, other=_SEGMENT, tail=r"(?=/|\Z)")
        check(self.template.startswith("/"), "PathVersion.template", 'a path that starts with "/"', self.template)
        # Two in one segment could be matched in quadratically many ways.
        single = all(segment.count("{") <= 1 for segment in self.template.split("/"))
        check(single, "PathVersion.template", "a path with at most one placeholder in a segment", self.template)
        object.__setattr__(self, "_pattern", pattern)

    @property
    def vary(self) -> tuple[str, ...]:
        """Nothing: the path is part of every cache's key."""
        return ()

    def spelt(self, raw: str) -> str | None:
        """The template with `raw` for the version; None where it has other placeholders."""
        return self.template.replace("{version}", raw) if self.template.count("{") == 1 else None

    def read(self, request: Request) -> tuple[Reading, ...]:
        """The version that the path names, if it matches the template."""
        found = self._pattern.match(request.path)
        return () if found is None else self._known.get(found[1]) or self._reading(found[1])

    def split(self, path: str) -> tuple[str, str] | None:
        """The part of the path that the template matches, and the rest, empty or starting with "/"; None without a match."""
        found = self._pattern.match(path)
        if found is None or not (found[1] in self._known or self._reading(found[1])):
            return None
        return found[0], path[found.end() :]

    def _reading(self, caught: str) -> tuple[Reading, ...]:
        if not looks_like_a_version(caught) and not (self.latest and caught == "latest"):
            return ()
        reading = (Reading("path", caught),)
        return self._known.keep(caught, reading) if len(caught) <= MAX_KEY_CHARACTERS else reading


@dataclass(frozen=True, slots=True)
class HeaderVersion:
    """Reads the version from a request header: `HeaderVersion("API-Version")`.

    Repeated fields and comma lists are the same thing (RFC 9110 section 5.3); blanks around a value are dropped.

    Args:
        name: The header's name.
    """

    name: str = "API-Version"
    _lower: str = field(init=False, repr=False, compare=False)
    _known: Memo[str, tuple[Reading, ...]] = field(init=False, repr=False, compare=False, default_factory=Memo)

    def __post_init__(self) -> None:
        text("HeaderVersion.name", self.name)
        check(TOKEN.fullmatch(self.name) is not None, "HeaderVersion.name", "a header's name", self.name)
        object.__setattr__(self, "_lower", self.name.lower())

    @property
    def vary(self) -> tuple[str, ...]:
        """The header's name."""
        return (self.name,)

    def read(self, request: Request) -> tuple[Reading, ...]:
        """The versions that the header names."""
        value = request.headers.get(self._lower)
        if value is None:
            return ()
        known = self._known.get(value)
        return self._readings(value) if known is None else known

    def _readings(self, value: str) -> tuple[Reading, ...]:
        members = dict.fromkeys(member.strip(" \t") for member in value.split(","))
        readings = tuple(Reading("header", member) for member in members if member)
        return self._known.keep(value, readings) if len(value) <= MAX_KEY_CHARACTERS else readings


@dataclass(frozen=True, slots=True)
class QueryVersion:
    """Reads the version from a query parameter: `QueryVersion("api-version")`.

    Repeated parameters must agree; values are not split at commas, empty ones count as absent.

    Args:
        name: The parameter's name; upper and lower case differ.
    """

    name: str = "api-version"

    def __post_init__(self) -> None:
        text("QueryVersion.name", self.name)

    @property
    def vary(self) -> tuple[str, ...]:
        """Nothing: the query is part of every cache's key."""
        return ()

    def read(self, request: Request) -> tuple[Reading, ...]:
        """The versions that the query names."""
        if not request.query:
            return ()
        values = dict.fromkeys(value for name, value in parse_qsl(request.query) if name == self.name)
        return tuple(Reading("query", value) for value in values)
