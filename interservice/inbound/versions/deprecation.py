"""How the end of a version is announced: Deprecation (RFC 9745), Sunset (RFC 8594) and Link (RFC 8288, relations of RFC 5829)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from interservice.options import check

#: RFC 3986: what may stand in a URI reference, all else being percent-encoded: no blank, quote, angle bracket, CR or LF.
_REFERENCE = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """When a version became or becomes deprecated, when it goes, and where to read on. All optional.

    Args:
        since: When it is deprecated, past or future, with a time zone. Without it, only the links are sent.
        sunset: When it will no longer be served, with a time zone; not before `since` (RFC 9745 section 4).
        link: A URL that explains the deprecation, in HTML.
        sunset_link: A URL that explains what happens at the sunset (RFC 8594 section 6).
        successor: The URL of the version to use instead (RFC 5829).
        latest: The URL of the latest version (RFC 5829).

    Raises:
        ConfigurationError: A datetime is naive, the sunset precedes the deprecation, or a URL is not percent-encoded.
    """

    since: datetime | None = None
    sunset: datetime | None = None
    link: str | None = None
    sunset_link: str | None = None
    successor: str | None = None
    latest: str | None = None

    def __post_init__(self) -> None:
        for option in ("since", "sunset"):
            value = getattr(self, option)
            aware = value is None or (isinstance(value, datetime) and value.utcoffset() is not None)
            check(aware, f"Deprecation.{option}", "a datetime with a time zone", value)
        if self.since is not None and self.sunset is not None:
            check(
                self.sunset >= self.since,
                "Deprecation.sunset",
                f"no earlier than since ({self.since.isoformat()})",
                self.sunset.isoformat(),
            )
        for option in ("link", "sunset_link", "successor", "latest"):
            value = getattr(self, option)
            encoded = value is None or (isinstance(value, str) and _REFERENCE.fullmatch(value) is not None)
            check(encoded, f"Deprecation.{option}", "a percent-encoded URL", value)

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The response headers that say so, without the links."""
        fields = []
        if self.since is not None:
            # RFC 9651 section 3.3.7: a Date is whole seconds behind "@"; floor, so that it is never announced too late.
            fields.append(("Deprecation", f"@{int(self.since.timestamp() // 1)}"))
        if self.sunset is not None:
            fields.append(("Sunset", format_datetime(self.sunset.astimezone(UTC), usegmt=True)))
        return tuple(fields)

    @property
    def links(self) -> str:
        """The Link field's value, or ""."""
        relations = (
            (self.link, 'rel="deprecation"; type="text/html"'),
            (self.sunset_link, 'rel="sunset"'),
            (self.successor, 'rel="successor-version"'),
            (self.latest, 'rel="latest-version"'),
        )
        return ", ".join(f"<{url}>; {relation}" for url, relation in relations if url is not None)
