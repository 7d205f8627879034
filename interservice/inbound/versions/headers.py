"""What a response says about versions: lists, the matched one, Deprecation, Sunset, Link and Vary.

Worked out when the policy is made, for each version and each phase between enforced sunsets; a response only has it added.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from .accept import parse_media_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from interservice.http import Head

    from .catalog import Known


class Fields:
    """The fields for one kind of response, ready to be added.

    Args:
        defaults: Fields that the application may set itself; its own value stays.
        links: The value of a further Link field, or "".
        vary: Names to merge into Vary.
        label: A Content-Type parameter for JSON responses that lack it, or None.
    """

    __slots__ = ("_all", "_defaults", "_label", "_links", "_names", "_vary")

    def __init__(
        self,
        defaults: Iterable[tuple[str, str]],
        links: str = "",
        vary: tuple[str, ...] = (),
        label: tuple[str, str] | None = None,
    ) -> None:
        self._defaults = tuple(defaults)
        self._links = (("Link", links),) if links else ()
        self._vary = vary
        self._label = label
        merged = (("Vary", ", ".join(vary)),) if vary else ()
        self._all = (*self._defaults, *self._links, *merged)
        self._names = frozenset(name.lower() for name, _ in (*self._defaults, *merged))

    def amend(self, head: Head) -> None:
        """Add the fields to a response's head."""
        headers, names = head.headers, self._names
        for sent, _ in headers:
            if sent.lower() in names:
                self._merge(head)
                break
        else:
            headers += self._all
        if self._label is not None:
            _label(head, *self._label)

    def _merge(self, head: Head) -> None:
        """Add the fields to those that the application has set itself."""
        for name, value in self._defaults:
            head.default(name, value)
        head.headers += self._links
        head.vary(*self._vary)


class Table(NamedTuple):
    """All that responses say during one phase: from one enforced sunset to the next.

    Attributes:
        supported: The texts of what is served and not deprecated, oldest first.
        deprecated: The texts of what is served and deprecated, oldest first.
        unversioned: The fields of responses without a version: refusals and preflights.
        versions: The fields of a version's responses, by its text.
    """

    supported: tuple[str, ...]
    deprecated: tuple[str, ...]
    unversioned: Fields
    versions: Mapping[str, Fields]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """What responses are to say.

    Args:
        advertise: Whether the versions are listed.
        echo: The field that names the version which answered, or None.
        warn: Whether a Warning field is sent with deprecated versions.
        vary: The request headers that versions are read from.
        label: The Content-Type parameter that names the version, or None.
    """

    advertise: bool
    echo: str | None
    warn: bool
    vary: tuple[str, ...]
    label: str | None

    def table(self, served: Sequence[Known], now: float) -> Table:
        """What responses say at `now`, seconds since the epoch; versions that are gone by then are not listed."""
        listed = [known for known in served if not known.gone(now)]
        supported = tuple(known.text for known in listed if known.deprecation is None)
        deprecated = tuple(known.text for known in listed if known.deprecation is not None)
        lists = (("api-supported-versions", ", ".join(supported)), ("api-deprecated-versions", ", ".join(deprecated)))
        common = tuple(pair for pair in lists if pair[1] and self.advertise)
        versions = {known.text: self._fields(known, common) for known in served}
        return Table(supported, deprecated, Fields(common, vary=self.vary), versions)

    def _fields(self, known: Known, common: tuple[tuple[str, str], ...]) -> Fields:
        echoed = () if self.echo is None else ((self.echo, known.text),)
        links = "" if known.deprecation is None else known.deprecation.links
        warned = _warning(known) if self.warn else ()
        label = None if self.label is None else (self.label, known.text)
        return Fields((*common, *echoed, *announcement(known), *warned), links, self.vary, label)


def announcement(known: Known | None) -> tuple[tuple[str, str], ...]:
    """Deprecation and Sunset of a version; nothing for one that is not deprecated."""
    return () if known is None or known.deprecation is None else known.deprecation.fields


def _warning(known: Known) -> tuple[tuple[str, str], ...]:
    """The Warning field that Kubernetes' clients print; RFC 9111 obsoletes it."""
    if known.deprecation is None:
        return ()
    sunset = known.deprecation.sunset
    until = "" if sunset is None else f"; it is promised until {sunset.astimezone(UTC):%Y-%m-%d}"
    return (("Warning", f'299 - "API version {known.text} is deprecated{until}"'),)


def _label(head: Head, parameter: str, value: str) -> None:
    """Name the version on a JSON response's Content-Type, unless it does already."""
    sent = head.get("Content-Type")
    media = None if sent is None else parse_media_type(sent)
    if sent is None or media is None or media.values(parameter.lower()):
        return
    if media.subtype == "json" or (media.subtype.endswith("+json") and media.subtype != "problem+json"):
        head.set("Content-Type", f"{sent.rstrip(' ;')}; {parameter}={value}")
