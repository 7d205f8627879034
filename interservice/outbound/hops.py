"""One deadline for what `requests` sends in several calls: the hops of a redirect, and the answer to a challenge.

Each hop is a call of an adapter of its own, with the same timeout, so that ten redirects would have ten times the total. A hop is
known by what `requests` itself keeps: it is a copy of the request before, with the same hooks, made while the response to that is
still held. So is a redirect that a caller follows by hand, through `Response.next`.
"""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

import requests

from .requested import replayable

if TYPE_CHECKING:
    from interservice.clock import Clock

#: Answers to which `requests` and its `auth` objects send another request: redirects, and challenges (RFC 9110 section 11).
_CHALLENGES = frozenset({401, 407})
_REDIRECTION = 300


class _Hop(NamedTuple):
    """The last call that may be followed by a hop of it."""

    response: weakref.ref[requests.Response]
    clock: Clock
    started: float
    deadline: float


_LAST: ContextVar[_Hop | None] = ContextVar("interservice.outbound.hop", default=None)


def follows(request: requests.PreparedRequest, clock: Clock) -> tuple[float, float] | None:
    """When the call that `request` goes on with began and has to be over, on `clock`; None where it is a call of its own.

    Raises:
        requests.exceptions.UnrewindableBodyError: it has the body of the call before, which cannot be sent again from its
            beginning: what `requests` does with it after a digest challenge is to send it empty.
    """
    last = _LAST.get()
    if last is None:
        return None
    _LAST.set(None)
    response = last.response()
    if response is None or last.clock is not clock:
        return None
    before = response.request
    if before is request or before.hooks is not request.hooks:
        return None
    if request.body is not None and request.body is before.body and not replayable(request):
        msg = "nothing was sent: the body was sent once, and cannot be rewound"
        raise requests.exceptions.UnrewindableBodyError(msg, request=request)
    return last.started, last.deadline


def may_be_followed(response: requests.Response, clock: Clock, started: float, deadline: float) -> None:
    """Remember a call in case that the next one goes on with it."""
    status = response.status_code
    if status >= _REDIRECTION and (status in _CHALLENGES or response.is_redirect):
        _LAST.set(_Hop(weakref.ref(response), clock, started, deadline))
