"""What negotiating a version costs by itself, for each way of reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measure import calls
from benchmarks.table import Side, Table, Target
from interservice import HeaderVersion, MediaTypeVersion, PathVersion, QueryVersion, Versions
from interservice.exchange import Exchange
from interservice.http import Head
from interservice.wsgi.request import environ_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

_TEXT = """\
`Versions` alone, without gate or server: `admit` on a request that names version 2 of two, and `respond` on the head of its
answer. An exchange is made for each, which the first row costs alone. The target is for the path reader, above that."""
_EMPTY = "exchange and head alone"
_PATH = "path"


def tables(_: ExitStack) -> list[Table]:
    """One table."""
    path, header, query = PathVersion("/v{version}"), HeaderVersion("API-Version"), QueryVersion("api-version")
    media = MediaTypeVersion("version")
    ways = {
        _PATH: Versions(["1", "2"], default="2", readers=(path,)),
        "path, stripped": Versions(["1", "2"], default="2", readers=(path,), path="strip"),
        "header": Versions(["1", "2"], default="2", readers=(header,)),
        "query": Versions(["1", "2"], default="2", readers=(query,)),
        "media type": Versions(["1", "2"], default="2", readers=(media,)),
        "path, header and media type, agreeing": Versions(["1", "2"], default="2"),
    }
    sides = [Side(_EMPTY, calls(_negotiating(None))), *(Side(name, calls(_negotiating(way))) for name, way in ways.items())]
    return [
        Table(
            key="negotiation",
            title="Negotiating a version",
            text=_TEXT,
            sides=sides,
            reference=_EMPTY,
            clock="cpu",
            targets=[Target(_PATH, "over", 2.0)],
        )
    ]


def _negotiating(versions: Versions | None) -> Callable[[], object]:
    request = environ_request(
        {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/v2/orders/7",
            "QUERY_STRING": "api-version=2",
            "HTTP_API_VERSION": "2",
            "HTTP_ACCEPT": "application/json;version=2",
        }
    )

    def negotiate() -> None:
        exchange, head = Exchange(request, 0.0), Head(200, [("Content-Type", "application/json")])
        if versions is not None:
            versions.admit(exchange)
            versions.respond(exchange, head)

    return negotiate
