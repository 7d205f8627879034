"""The introspection endpoint over HTTP: found, asked as a client of its authorization server, through a circuit of its own.

Belongs to one process: it holds sockets. Only statuses and types of errors get into a message, never a token or a secret.
"""

from __future__ import annotations

from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from interservice.condition import worst
from interservice.errors import CallError, ConfigurationError
from interservice.hosts import check_url

from .discovery import metadata_urls
from .fetch import FetchFailed, Posted, fetch, post
from .introspected import Failed

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests

    from interservice.clock import Clock
    from interservice.condition import Condition
    from interservice.events import Listener
    from interservice.outbound import ClientCredentials

_CONNECT_TIMEOUT = 2.0
_METADATA_TTL = 3600.0
#: Requests in flight at most; beyond that tokens are answered 503 rather than queued.
_MOST_AT_ONCE = 64


class IntrospectionEndpoint:
    """Asks about tokens.

    Args:
        client: Who asks; its `issuer` is where the endpoint is discovered, unless its `token_url` is the endpoint.
        url: The endpoint, or None for the one in the issuer's metadata.
        session: Sends the requests; None for one of our own with a circuit breaker.
        timeout: Seconds for an answer.
        max_bytes: The largest answer that is read.
        clock: For assertions and how long the metadata is kept.
        listeners: Are told what a `ServiceAdapter` tells.
    """

    def __init__(
        self,
        client: ClientCredentials,
        *,
        url: str | None,
        session: requests.Session | None,
        timeout: float,
        max_bytes: int,
        clock: Clock,
        listeners: Iterable[Listener],
    ) -> None:
        self._client = client
        self._url = url
        self._session = _new_session(timeout, clock, listeners) if session is None else session
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._clock = clock
        self._found: tuple[str, float] | None = None

    def condition(self) -> Condition:
        """How the connections do that it asks through; pass where they do not say."""
        adapters = self._session.adapters.values()
        return worst(adapter.condition() for adapter in adapters if hasattr(adapter, "condition"))

    def ask(self, token: str) -> Posted | Failed:
        """What the server says of a token, or why it says nothing. Blocks for about `timeout` seconds at most."""
        try:
            url = self._url or self._discovered()
            headers, proof = self._client.proof(self._clock.time())
            form = [("token", token), ("token_type_hint", "access_token"), *proof]
            return post(
                self._session,
                url,
                urlencode(form).encode(),
                headers,
                timeout=self._timeout,
                max_bytes=self._max_bytes,
            )
        except FetchFailed as error:
            cause = error.__cause__
            return Failed(str(error), cause.retry_after if isinstance(cause, CallError) else None)

    def _discovered(self) -> str:
        """The endpoint in the issuer's metadata, in which the issuer must be the one configured (RFC 8414 section 3.3)."""
        now = self._clock.monotonic()
        if self._found is not None and now < self._found[1]:
            return self._found[0]
        issuer = str(self._client.issuer)
        problems = []
        for place in metadata_urls(issuer):
            try:
                document = fetch(place, session=self._session, timeout=self._timeout, max_bytes=self._max_bytes).document or {}
                url = self._address(document, issuer)
            except FetchFailed as error:
                problems.append(str(error))
                continue
            self._found = (url, now + _METADATA_TTL)
            return url
        raise FetchFailed("; ".join(problems))

    def _address(self, metadata: dict[str, Any], issuer: str) -> str:
        if metadata.get("issuer") != issuer:
            raise FetchFailed(f"the metadata is not of {issuer}")
        url = metadata.get("introspection_endpoint")
        with suppress(ConfigurationError):
            check_url("introspection_endpoint", url, allow_http=self._client.allow_http)
            return str(url)
        raise FetchFailed(f"the metadata of {issuer} has no usable introspection_endpoint")


def _new_session(timeout: float, clock: Clock, listeners: Iterable[Listener]) -> requests.Session:
    from interservice.outbound import Bulkhead, ServiceAdapter, ServiceSession, Timeouts  # noqa: PLC0415 - loads requests

    session = ServiceSession()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    # Not tried again here: an assertion works once, and the next request with the token asks anew.
    adapter = ServiceAdapter(
        "introspection",
        timeouts=Timeouts(connect=min(_CONNECT_TIMEOUT, timeout), read=timeout, total=timeout),
        retry=None,
        bulkhead=Bulkhead(max_concurrent=_MOST_AT_ONCE),
        listeners=listeners,
        clock=clock,
    )
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
