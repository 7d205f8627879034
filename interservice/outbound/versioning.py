"""The client's side of API versions: which one a call asks for, by header, path or media type. Pure."""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from interservice.http import TOKEN
from interservice.options import check, text

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What may stand in a path segment and in a header as it is.
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]{0,63}", re.ASCII)
_PLACEHOLDER = "{version}"


@dataclass(frozen=True, slots=True)
class ClientVersion:
    """The API version that calls ask for: `ServiceAdapter("billing", version=ClientVersion("2"))`.

    Exactly one of header, path and media_type says how; without any it is the header API-Version. What the caller set itself
    stays: a header of that name, an Accept other than "*/*", a path that has the prefix already.

    Args:
        version: The version, as the service writes it.
        header: The request header that names it.
        path: A prefix for every path, such as "/v{version}". `Response.url` stays the URL that was asked for.
        media_type: What Accept is to say, such as "application/json; version={version}" or
            "application/vnd.acme.v{version}+json".

    Raises:
        ConfigurationError: The version is no word of letters, digits, "." and "-", or an option does not fit.
    """

    version: str
    _: KW_ONLY
    header: str | None = None
    path: str | None = None
    media_type: str | None = None
    _headers: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    _prefix: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = isinstance(self.version, str) and _VERSION.fullmatch(self.version) is not None
        check(known, "ClientVersion.version", 'a version such as "2", "1.2" or "2026-01-31"', self.version)
        ways = [name for name in ("header", "path", "media_type") if getattr(self, name) is not None]
        check(len(ways) <= 1, "ClientVersion.header", "the only way, without path and media_type", ways)
        name = "API-Version" if not ways else self.header
        headers: tuple[tuple[str, str], ...] = ()
        if name is not None:
            fits = isinstance(name, str) and TOKEN.fullmatch(name) is not None
            check(fits, "ClientVersion.header", "a header's name", name)
            headers = ((name, self.version),)
        if self.media_type is not None:
            headers = (("Accept", self._filled("media_type", self.media_type)),)
        prefix = "" if self.path is None else self._filled("path", self.path)
        plain = not prefix or (prefix.startswith("/") and not prefix.endswith("/") and prefix.isascii())
        check(plain, "ClientVersion.path", 'a prefix such as "/v{version}"', self.path)
        object.__setattr__(self, "_headers", headers)
        object.__setattr__(self, "_prefix", prefix)

    def headers(self, present: Mapping[str, Any]) -> dict[str, str]:
        """The headers for one try.

        Args:
            present: The headers that the caller set, looked up without case, which are left alone.
        """
        wanted = {}
        for name, value in self._headers:
            own = present.get(name)
            if own is None or (name == "Accept" and own in ("*/*", b"*/*")):
                wanted[name] = value
        return wanted

    def target(self, target: str) -> str:
        """The request target with the version in its path; also a whole URL, as proxies want it."""
        prefix = self._prefix
        if not prefix:
            return target
        start = 0 if target.startswith("/") else target.find("/", target.find("://") + 3)
        if start < 0:
            return target
        path = target[start:]
        if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/", "?"):
            return target
        return target[:start] + prefix + path

    def _filled(self, option: str, template: object) -> str:
        text(f"ClientVersion.{option}", template)
        sound = str(template).count(_PLACEHOLDER) == 1 and str(template).isprintable()
        check(sound, f"ClientVersion.{option}", "a template with exactly one {version}", template)
        return str(template).replace(_PLACEHOLDER, self.version)
