"""What Caddy answers by itself, as problem documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interservice.gateway.hygiene import PROBLEMS, REQUEST_ID, TEMPORARY, UNDECIDED, problem

from .plan import mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.gateway.edge import Edge

_ID = "{http.request.uuid}"
_STATUS = "{http.error.status_code}"


def errors(edge: Edge) -> Iterable[str]:
    """The first that fits: the gate could not be asked; then each status."""
    yield f"header {REQUEST_ID} {_ID}"
    yield "header Content-Type application/problem+json"
    yield "header Cache-Control no-store"
    if mode(edge) == "forward":
        yield f'@undecided expression `{{http.vars.edge_asked}} != "yes" && {_STATUS} >= 500`'
        yield from _answer("@undecided", 503, problem(503, _ID, UNDECIDED), temporary=True)
    for status in PROBLEMS:
        yield f"@own_{status} expression `{_STATUS} == {status}`"
        yield from _answer(f"@own_{status}", status, problem(status, _ID), temporary=status in TEMPORARY)


def _answer(matcher: str, status: int, text: str, *, temporary: bool) -> Iterable[str]:
    yield f"handle {matcher} {{"
    if temporary:
        yield "\theader Retry-After 1"
    yield f"\trespond `{text}` {status}"
    yield "}"
