"""Several APIs behind one gate, each with versions of its own: chosen by host, by path, or by both.

The choice is a pure function of the request's head, so that the same set speaks when it is asked again for the response.
"""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from interservice.errors import ConfigurationError, Rejection
from interservice.inbound.policy import Policy
from interservice.options import check

from .neutral import has_dot_segments
from .policy import Versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interservice.exchange import Exchange
    from interservice.http import Head, Request

#: A host name or address, then a path; one of them may be missing.
_KEY = re.compile(r"(?P<host>[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])?(?P<prefix>(?:/[^/?#\s]+)*)", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class VersionSets(Policy):
    """Negotiates by one of several `Versions`, for APIs that share a gate: `VersionSets({"/billing": a, "orders.example": b})`.

    Keys are a path prefix, which counts from the root and up to the end of a segment; a host, without port; or both
    ("orders.example/admin"). A key with a host goes before one without, then the longest prefix counts. The templates and globs
    of the chosen `Versions` are about the whole path below the mount, as they are without sets:
    `PathVersion("/billing/v{version}")`.

    Args:
        sets: `Versions` by key.
        otherwise: Negotiates for every other request; None leaves those without a version.

    Raises:
        ConfigurationError: There is no set, a key is neither host nor path, or a value is no `Versions`.
    """

    sets: Mapping[str, Versions]
    _: KW_ONLY
    otherwise: Versions | None = None
    _ordered: tuple[tuple[str, str, Versions], ...] = field(init=False, repr=False)
    _by_path: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        given = hasattr(self.sets, "items") and bool(self.sets)
        check(given, "VersionSets.sets", "a mapping of hosts or paths to Versions", self.sets)
        check(
            self.otherwise is None or isinstance(self.otherwise, Versions),
            "VersionSets.otherwise",
            "a Versions or None",
            self.otherwise,
        )
        found: dict[tuple[str, str], Versions] = {}
        for key, versions in self.sets.items():
            place = _place(key)
            check(place not in found, "VersionSets.sets", "free of keys that mean the same", key)
            check(isinstance(versions, Versions), f"VersionSets.sets[{key!r}]", "a Versions", versions)
            found[place] = versions
        ordered = sorted(found.items(), key=lambda item: (bool(item[0][0]), len(item[0][1])), reverse=True)
        object.__setattr__(self, "sets", MappingProxyType(dict(self.sets)))
        object.__setattr__(self, "_ordered", tuple((host, prefix, versions) for (host, prefix), versions in ordered))
        object.__setattr__(self, "_by_path", any(prefix for _, prefix, _ in self._ordered))

    def admit(self, exchange: Exchange) -> None:
        """Find the version by the set that the request belongs to.

        Raises:
            Rejection: As `Versions` refuses; or 404 for a path with dot segments, where paths choose the set.
        """
        request = exchange.request
        if self._by_path and has_dot_segments(request.path):
            # Whoever resolves them behind us would find another API than the one that was decided on.
            raise Rejection("The path has dot segments.", status=404, code="not_found")
        versions = self.of(request)
        if versions is not None:
            versions.admit(exchange)

    def respond(self, exchange: Exchange, head: Head) -> None:
        """Say on the response what the chosen set says."""
        versions = self.of(exchange.request)
        if versions is not None:
            versions.respond(exchange, head)

    def of(self, request: Request) -> Versions | None:
        """The versions that a request's host and path choose; None where it has none."""
        path = request.mount + request.path
        host: str | None = None
        for wanted, prefix, versions in self._ordered:
            if wanted:
                if host is None:
                    host = _host(request.headers.get("host") or "")
                if host != wanted:
                    continue
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
                return versions
        return self.otherwise


def _place(key: object) -> tuple[str, str]:
    """The host in lower case, and the path, that a key names; either may be ""."""
    match = _KEY.fullmatch(key) if isinstance(key, str) else None
    if match is None or not key:
        msg = f'VersionSets.sets must have keys such as "/billing", "orders.example" or "orders.example/admin", not {key!r}'
        raise ConfigurationError(msg)
    return (match["host"] or "").lower(), match["prefix"]


def _host(field_value: str) -> str:
    """The host of a Host field, without port and final dot, in lower case."""
    host = field_value.strip(" \t").lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].removesuffix(".")
