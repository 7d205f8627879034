"""A client of a token endpoint: who it is, how it proves that, and what it asks for. What the grants have in common.

Options are checked here for every grant; messages and reprs show no secret.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, TypeAlias
from urllib.parse import quote_plus, urlencode

import requests

from interservice import options
from interservice.clock import SYSTEM, Clock
from interservice.errors import ConfigurationError
from interservice.events import Listener, Listeners, TokenFetched
from interservice.hosts import check_url, is_private

from . import assertion
from .adapter import ServiceAdapter
from .timeouts import Timeouts
from .token_state import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .token_state import Held

AuthMethod: TypeAlias = Literal["client_secret_basic", "client_secret_post", "private_key_jwt"]
_METHODS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt")


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenClient:
    """The options of every grant, which the grants document.

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
    listeners: Sequence[Listener] = field(default=(), repr=False)
    clock: Clock = field(default=SYSTEM, repr=False)
    _listeners: Listeners = field(init=False, repr=False)
    _key: assertion.AssertionKey | None = field(default=None, init=False, repr=False)
    #: What the request says itself; `extra` must not say it again.
    _reserved: ClassVar[frozenset[str]] = frozenset(
        {"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "scope", "resource", "audience"}
    )

    def __post_init__(self) -> None:
        options.text(self._option("client_id"), self.client_id)
        object.__setattr__(self, "_listeners", Listeners(self.listeners, option=self._option("listeners")))
        self._check_proof()
        for name in ("token_url", "issuer"):
            value = getattr(self, name)
            if value is not None:
                check_url(self._option(name), value, allow_http=self.allow_http)
        options.text(self._option("audience"), self.audience, optional=True)
        _words(self._option("scope"), self.scope)
        _words(self._option("resource"), self.resource)
        self._check_extra()

    def __reduce__(self) -> tuple[Callable[[], Self], tuple[()]]:
        """Copies and pickles have the options, and a life of their own."""
        made_of = {option.name: getattr(self, option.name) for option in fields(self) if option.init}
        return partial(type(self), **made_of | {"extra": dict(self.extra)}), ()

    @property
    def method(self) -> AuthMethod:
        """How the client authenticates."""
        if self.auth_method is not None:
            return self.auth_method
        return "client_secret_basic" if self.private_key is None else "private_key_jwt"

    @property
    def scopes(self) -> str | None:
        """The scopes asked for, in one string."""
        return " ".join(_words(self._option("scope"), self.scope)) or None

    def permits(self, url: str) -> bool:
        """Whether a token may be sent to `url`: over https, to this machine, or anywhere with `allow_http`."""
        return is_private(url, allow_http=self.allow_http)

    def proof(self, now: float) -> tuple[dict[str, str], list[tuple[str, str]]]:
        """Headers of a form and the fields in it that say who asks, at the token endpoint and any other; holds secrets.

        Args:
            now: Seconds since the epoch, for the assertion, of which each request has its own.
        """
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self._key is not None:
            signed = self._key.sign(client_id=self.client_id, audience=str(self.issuer), now=now)
            given = [("client_id", self.client_id), ("client_assertion_type", assertion.TYPE), ("client_assertion", signed)]
            return headers, given
        if self.method == "client_secret_post":
            return headers, [("client_id", self.client_id), ("client_secret", str(self.client_secret))]
        return {**headers, "Authorization": _basic(self.client_id, str(self.client_secret))}, []

    def _asking(self, grant: Iterable[tuple[str, str]], now: float) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of a new token request: the grant's parameters, what is asked for, and who asks. Holds secrets.

        Args:
            grant: The parameters of the grant, `grant_type` among them.
            now: Seconds since the epoch, for the assertion, of which each request has its own.
        """
        form = list(grant)
        if self.scopes is not None:
            form.append(("scope", self.scopes))
        form += [("resource", resource) for resource in _words(self._option("resource"), self.resource)]
        if self.audience is not None:
            form.append(("audience", self.audience))
        headers, proof = self.proof(now)
        return headers, urlencode([*form, *self.extra.items(), *proof]).encode()

    def _fetched(self, outcome: Held | Failure, early: bool, seconds: float) -> None:  # noqa: FBT001 - called by position
        """Tell the listeners of a fetch that ended."""
        if self._listeners:
            failure = outcome if isinstance(outcome, Failure) else None
            error = None if failure is None else failure.oauth_error
            self._listeners(TokenFetched(self.client_id, "ok" if failure is None else "fail", early, seconds, error))

    def _sender(self) -> requests.Session:
        """What requests are sent with; a new one unless one was given."""
        return self.session or _new_session()

    def _option(self, name: str) -> str:
        return f"{type(self).__name__}.{name}"

    def _check_proof(self) -> None:
        """Exactly one of secret and key, with a method that fits it. Messages show neither."""
        owner = type(self).__name__
        if (self.client_secret is None) == (self.private_key is None):
            msg = f"{owner} needs exactly one of client_secret and private_key"
            raise ConfigurationError(msg)
        if self.token_url is None and self.issuer is None:
            msg = f"{owner} needs token_url or issuer"
            raise ConfigurationError(msg)
        options.one_of(self._option("auth_method"), self.auth_method, (None, *_METHODS))
        if (self.method == "private_key_jwt") != (self.private_key is not None):
            proof = "secret" if self.private_key is None else "private key"
            msg = f"{owner}.auth_method must fit the {proof} given, not {self.method!r}"
            raise ConfigurationError(msg)
        if self.private_key is None:
            if not isinstance(self.client_secret, str) or not self.client_secret:
                msg = f"{owner}.client_secret must be a non-empty string"
                raise ConfigurationError(msg)
            return
        if self.issuer is None:
            msg = f"{owner}.issuer is needed with a private_key: it is the audience of the assertions"
            raise ConfigurationError(msg)
        object.__setattr__(self, "_key", assertion.load(self._option("private_key"), self.private_key))

    def _check_extra(self) -> None:
        """The values may be secret, so messages name the parameters only."""
        option = self._option("extra")
        names = list(self.extra) if isinstance(self.extra, Mapping) else None
        strings = names is not None and all(isinstance(text, str) for pair in self.extra.items() for text in pair)
        options.check(strings, option, "a mapping of strings to strings", names or type(self.extra).__name__)
        taken = sorted(self._reserved & set(self.extra))
        options.check(not taken, option, "without the parameters that have options", taken)
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
