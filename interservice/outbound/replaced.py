"""Where `HTTPAdapter.send` was replaced from outside, as libraries that fake responses do: theirs is the wire then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

from .failure import classify
from .steps import Sent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import requests

    from .wire import Wire

_OWN = HTTPAdapter.send


def replaced() -> bool:
    """Whether somebody put something in the place of `HTTPAdapter.send`."""
    return HTTPAdapter.send is not _OWN or _OWN.__module__ != "requests.adapters"


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
