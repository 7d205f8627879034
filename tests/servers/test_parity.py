"""The same gate decides the same: as middleware in two kinds of servers, and asked by NGINX, Envoy and Caddy.

The table is printed, and written to build/parity.md.
"""

from __future__ import annotations

import secrets
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from interservice.gateway import Edge
from interservice.testing import Issuer
from tests.servers.edge_gate import gate
from tests.servers.edges import NAMES, RUN, ask, asked_gate, instances, options, services
from tests.servers.parity import Asked, Verdict, pairs, table, verdict
from tests.servers.peer import ROOT
from tests.servers.running import running

if TYPE_CHECKING:
    from collections.abc import Callable

_GATEWAYS = ("nginx", "envoy", "caddy")
_IN_PROCESS = {"wsgi": "gunicorn-gthread", "asgi": "uvicorn"}
pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("parity")]

#: Where a gateway may answer otherwise than the middleware does, and why; it never lets pass what the middleware refuses.
EXCEPTIONS: tuple[tuple[tuple[str, ...], str, Callable[[str, Asked], bool]], ...] = (
    # Nobody stands behind that path; the application of this test has a yes for everything.
    (("nginx", "envoy", "caddy"), "no_route", lambda token, asked: asked.target == "/nothing"),
    # Envoy looks for services by the path as it was sent: an escape that nobody needs is another path.
    (("envoy",), "no_route", lambda token, asked: asked.target.startswith("/%75")),
    # NGINX takes no request with two Authorization fields, and asks nobody.
    (("nginx",), "bad_request", lambda token, asked: token == "two fields"),
)


def excused(who: str, token: str, asked: Asked, expected: Verdict, got: Verdict) -> bool:
    """Whether a difference is one of those known."""
    known = any(who in names and got.code == code and applies(token, asked) for names, code, applies in EXCEPTIONS)
    return known and (expected.status == 200 or got.status in (400, 404))


@dataclass
class Compared:
    """The table."""

    rows: list[tuple[str, Asked, dict[str, Verdict]]]
    #: Requests that reached an instance behind a gateway.
    reached: int


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    issuer, folder = Issuer(algorithms=["ES256"]), tmp_path_factory.mktemp
    with ExitStack() as stack:
        url = stack.enter_context(issuer.serve())
        env = {"TEST_ISSUER": url, "TEST_SECRET": secrets.token_bytes(32).hex()}
        ports = {
            name: stack.enter_context(running(server, folder(name), module="tests.servers.edge_apps", **env)).port
            for name, server in _IN_PROCESS.items()
        }
        port = stack.enter_context(asked_gate(folder("auth"), url))
        found = stack.enter_context(instances(*NAMES))
        for kind in _GATEWAYS:
            place = folder(kind)
            edge = Edge(gate=gate(url), services=services(found), forward_auth=f"http://127.0.0.1:{port}", **options(place))
            ports[kind] = stack.enter_context(RUN[kind](edge, place)).port
        rows = []
        for token, fields, asked in pairs(issuer, Issuer(url, algorithms=["ES256"])):
            answers = {name: ask(where, asked.target, asked.method, [*asked.headers, *fields]) for name, where in ports.items()}
            rows.append((token, asked, {name: verdict(answer) for name, answer in answers.items()}))
        return Compared(rows, sum(len(instance.heard) for instance in found.values()))


def test_every_decision_is_the_same_wherever_the_gate_stands(compared: Compared) -> None:
    text = table(compared.rows)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build/parity.md").write_text(text)
    sys.stdout.write(text)
    odd = [
        f"{token} {asked.name}: {who} says {got}, and the middleware {found['wsgi']}"
        for token, asked, found in compared.rows
        for who, got in found.items()
        if got != found["wsgi"] and not excused(who, token, asked, found["wsgi"], got)
    ]
    assert not odd, "\n".join(odd)


def test_no_request_reached_a_service_that_was_not_let_pass(compared: Compared) -> None:
    passed = sum(found[kind].status == 200 for _, _, found in compared.rows for kind in _GATEWAYS)
    assert compared.reached == passed > 100


@pytest.mark.parametrize(
    ("token", "request_", "expected"),
    [
        ("none", "GET /users/7", "401 unauthenticated"),
        ("none", "GET /users/public/x", "200"),
        ("good", "GET /users/7", "200"),
        ("good", "POST /orders", "200"),
        ("good", "GET /nothing", "403 forbidden"),
        ("good", "GET /users/admin/x", "403 insufficient_scope"),
        ("good", "GET /orders//7", "400 ambiguous_path"),
        ("good", "GET /v0/orders/7", "410 api-version-retired"),
        ("good", "GET /v3/orders/7", "404 api-version-unsupported"),
        ("good", "GET /v1/orders/7 [API-Version: 2]", "400 api-version-ambiguous"),
        ("wrong scope", "GET /users/7", "403 insufficient_scope"),
        ("expired", "GET /users/7", "401 invalid_token"),
        ("alg none", "GET /users/7", "401 invalid_token"),
        ("unknown kid", "GET /users/7", "401 invalid_token"),
        ("malformed", "GET /users/7", "400 invalid_request"),
        ("janitor", "DELETE /orders/7", "200"),
        ("none", "OPTIONS /orders/7 [Origin: https://app.example] [Access-Control-Request-Method: PUT]", "200"),
    ],
)
def test_what_all_agree_on_is_right(compared: Compared, token: str, request_: str, expected: str) -> None:
    (found,) = [found for name, asked, found in compared.rows if (name, asked.name) == (token, request_)]
    assert {str(each) for each in found.values()} == {expected}
