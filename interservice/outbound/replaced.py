"""What others put in the place of methods that a call would pass by, or not come to: theirs is called then.

`HTTPAdapter.send`, by libraries that fake responses: theirs is the wire. The methods by which a connection sends and receives, by
libraries that watch over calls: they see what they would see of `requests`.
"""

from __future__ import annotations

import http.client
from operator import attrgetter
from types import FunctionType
from typing import TYPE_CHECKING, Any

import urllib3.connection
from requests.adapters import HTTPAdapter

from .failure import classify
from .steps import Sent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import requests

    from .wire import Wire

_OWN = HTTPAdapter.send
_methods = attrgetter("request", "putrequest", "putheader", "endheaders", "getresponse")
_HTTP_CLIENT, _URLLIB3 = http.client.HTTPConnection, urllib3.connection.HTTPSConnection  # which has all of the plain one's
_OWN_METHODS = *_methods(_HTTP_CLIENT), *_methods(_URLLIB3)
#: Whether they were themselves when this was loaded, which wrappers that pass for what they wrap do not change.
_ORIGINAL = all(
    type(method) is FunctionType and method.__globals__ in (vars(http.client), vars(urllib3.connection))
    for method in _OWN_METHODS
)


def replaced() -> bool:
    """Whether somebody put something in the place of `HTTPAdapter.send`."""
    return HTTPAdapter.send is not _OWN or _OWN.__module__ != "requests.adapters"


def watched() -> bool:
    """Whether somebody put something in the place of the methods by which connections send requests and receive responses."""
    return not _ORIGINAL or (*_methods(_HTTP_CLIENT), *_methods(_URLLIB3)) != _OWN_METHODS


def send_by_others(
    adapter: HTTPAdapter,
    original: requests.PreparedRequest,
    wire: Wire,
    headers: Mapping[Any, Any],
    how: Mapping[str, Any],
) -> Sent:
    """Send a copy of the request, with the headers of this try, by what replaced `HTTPAdapter.send`.

    Nothing is known of the wire, so the request counts as sent.
    """
    request = original.copy()
    request.headers.update(headers)
    facts = wire.facts
    facts.bytes_written = 1
    wire.phase = "headers"
    try:
        response = HTTPAdapter.send(adapter, request, **how, proxies={})
        facts.response_started = True
        if not how["stream"]:
            response.content  # noqa: B018 - reads it
    except Exception as error:  # noqa: BLE001 - is in the result
        return Sent(facts, error=error, outcome=classify(error, wire), phase=wire.phase)

    def fields(name: str) -> Sequence[str]:
        value = response.headers.get(name)
        return () if value is None else (value,)

    return Sent(facts, response=response, status=response.status_code, fields=fields)
