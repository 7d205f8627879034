"""Calls on behalf of the caller: the token of the request under way, exchanged for one that the next service accepts (RFC 8693).

The next service sees who asked, and through whom; the caller's own token goes to the authorization server alone.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, Final

from interservice import options
from interservice.exchange import current

from .errors import TokenUnavailable
from .token_client import TokenClient
from .token_fetch import TokenFetch
from .token_source import TokenSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .token_state import Failure, Held

#: RFC 8693 sections 2.1 and 3.
_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_TYPE: Final = "urn:ietf:params:oauth:token-type:"
_ACCESS_TOKEN: Final = _TYPE + "access_token"
_EXCHANGED: Final = frozenset({"subject_token", "subject_token_type", "requested_token_type", "actor_token", "actor_token_type"})


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenExchange(TokenClient):
    """A bearer token for the next service that speaks for the caller of the request under way.

    `current().token`, which `JWTAuth` has verified, is exchanged once for each caller's token and kept while both last: never
    longer than the caller's own, and for the `max_subjects` callers seen last. The object may be shared by any number of
    adapters and threads. Its repr shows no secret.

    Args:
        client_id: The identifier of this service at the authorization server, which must let it exchange tokens.
        client_secret: Its secret; or
        private_key: its private key, PEM or JWK, for private_key_jwt.
        token_url: The token endpoint. Without it, it is discovered from `issuer`.
        issuer: The authorization server's identifier (RFC 8414): for discovery, and the audience of assertions.
        auth_method: client_secret_basic for a secret and private_key_jwt for a key, unless client_secret_post is said.
        scope: The scopes asked for, in one string or a list. An answer with less is refused.
        resource: The resource or resources the token is for (RFC 8707).
        audience: The same where servers know it by this name.
        requested_token_type: "access_token", "jwt" or a URI; by default the server decides.
        extra: Further parameters of the request.
        allow_http: Whether secrets and tokens may go over plain http beyond this machine.
        max_subjects: How many callers' tokens are kept.
        session: For the requests to the server, with its certificates and proxies; by default one that takes nothing from the
            environment.
        listeners: Are told `TokenFetched`.
        clock: Gives lifetimes.

    Raises:
        ConfigurationError: An option is nonsense, or they do not fit together.
    """

    requested_token_type: str | None = None
    max_subjects: int = 1024
    #: By process id: a forked child shares neither locks nor sockets with its parent.
    _sources: dict[int, _Subjects] = field(default_factory=dict, init=False, repr=False)
    _reserved: ClassVar[frozenset[str]] = TokenClient._reserved | _EXCHANGED  # noqa: SLF001 - our own, one class up

    def __post_init__(self) -> None:
        super().__post_init__()
        options.text(self._option("requested_token_type"), self.requested_token_type, optional=True)
        options.number(self._option("max_subjects"), self.max_subjects, at_least=1, integer=True)

    def token(self, timeout: float) -> str:
        """A bearer token that speaks for the caller of the request under way.

        Blocks only where none is in hand, or the one in hand is about to expire.

        Args:
            timeout: Seconds to wait at most; ten are the limit whatever is given.

        Raises:
            TokenUnavailable: None could be had in time, or there is no request under way whose token was verified.
        """
        subject = _subject()
        if subject is None:
            msg = f"no token for {self.client_id!r}: this call is not made within a request that came with a verified token"
            raise TokenUnavailable(msg)
        return self._subjects().source(*subject).token(timeout)

    def refused(self, token: str) -> bool:
        """A service answered 401 to `token`: drop it if it is still the one in hand for this caller.

        Returns whether a replay with another token makes sense: not while the refused one is younger than ten seconds.
        """
        subject = _subject()
        return subject is not None and self._subjects().source(*subject).refused(token)

    def request(self, subject: str, now: float) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of a new token request (RFC 8693 section 2.1); holds secrets.

        Args:
            subject: The caller's token.
            now: Seconds since the epoch, for the assertion, of which each request has its own.
        """
        grant = [("grant_type", _GRANT), ("subject_token", subject), ("subject_token_type", _ACCESS_TOKEN)]
        wanted = self.requested_token_type
        if wanted is not None:
            grant.append(("requested_token_type", wanted if ":" in wanted else _TYPE + wanted))
        return self._asking(grant, now)

    def _subjects(self) -> _Subjects:
        pid = os.getpid()
        subjects = self._sources.get(pid)
        if subjects is None:
            fetch = TokenFetch(self, session=self._sender(), clock=self.clock)
            # One of two threads that come here at once wins; what the other made was never used.
            subjects = self._sources.setdefault(pid, _Subjects(self, fetch))
        return subjects


def _subject() -> tuple[str, float] | None:
    """The verified token of the request under way, and when it expires in seconds since the epoch."""
    exchange = current()
    if exchange is None or exchange.token is None or exchange.principal is None:
        return None
    return exchange.token, exchange.principal.expires_at


class _Subjects:
    """The live tokens of one process, by the hash of the token that each was exchanged for; those used last are kept."""

    __slots__ = ("_fetch", "_lock", "_options", "_sources")

    def __init__(self, options: TokenExchange, fetch: TokenFetch) -> None:
        self._options = options
        self._fetch = fetch
        self._sources: OrderedDict[bytes, TokenSource] = OrderedDict()
        self._lock = threading.Lock()

    def source(self, subject: str, expires_at: float) -> TokenSource:
        """Where the token that speaks for `subject` comes from."""
        key = sha256(subject.encode()).digest()
        with self._lock:
            source = self._sources.get(key)
            if source is None:
                source = self._sources[key] = self._made(subject, expires_at)
                if len(self._sources) > self._options.max_subjects:
                    self._sources.popitem(last=False)
            else:
                self._sources.move_to_end(key)
        return source

    def _made(self, subject: str, expires_at: float) -> TokenSource:
        ask = partial(self._options.request, subject)
        fetch: Callable[[], Held | Failure] = partial(self._fetch, ask, expires_by=expires_at)
        told = self._options._fetched  # noqa: SLF001 - one thing in two classes
        return TokenSource(fetch, clock=self._options.clock, name=f"a caller of {self._options.client_id!r}", fetched=told)
