"""Getting a token over HTTP: several tries, each a new request; no redirects; bounded in bytes and time.

Used by one thread at a time for each token (see `token_source`). Of requests and answers only statuses and error codes get
into a message.
"""

from __future__ import annotations

import math
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

import requests
from urllib3.exceptions import HTTPError

from . import token_response
from .backoff import Backoff
from .metadata import metadata_urls, token_endpoint
from .retry_after import parse_retry_after
from .token_response import Granted
from .token_state import Failure, Held, held

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from interservice.clock import Clock

_TRIES: Final = 3
_BACKOFF: Final = Backoff(base=0.1, cap=1.0, jitter="equal")
#: Seconds for connecting, for one try, and for all of them.
_CONNECT, _TRY, _TOTAL = 2.0, 5.0, 10.0
_MAX_BYTES: Final = 1024 * 1024
_CHUNK: Final = 16384
_OK, _NOT_FOUND, _SERVER = 200, 404, 500
_METADATA_KEPT: Final = 3600.0
_DEFAULT_PAUSE, _NO_METADATA_PAUSE, _MAX_PAUSE = 5.0, 60.0, 3600.0
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "interservice"}


class Asker(Protocol):
    """Who asks, and whom: every `TokenClient` has it."""

    @property
    def issuer(self) -> str | None:
        """The authorization server's identifier, where the endpoint is to be discovered."""

    @property
    def token_url(self) -> str | None:
        """The token endpoint, where it was configured."""

    @property
    def allow_http(self) -> bool:
        """Whether a discovered endpoint may be plain http beyond this machine."""

    @property
    def scopes(self) -> str | None:
        """The scopes asked for, in one string."""


#: Gives headers and body of a new token request, at a time in seconds since the epoch.
Request: TypeAlias = "Callable[[float], tuple[Mapping[str, str], bytes]]"


class _Answer(NamedTuple):
    status: int
    body: bytes
    retry_after: float | None


class TokenFetch:
    """Calls give a token, or why there is none.

    Args:
        asker: Who asks, and whom.
        session: Sends the requests; its own credentials are not used.
        clock: For lifetimes and pauses.
        random: For jitter.
    """

    def __init__(self, asker: Asker, *, session: requests.Session, clock: Clock, random: Random | None = None) -> None:
        self._asker = asker
        self._session = session
        self._clock = clock
        self._random = random or Random()  # noqa: S311 - jitter
        self._discovered: tuple[str, float] | None = None

    def __call__(self, request: Request, *, expires_by: float = math.inf) -> Held | Failure:
        """Ask until there is an answer that another try would not better; at most three times and ten seconds.

        Args:
            request: Makes each request anew.
            expires_by: When the token is of no more use whatever the answer says, in seconds since the epoch.
        """
        until = self._clock.monotonic() + _TOTAL
        pauses = islice(_BACKOFF.delays(self._random), _TRIES - 1)
        while True:
            asked = self._clock.monotonic()
            left = expires_by - self._clock.time()
            if left <= 0:
                return Failure("the token to be exchanged has expired", _DEFAULT_PAUSE)
            outcome = self._try(request)
            if isinstance(outcome, Granted):
                jitter = self._random.uniform(0.8, 1.0)
                if outcome.lifetime < left:
                    return held(outcome.token, asked=asked, lifetime=outcome.lifetime, jitter=jitter)
                # Another would end no later: it is used to its end.
                return Held(outcome.token, minted=asked, soft=asked + left, hard=asked + left, expires=asked + left)
            pause = next(pauses, None)
            if pause is None or not outcome.passing or self._clock.monotonic() + pause >= until:
                return outcome
            self._clock.sleep(pause)

    def _try(self, request: Request) -> Granted | Failure:
        url = self._endpoint()
        if isinstance(url, Failure):
            return url
        headers, body = request(self._clock.time())
        answer = self._exchange("POST", url, headers, body)
        if isinstance(answer, Failure):
            return answer
        return token_response.read(
            answer.status, answer.body, retry_after=answer.retry_after, scope=self._asker.scopes, now=self._clock.time()
        )

    def _endpoint(self) -> str | Failure:
        """The token endpoint's URL: configured, or discovered and kept for an hour."""
        if self._asker.token_url is not None:
            return self._asker.token_url
        now = self._clock.monotonic()
        if self._discovered is not None and now < self._discovered[1]:
            return self._discovered[0]
        found = self._discover(str(self._asker.issuer))
        if isinstance(found, str):
            self._discovered = (found, now + _METADATA_KEPT)
        return found

    def _discover(self, issuer: str) -> str | Failure:
        for url in metadata_urls(issuer):
            answer = self._exchange("GET", url, {}, None)
            if isinstance(answer, Failure):
                return answer
            if answer.status == _OK:
                return token_endpoint(answer.body, issuer, allow_http=self._asker.allow_http)
            if answer.status != _NOT_FOUND:
                passing = answer.status >= _SERVER and answer.retry_after is None
                pause = _DEFAULT_PAUSE if answer.retry_after is None else min(answer.retry_after, _MAX_PAUSE)
                return Failure(f"the issuer's metadata answered {answer.status}", pause, passing=passing)
        return Failure("the issuer has no metadata", _NO_METADATA_PAUSE)

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> _Answer | Failure:
        until = self._clock.monotonic() + _TRY
        try:
            with self._session.request(
                method,
                url,
                data=body,
                headers={**_HEADERS, **headers},
                timeout=(_CONNECT, _TRY),
                allow_redirects=False,
                stream=True,
                auth=_no_auth,
            ) as response:
                return self._answer(response, until)
        except (requests.RequestException, HTTPError, OSError) as error:
            reason = f"{type(error).__name__} on the way to the authorization server"
            return Failure(reason, _DEFAULT_PAUSE, passing=True)

    def _answer(self, response: requests.Response, until: float) -> _Answer | Failure:
        """Read in pieces as they come, so that neither a large body nor a slow drip goes unnoticed."""
        body = bytearray()
        while piece := response.raw.read1(_CHUNK):
            body += piece
            if len(body) > _MAX_BYTES or self._clock.monotonic() > until:
                return Failure("the authorization server's answer is too large or too slow", _DEFAULT_PAUSE)
        values = response.headers.get("Retry-After")
        asked = None if values is None else parse_retry_after([values], self._clock.time(), response.headers.get("Date"))
        return _Answer(response.status_code, bytes(body), asked)


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps a session from putting its own Authorization, or one from a .netrc file, over ours."""
    return request
