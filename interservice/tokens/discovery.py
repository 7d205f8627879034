"""An issuer's keys found through its metadata: RFC 8414 and OpenID Connect Discovery, with the issuer compared to the letter.

Metadata that names another issuer is refused (RFC 8414 section 3.3): otherwise one tenant could speak for another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from interservice.clock import SYSTEM
from interservice.errors import ConfigurationError
from interservice.hosts import check_url

from .fetch import FetchFailed, fetch
from .jwks import JWKS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests

    from interservice.clock import Clock
    from interservice.events import Listener

    from .keyset import KeySet

#: Metadata is read again after this long, and whenever the keys could not be had where it said.
_METADATA_TTL = 3600.0


class Discovery(JWKS):
    """The keys of an issuer, from where its metadata says they are.

    Args:
        issuer: The issuer's identifier, exactly as its tokens say it in `iss`.
        ttl, max_stale, allow_http, clock, session, timeout, wait, max_bytes, listeners: As for `JWKS`.

    Raises:
        ConfigurationError: An option makes no sense, or the issuer is no https URL.
    """

    def __init__(
        self,
        issuer: str,
        *,
        ttl: float = 600.0,
        max_stale: float = 14400.0,
        allow_http: bool = False,
        clock: Clock = SYSTEM,
        session: requests.Session | None = None,
        timeout: float = 5.0,
        wait: float = 2.0,
        max_bytes: int = 262_144,
        listeners: Iterable[Listener] = (),
    ) -> None:
        super().__init__(
            issuer,
            ttl=ttl,
            max_stale=max_stale,
            allow_http=allow_http,
            clock=clock,
            session=session,
            timeout=timeout,
            wait=wait,
            max_bytes=max_bytes,
            listeners=listeners,
        )
        self.issuer = issuer
        if urlsplit(issuer).query:
            raise ConfigurationError(f"Discovery.issuer must have no query, not {issuer!r}")
        self._allow_http = allow_http
        self._places = list(metadata_urls(issuer))
        self._found_at: float | None = None

    def _fetch_keys(self) -> tuple[KeySet, float | None]:
        now = self.clock.monotonic()
        if self._found_at is None or now - self._found_at > _METADATA_TTL or self.last_error is not None:
            url = self._discover()
            if url != self.url:
                self.url, self._etag = url, None
            self._found_at = now
        return super()._fetch_keys()

    def _discover(self) -> str:
        """The address of the key set, from the first place that has this issuer's metadata; it is asked first from then on."""
        problems = []
        for place in list(self._places):
            try:
                url = self._keys_address(fetch(place, **self._options).document or {})
            except FetchFailed as error:
                problems.append(str(error))
                continue
            self._places.remove(place)
            self._places.insert(0, place)
            return url
        raise FetchFailed("; ".join(problems))

    def _keys_address(self, metadata: dict[str, Any]) -> str:
        if metadata.get("issuer") != self.issuer:
            raise FetchFailed(f"the metadata is not of {self.issuer}")
        url = metadata.get("jwks_uri")
        try:
            check_url("jwks_uri", url, allow_http=self._allow_http)
        except ConfigurationError as error:
            raise FetchFailed(f"the metadata of {self.issuer} has no usable jwks_uri") from error
        return str(url)

    def __repr__(self) -> str:
        return f"<Discovery {self.issuer} {self.state}>"


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Where an issuer's metadata may be: RFC 8414 section 3 puts the well-known part before the path, OpenID Connect after it."""
    scheme, netloc, path, _, _ = urlsplit(issuer)
    path = path.rstrip("/")
    return (
        urlunsplit((scheme, netloc, f"/.well-known/oauth-authorization-server{path}", "", "")),
        urlunsplit((scheme, netloc, f"{path}/.well-known/openid-configuration", "", "")),
    )
