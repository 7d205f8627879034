"""The endpoints of a destination, as they are found anew: one that is still there keeps its life, its circuit and its counts."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from .discovery import shares

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .call import Destination
    from .discovery import Found
    from .endpoint import Endpoint

#: Endpoints that are remembered although they were not found again.
_MOST_ABSENT = 1024


class Roster:
    """Keeps a destination's endpoints up to date. Used by one thread at a time.

    Args:
        make: Makes an endpoint for a URL.
    """

    def __init__(self, make: Callable[[str], Endpoint]) -> None:
        self._make = make
        self._known: dict[str, Endpoint] = {}

    def apply(self, to: Destination, found: Sequence[Found]) -> None:
        """These are the endpoints now. Calls under way to others come to their end."""
        present = {entry.url: self._known.get(entry.url) or self._make(entry.url) for entry in found}
        absent = {url: endpoint for url, endpoint in self._known.items() if url not in present and _matters(endpoint)}
        for url in list(absent)[:-_MOST_ABSENT]:
            del absent[url]
        self._known = {**absent, **present}
        to.tables = tuple(_tables(found, present))
        to.endpoints = tuple(present.values())


def _matters(endpoint: Endpoint) -> bool:
    """Whether an absent endpoint is to be remembered, as a name server may give some of many addresses at a time."""
    if endpoint.in_flight or endpoint.returning or endpoint.in_a_row:
        return True
    return endpoint.circuit is not None and endpoint.circuit.state != "closed"


def _tables(found: Sequence[Found], endpoints: dict[str, Endpoint]) -> list[tuple[Endpoint, ...]]:
    """For each priority, the preferred first, every endpoint as often as its weight says."""
    tables = []
    for _, group in groupby(sorted(found, key=lambda entry: entry.priority), key=lambda entry: entry.priority):
        entries = list(group)
        counts = shares([entry.weight for entry in entries])
        tables.append(tuple(endpoints[entry.url] for entry, count in zip(entries, counts, strict=True) for _ in range(count)))
    return tables
