"""Who this service is to others: the client credentials grant (RFC 6749 section 4.4), a token kept fresh for every thread."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .token_client import TokenClient
from .token_fetch import TokenFetch
from .token_source import TokenSource

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, eq=False)
class ClientCredentials(TokenClient):
    """The service's own credentials at an authorization server, and the bearer token they give.

    The object may be shared by any number of adapters and threads: a token is fetched once for all, before it is needed, and
    kept in the memory of each process. Its repr shows no secret.

    Args:
        client_id: The client's identifier.
        client_secret: Its secret; or
        private_key: its private key, PEM or JWK, for private_key_jwt.
        token_url: The token endpoint. Without it, it is discovered from `issuer`.
        issuer: The authorization server's identifier (RFC 8414): for discovery, and the audience of assertions.
        auth_method: client_secret_basic for a secret and private_key_jwt for a key, unless client_secret_post is said.
        scope: The scopes asked for, in one string or a list. An answer with less is refused.
        resource: The resource or resources the token is for (RFC 8707).
        audience: The same where servers know it by this name.
        extra: Further parameters of the request.
        allow_http: Whether secrets and tokens may go over plain http beyond this machine.
        session: For the requests to the server, with its certificates and proxies; by default one that takes nothing from the
            environment.
        listeners: Are told `TokenFetched`.
        clock: Gives lifetimes.

    Raises:
        ConfigurationError: An option is nonsense, or they do not fit together.
    """

    #: By process id: a forked child shares neither locks nor sockets with its parent.
    _sources: dict[int, TokenSource] = field(default_factory=dict, init=False, repr=False)

    def token(self, timeout: float) -> str:
        """A bearer token that has not expired.

        Blocks only where none is in hand, or the one in hand is about to expire.

        Args:
            timeout: Seconds to wait at most; ten are the limit whatever is given.

        Raises:
            TokenUnavailable: None could be had in time. Carries `oauth_error` and, where known, `retry_after`.
        """
        return self._source().token(timeout)

    def refused(self, token: str) -> bool:
        """A service answered 401 to `token`: drop it if it is still the one in hand.

        Returns whether a replay with another token makes sense: not while the refused one is younger than ten seconds.
        """
        return self._source().refused(token)

    def request(self, now: float) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of a new token request (RFC 6749 section 4.4.2); holds secrets.

        Args:
            now: Seconds since the epoch, for the assertion, of which each request has its own.
        """
        return self._asking([("grant_type", "client_credentials")], now)

    def _source(self) -> TokenSource:
        pid = os.getpid()
        source = self._sources.get(pid)
        if source is None:
            fetch = TokenFetch(self, session=self._sender(), clock=self.clock)
            # One of two threads that come here at once wins; what the other made was never used.
            source = self._sources.setdefault(
                pid,
                TokenSource(lambda: fetch(self.request), clock=self.clock, name=repr(self.client_id), fetched=self._fetched),
            )
        return source
