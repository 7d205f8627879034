"""Who this service is to others: the client credentials grant (RFC 6749 section 4.4), a token kept fresh for every thread."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import quote_plus, urlencode

import requests

from interservice import options
from interservice.clock import SYSTEM, Clock
from interservice.errors import ConfigurationError
from interservice.hosts import check_url, is_private

from . import assertion
from .adapter import ServiceAdapter
from .timeouts import Timeouts
from .token_fetch import TokenFetch
from .token_source import TokenSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AuthMethod: TypeAlias = Literal["client_secret_basic", "client_secret_post", "private_key_jwt"]
_METHODS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt")
#: What the request says itself; `extra` must not say it again.
_RESERVED: Final = frozenset(
    {"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "scope", "resource", "audience"}
)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClientCredentials:
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
        clock: Gives lifetimes.

    Raises:
        ConfigurationError: An option is nonsense, or they do not fit together.
    """

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    private_key: str | bytes | Mapping[str, Any] | None = field(default=None, repr=False)
    token_url: str | None = None
    issuer: str | None = None
    auth_method: AuthMethod | None = None
    scope: str | Sequence[str] | None = None
    resource: str | Sequence[str] | None = None
    audience: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)
    allow_http: bool = False
    session: requests.Session | None = field(default=None, repr=False)
    clock: Clock = field(default=SYSTEM, repr=False)
    #: By process id: a forked child shares neither locks nor sockets with its parent.
    _sources: dict[int, TokenSource] = field(default_factory=dict, init=False, repr=False)
    _key: assertion.AssertionKey | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        options.text("ClientCredentials.client_id", self.client_id)
        self._check_proof()
        for name in ("token_url", "issuer"):
            value = getattr(self, name)
            if value is not None:
                check_url(f"ClientCredentials.{name}", value, allow_http=self.allow_http)
        options.text("ClientCredentials.audience", self.audience, optional=True)
        _words("ClientCredentials.scope", self.scope)
        _words("ClientCredentials.resource", self.resource)
        self._check_extra()

    def __reduce__(self) -> tuple[Callable[[], ClientCredentials], tuple[()]]:
        """Copies and pickles have the options, and a life of their own."""
        made_of = {option.name: getattr(self, option.name) for option in fields(self) if option.init}
        return partial(ClientCredentials, **made_of | {"extra": dict(self.extra)}), ()

    @property
    def method(self) -> AuthMethod:
        """How the client authenticates."""
        if self.auth_method is not None:
            return self.auth_method
        return "client_secret_basic" if self.private_key is None else "private_key_jwt"

    @property
    def scopes(self) -> str | None:
        """The scopes asked for, in one string."""
        return " ".join(_words("ClientCredentials.scope", self.scope)) or None

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

    def permits(self, url: str) -> bool:
        """Whether a token may be sent to `url`: over https, to this machine, or anywhere with `allow_http`."""
        return is_private(url, allow_http=self.allow_http)

    def request(self, now: float) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of a new token request (RFC 6749 section 4.4.2); holds secrets.

        Args:
            now: Seconds since the epoch, for the assertion, of which each request has its own.
        """
        form: list[tuple[str, str]] = [("grant_type", "client_credentials")]
        if self.scopes is not None:
            form.append(("scope", self.scopes))
        form += [("resource", resource) for resource in _words("ClientCredentials.resource", self.resource)]
        if self.audience is not None:
            form.append(("audience", self.audience))
        form += self.extra.items()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self._key is not None:
            signed = self._key.sign(client_id=self.client_id, audience=str(self.issuer), now=now)
            form += [("client_id", self.client_id), ("client_assertion_type", assertion.TYPE), ("client_assertion", signed)]
        elif self.method == "client_secret_post":
            form += [("client_id", self.client_id), ("client_secret", str(self.client_secret))]
        else:
            headers["Authorization"] = _basic(self.client_id, str(self.client_secret))
        return headers, urlencode(form).encode()

    def _source(self) -> TokenSource:
        pid = os.getpid()
        source = self._sources.get(pid)
        if source is None:
            fetch = TokenFetch(self, session=self.session or _new_session(), clock=self.clock)
            # One of two threads that come here at once wins; what the other made was never used.
            source = self._sources.setdefault(pid, TokenSource(fetch, clock=self.clock, name=repr(self.client_id)))
        return source

    def _check_proof(self) -> None:
        """Exactly one of secret and key, with a method that fits it. Messages show neither."""
        if (self.client_secret is None) == (self.private_key is None):
            msg = "ClientCredentials needs exactly one of client_secret and private_key"
            raise ConfigurationError(msg)
        if self.token_url is None and self.issuer is None:
            msg = "ClientCredentials needs token_url or issuer"
            raise ConfigurationError(msg)
        options.one_of("ClientCredentials.auth_method", self.auth_method, (None, *_METHODS))
        if (self.method == "private_key_jwt") != (self.private_key is not None):
            proof = "secret" if self.private_key is None else "private key"
            msg = f"ClientCredentials.auth_method must fit the {proof} given, not {self.method!r}"
            raise ConfigurationError(msg)
        if self.private_key is None:
            if not isinstance(self.client_secret, str) or not self.client_secret:
                msg = "ClientCredentials.client_secret must be a non-empty string"
                raise ConfigurationError(msg)
            return
        if self.issuer is None:
            msg = "ClientCredentials.issuer is needed with a private_key: it is the audience of the assertions"
            raise ConfigurationError(msg)
        object.__setattr__(self, "_key", assertion.load("ClientCredentials.private_key", self.private_key))

    def _check_extra(self) -> None:
        """The values may be secret, so messages name the parameters only."""
        names = list(self.extra) if isinstance(self.extra, Mapping) else None
        strings = names is not None and all(isinstance(text, str) for pair in self.extra.items() for text in pair)
        options.check(strings, "ClientCredentials.extra", "a mapping of strings to strings", names or type(self.extra).__name__)
        taken = sorted(_RESERVED & set(self.extra))
        options.check(not taken, "ClientCredentials.extra", "without the parameters that have options", taken)
        object.__setattr__(self, "extra", MappingProxyType(dict(self.extra)))


def _words(option: str, value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        options.text(option, value)
        return (value,)
    return options.strings(option, value)


def _basic(client_id: str, secret: str) -> str:
    """RFC 6749 section 2.3.1: both form-encoded first, so that a colon or a non-ASCII character survives."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _new_session() -> requests.Session:
    """Nothing from the environment, no cookies, and a deadline over the whole exchange; tries are counted by `TokenFetch`."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    adapter = ServiceAdapter(timeouts=Timeouts(connect=2.0, read=5.0, total=5.0), retry=None, bulkhead=None)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
