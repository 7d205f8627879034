"""What answers say of the end of what was called: Deprecation (RFC 9745), Sunset (RFC 8594) and Link (RFC 8288), and who is told.

What a peer sends is read leniently and never raises; what cannot be read is as if it were not there.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from interservice.events import DeprecatedCall

from .retry_after import parse_date

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from interservice.events import Listeners

    #: The values of a response's field, by its name.
    Fields = Callable[[str], Sequence[str]]

_LOG = logging.getLogger("interservice")
#: RFC 9651 section 3.3.7: seconds behind "@", parameters ignored.
_DATE_ITEM = re.compile(r"@(-?[0-9]{1,15})(?:[ ]*;.*)?", re.ASCII | re.DOTALL)
_YES = frozenset({"true", "?1"})
_LAST_MOMENT = 253_402_300_799  # the end of 9999

#: RFC 8288 section 3: <target>; name=token; name="quoted". Possessive, so that no text is matched in more than one way.
_LINK = re.compile(r'\s*+<([^<>]*+)>((?:\s*+;\s*+[^\s=;,"]++(?:\s*+=\s*+(?:"(?:[^"\\]|\\.)*+"|[^\s;,"]*+))?+)*+)\s*+(?:,|\Z)')
_PARAMETER = re.compile(r';\s*+([^\s=;,"]++)(?:\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s;,"]*+)))?+')
#: The relations that are about the end of a version (RFC 9745 section 3, RFC 8594 section 6, RFC 5829).
RELATIONS = frozenset({"deprecation", "sunset", "successor-version", "latest-version"})
_MAX_CHARACTERS = 8192
_MAX_LINKS = 64
#: Dependencies that are remembered as warned of; a crawler's must not grow without bound.
_MOST = 1024


class Lifecycle(NamedTuple):
    """What an answer says of the end of what was called. Times are seconds since the epoch.

    Attributes:
        deprecated: Whether it is deprecated by now.
        since: When it was or will be, or None.
        sunset: When it may be gone, or None.
        links: Absolute URLs by relation.
    """

    deprecated: bool
    since: float | None
    sunset: float | None
    links: Mapping[str, str]


def lifecycle(fields: Fields, url: str, now: float) -> Lifecycle | None:
    """What an answer says of the end of what was called; None when it says nothing.

    Args:
        fields: The values of a response's field, by its name.
        url: What was called; relative links start there.
        now: Seconds since the epoch.
    """
    announced, dated = fields("Deprecation"), fields("Sunset")
    if not announced and not dated:
        return None
    told = next((one for value in announced if (one := parse_deprecation(value, now)) is not None), None)
    sunset = next((at for value in dated if (at := parse_date(value, now)) is not None), None)
    if told is None and sunset is None:
        return None
    deprecated, since = told or (False, None)
    return Lifecycle(deprecated, since, sunset, parse_links(fields("Link"), url))


def parse_deprecation(value: str, now: float) -> tuple[bool, float | None] | None:
    """Whether a Deprecation field says deprecated by `now`, and since when; None when it says no, or cannot be read.

    RFC 9745's "@1688169599"; and what its drafts had and many services still send: an HTTP date, or "true".
    """
    word = value.strip(" \t")[:_MAX_CHARACTERS]
    if word.lower() in _YES:
        return True, None
    match = _DATE_ITEM.fullmatch(word)
    if match is not None:
        seconds = float(match[1])
        return (seconds <= now, seconds) if 0 <= seconds <= _LAST_MOMENT else None
    since = parse_date(word, now)
    return None if since is None else (since <= now, since)


def parse_links(values: Sequence[str], url: str) -> dict[str, str]:
    """The URLs of the relations that are about the end of a version, made absolute; the first of each relation counts.

    Links about another resource (with an anchor), and to anything but http and https, are left out.
    """
    found: dict[str, str] = {}
    for value in values:
        position = 0
        for _ in range(_MAX_LINKS):
            match = _LINK.match(value[:_MAX_CHARACTERS], position)
            if match is None:
                break
            position = match.end()
            _note_link(found, match[1].strip(), match[2], url)
    return found


def _note_link(found: dict[str, str], reference: str, parameters: str, url: str) -> None:
    words = {name.lower(): quoted or bare for name, quoted, bare in reversed(_PARAMETER.findall(parameters))}
    if "anchor" in words:
        return
    relations = RELATIONS.intersection(words.get("rel", "").lower().split())
    if not relations:
        return
    try:
        absolute = urljoin(url, reference)
        scheme = urlsplit(absolute).scheme
    except ValueError:
        return
    if scheme in ("http", "https") and absolute.isprintable():
        for relation in relations:
            found.setdefault(relation, absolute)


class Notices:
    """Tells of deprecated dependencies: an event for each call, a warning in the log once for each dependency and process."""

    __slots__ = ("_warned",)

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def look(
        self, fields: Fields, url: str, now: float, *, service: str | None, version: str | None, listeners: Listeners
    ) -> None:
        """Look at an answer.

        Args:
            fields: The values of a response's field, by its name.
            url: What was called, without what may be secret.
            now: Seconds since the epoch.
            service: The service's name, or None.
            version: The version that was asked for, or None.
            listeners: Are told `DeprecatedCall`.
        """
        told = lifecycle(fields, url, now)
        if told is None:
            return
        if listeners:
            listeners(DeprecatedCall(service, url, version, *told))
        dependency = service or urlsplit(url).netloc
        if dependency not in self._warned and len(self._warned) < _MOST:
            self._warned.add(dependency)
            _LOG.warning("%s", _sentence(dependency, version, told))


def _sentence(dependency: str, version: str | None, told: Lifecycle) -> str:
    """What an operator should read."""
    what = f"version {version} of {dependency}" if version is not None else dependency
    said = []
    if told.deprecated:
        said.append("is deprecated" + ("" if told.since is None else f" since {_day(told.since)}"))
    elif told.since is not None:
        said.append(f"will be deprecated on {_day(told.since)}")
    if told.sunset is not None:
        said.append(f"may be gone from {_day(told.sunset)} on")
    links = ", ".join(f"{relation}: {url}" for relation, url in sorted(told.links.items()))
    return f"{what} {' and '.join(said)}" + (f" ({links})" if links else "")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
