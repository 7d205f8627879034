"""What every rendered gateway that asks the gate must do, on the real servers."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from interservice.gateway import Edge, Service
from interservice.testing import Issuer
from tests.servers.edge_gate import gate
from tests.servers.edges import NAMES, RUN, Gateway, Heard, Instance, asked_gate, instances, options, services
from tests.servers.peer import eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("render-gateways")
_TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_SPOOFS = {
    "X-Auth-Subject": "evil",
    "X_Auth_Subject": "evil",
    "X-Auth-Identity": "evil",
    "X_Auth_Identity": "evil",
    "X-Auth-Version": "2",
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "Forwarded": "for=6.6.6.6",
    "X-Forwarded-Client-Cert": "Hash=evil",
    "X-Original-URI": "/users/public/x",
    "X-Original-Method": "GET",
    "X-Forwarded-Uri": "/users/public/x",
    "X-Forwarded-Method": "GET",
    "X-Request-ID": "mine",
    "X-Envoy-Retry-On": "5xx",
    "X-Envoy-Max-Retries": "3",
    "X-Envoy-Expected-Rq-Timeout-Ms": "1",
}


@dataclass
class Edged:
    """A gateway, what is behind it, and the issuer that the gate believes."""

    kind: str
    gateway: Gateway
    found: dict[str, Instance]
    issuer: Issuer

    def bearer(self, **claims: str | list[str]) -> dict[str, str]:
        """A field with a good token, for all that the rules ask, unless `claims` say otherwise."""
        good = {"sub": "svc-a", "aud": "edge", "scope": "orders:read orders:write users:read"}
        token = self.issuer.mint(**{**good, **claims})  # type: ignore[arg-type]
        return {"Authorization": f"Bearer {token}"}

    def heard(self) -> list[Heard]:
        """What every instance heard."""
        return [heard for instance in self.found.values() for heard in instance.heard]


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    issuer = Issuer(algorithms=["ES256"])
    with issuer.serve():
        yield issuer


@pytest.fixture(scope="module")
def auth_port(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with asked_gate(tmp_path_factory.mktemp("auth"), issuer.issuer) as port:
        yield port


@contextmanager
def start(kind: str, issuer: Issuer, auth_port: int, folder: Path, **changes: Any) -> Iterator[Edged]:
    """A gateway of some kind, with all that is behind it."""
    with instances(*NAMES) as found:
        edge = Edge(
            gate=gate(issuer.issuer),
            services=services(found, timeout=2.0, connect_timeout=0.3),
            forward_auth=f"http://127.0.0.1:{auth_port}",
            **{"forward_token": False, "max_body": 400_000, **options(folder), **changes},
        )
        with RUN[kind](edge, folder) as gateway:
            yield Edged(kind, gateway, found, issuer)


@pytest.fixture(scope="module", params=sorted(RUN))
def started(
    request: pytest.FixtureRequest, issuer: Issuer, auth_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edged]:
    with start(request.param, issuer, auth_port, tmp_path_factory.mktemp(request.param)) as edged:
        yield edged


@pytest.fixture
def edged(started: Edged) -> Edged:
    for instance in started.found.values():
        instance.heard.clear()
        instance.headers.clear()
    return started


@pytest.fixture(params=sorted(RUN))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fresh(kind: str, issuer: Issuer, auth_port: int, tmp_path: Path) -> Iterator[Edged]:
    """One that has seen no failure yet, and so leaves no instance alone."""
    with start(kind, issuer, auth_port, tmp_path / "gateway") as edged:
        yield edged


def test_gateway_is_ready_without_a_token(edged: Edged) -> None:
    answer = edged.gateway.ask("/-/ready")
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    assert not edged.heard()


def test_longest_prefix_gets_whole_segments_alone(edged: Edged) -> None:
    answer = edged.gateway.ask("/users/public/x?q=1", headers=edged.bearer())
    assert answer.json.get("instance") == "users", answer
    assert edged.found["users"].heard[0].target == "/users/public/x?q=1"
    unknown = edged.gateway.ask("/usersx", headers=edged.bearer())
    assert unknown.status in (403, 404)
    assert len(edged.heard()) == 1


@pytest.mark.parametrize(
    ("target", "headers", "instance"),
    [
        ("/orders/7", {}, "orders-"),
        ("/v1/orders/7", {}, "orders-"),
        ("/v2/orders/7", {}, "orders-2"),
        ("/v2.0/orders/7", {}, "orders-2"),
        ("/orders/7", {"API-Version": "2"}, "orders-2"),
        ("/orders/7", {"Accept": "application/json; version=2"}, "orders-2"),
        ("/v2/orders/7", {"API-Version": "2.0"}, "orders-2"),
    ],
)
def test_version_chooses_the_instances_and_no_path_is_rewritten(
    edged: Edged, target: str, headers: dict[str, str], instance: str
) -> None:
    answer = edged.gateway.ask(target, headers=edged.bearer() | headers)
    assert answer.status == 200
    assert answer.json["instance"].startswith(instance)
    assert answer.json["instance"] != "orders-2" or instance == "orders-2"
    assert [heard.target for heard in edged.heard()] == [target]


def test_identity_comes_from_the_gate_alone(edged: Edged) -> None:
    assert edged.gateway.ask("/orders/7", headers=edged.bearer() | _SPOOFS).status == 200
    (heard,) = edged.heard()
    assert heard.all("x-auth-subject") == ["svc-a"]
    assert heard.all("x-auth-version") == ["1"]
    assert len(heard.all("x-auth-identity")) == 1
    assert "evil" not in str(heard.headers)
    assert "6.6.6.6" not in str(heard.headers)
    assert not [name for name, _ in heard.headers if "_" in name]
    assert not heard.all("authorization")


def test_anonymous_spoof_reaches_no_service(edged: Edged) -> None:
    assert edged.gateway.ask("/users/public/x", headers=_SPOOFS).status == 200
    (heard,) = edged.heard()
    assert not heard.all("x-auth-subject")
    assert "evil" not in str(heard.headers)


def test_spoofed_originals_do_not_change_the_question(edged: Edged) -> None:
    assert edged.gateway.ask("/orders", "POST", headers=_SPOOFS, body=b"x").status == 401
    assert not edged.heard()


def test_forwarded_fields_say_what_the_gateway_saw(edged: Edged) -> None:
    edged.gateway.ask("/users/public/x", headers=_SPOOFS | {"traceparent": _TRACE})
    (heard,) = edged.heard()
    assert heard.all("x-forwarded-for") == ["127.0.0.1"]
    assert heard.all("x-forwarded-proto") == ["http"]
    assert heard.all("x-forwarded-host") == [f"127.0.0.1:{edged.gateway.port}"]
    assert heard.all("host") == [f"127.0.0.1:{edged.gateway.port}"]
    assert heard.all("traceparent") == [_TRACE]
    assert not heard.all("forwarded")
    assert heard.all("x-envoy-expected-rq-timeout-ms") in (["2000"], [])


def test_request_id_is_made_once_and_told_once(edged: Edged) -> None:
    edged.found["users"].headers["X-Request-ID"] = "of the service"
    answer = edged.gateway.ask("/users/public/x", headers={"X-Request-ID": "mine"})
    (heard,) = edged.heard()
    (given,) = heard.all("x-request-id")
    assert given != "mine"
    assert answer.all("x-request-id") == [given]


def test_request_id_of_a_refusal_is_in_its_document_and_head_and_log(edged: Edged) -> None:
    answer = edged.gateway.ask("/orders/7")
    (given,) = answer.all("x-request-id")
    assert answer.status == 401
    assert answer.json["instance"] == f"urn:request:{given}"
    assert eventually(lambda: [line["status"] for line in edged.gateway.lines() if line["request_id"] == given] == [401])


@pytest.mark.parametrize(
    ("target", "method", "claims", "status", "code"),
    [
        ("/orders/7", "GET", None, 401, "unauthenticated"),
        ("/orders/7", "GET", {"aud": "other"}, 401, "invalid_token"),
        ("/orders/7", "GET", {"scope": "x"}, 403, "insufficient_scope"),
        ("/orders/7", "DELETE", {}, 403, "forbidden"),
        ("/nothing", "GET", {}, 403, "forbidden"),
        ("/orders;x/7", "GET", {}, 400, "ambiguous_path"),
        ("/v0/orders/7", "GET", {}, 410, "api-version-retired"),
        ("/v3/orders/7", "GET", {}, 404, "api-version-unsupported"),
    ],
)
def test_refusal_reaches_the_client_as_the_gate_gave_it(  # noqa: PLR0917 - a table's columns
    edged: Edged, target: str, method: str, claims: dict[str, str] | None, status: int, code: str
) -> None:
    headers = {} if claims is None else edged.bearer(**claims)
    answer = edged.gateway.ask(target, method, headers=headers)
    assert (answer.status, answer.code) == (status, code)
    assert len(answer.all("www-authenticate")) == (1 if code in ("unauthenticated", "invalid_token", "insufficient_scope") else 0)
    assert answer.all("cache-control") == ["no-store"]
    assert not edged.heard()


def test_refusal_of_a_malformed_token_keeps_its_challenge(edged: Edged) -> None:
    answer = edged.gateway.ask("/orders/7", headers={"Authorization": "Bearer a b"})
    assert (answer.status, answer.code) == (400, "invalid_request")
    (challenge,) = answer.all("www-authenticate")
    assert challenge.startswith('Bearer realm="edge", error="invalid_request"')


def test_get_is_repeated_on_another_instance_and_post_is_not(fresh: Edged) -> None:
    for name in ("orders-a", "orders-b"):
        fresh.found[name].faults[:] = [503]
    assert fresh.gateway.ask("/orders", "POST", headers=fresh.bearer(), body=b"x").status == 503
    assert len(fresh.heard()) == 1
    # The other instance still has its fault. Caddy repeats nothing because of a status.
    statuses = [fresh.gateway.ask("/orders/7", headers=fresh.bearer()).status for _ in range(3)]
    assert sorted(statuses) == ([200, 200, 503] if fresh.kind == "caddy" else [200] * 3)
    assert len(fresh.heard()) == (4 if fresh.kind == "caddy" else 5)


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_reset_is_followed_by_another_try_for_get_alone(fresh: Edged, method: str) -> None:
    for name in ("orders-a", "orders-b"):
        fresh.found[name].faults[:] = ["reset"] * 5
    target = "/orders" if method == "POST" else "/orders/7"
    answer = fresh.gateway.ask(target, method, headers=fresh.bearer(), body=b"x" if method == "POST" else None)
    assert answer.status in (502, 503)
    assert answer.all("retry-after") == ["1"]
    assert answer.code in ("upstream_failed", "no_endpoint")
    assert len(fresh.heard()) == 1 if method == "POST" else len(fresh.heard()) > 1


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_dead_instance_costs_no_request(issuer: Issuer, auth_port: int, tmp_path: Path, kind: str, method: str) -> None:
    with instances(*NAMES) as found:
        found["orders-a"].port = free_port()  # nobody listens there
        edge = Edge(
            gate=gate(issuer.issuer),
            services=services(found, health=None),
            forward_auth=f"http://127.0.0.1:{auth_port}",
            **options(tmp_path / "gateway"),
        )
        with RUN[kind](edge, tmp_path / "gateway") as gateway:
            edged = Edged(kind, gateway, found, issuer)
            target, body = ("/orders", b"x") if method == "POST" else ("/orders/7", None)
            statuses = [gateway.ask(target, method, headers=edged.bearer(), body=body).status for _ in range(6)]
    # Caddy cannot send a body again, and learns from two failures.
    lost = statuses.count(502) if (kind, method) == ("caddy", "POST") else 0
    assert lost <= 2
    assert sorted(statuses) == [200] * (6 - lost) + [502] * lost
    assert len(found["orders-b"].heard) == 6 - lost


def test_no_instance_at_all_is_a_problem_with_a_hint_when_to_come_back(
    issuer: Issuer, auth_port: int, tmp_path: Path, kind: str
) -> None:
    with start(kind, issuer, auth_port, tmp_path / "gateway") as edged:
        dead = Edge(
            gate=gate(issuer.issuer),
            services=[Service(name="users", prefix="/users", endpoints=[f"http://127.0.0.1:{free_port()}"], health=None)],
            forward_auth=f"http://127.0.0.1:{auth_port}",
            **options(tmp_path / "dead"),
        )
        with RUN[kind](dead, tmp_path / "dead") as gateway:
            answer = gateway.ask("/users/7", headers=edged.bearer())
    assert answer.status in (502, 503)
    assert answer.code in ("upstream_failed", "no_endpoint")
    assert answer.all("retry-after") == ["1"]
    assert len(answer.all("x-request-id")) == 1


def test_gate_that_is_down_lets_nothing_pass(issuer: Issuer, tmp_path: Path, kind: str) -> None:
    with start(kind, issuer, free_port(), tmp_path / "gateway") as edged:
        answers = [edged.gateway.ask("/orders/7", headers=edged.bearer()), edged.gateway.ask("/users/public/x")]
        assert not edged.heard()
    assert [(answer.status, answer.code) for answer in answers] == [(503, "authorization_unavailable")] * 2
    assert [answer.all("retry-after") for answer in answers] == [["1"]] * 2


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Issuer, int]]:
    """An issuer that is down, and the gate that waits for its keys."""
    issuer = Issuer(f"http://127.0.0.1:{free_port()}", algorithms=["ES256"])
    with asked_gate(tmp_path_factory.mktemp("keyless"), issuer.issuer) as port:
        yield issuer, port


def test_keys_that_cannot_be_had_are_503_and_not_401(keyless: tuple[Issuer, int], tmp_path: Path, kind: str) -> None:
    with start(kind, *keyless, tmp_path / "gateway") as edged:
        answer = edged.gateway.ask("/orders/7", headers=edged.bearer())
        assert not edged.heard()
    # Envoy takes every 5xx of the gate for a failure to answer.
    assert (answer.status, answer.code) == (503, "authorization_unavailable" if kind == "envoy" else "keys_unavailable")
    assert len(answer.all("retry-after")) == 1


@pytest.mark.parametrize(("method", "target"), [("GET", "/users/public/x"), ("POST", "/orders")])
def test_slow_service_is_given_up_in_time(fresh: Edged, method: str, target: str) -> None:
    held = threading.Event()
    try:
        for instance in fresh.found.values():
            instance.faults[:] = [held] * 3
        answer = fresh.gateway.ask(target, method, headers=fresh.bearer(), body=b"x" if method == "POST" else None)
    finally:
        held.set()
    # Time is up for every try, so that not even a GET is sent again.
    assert len(fresh.heard()) == 1
    assert (answer.status, answer.code) == (504, "upstream_timeout")
    assert answer.all("retry-after") == ["1"]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_body_beyond_the_limit_is_refused(edged: Edged, chunked: bool) -> None:
    body = b"x" * 400_001
    answer = edged.gateway.ask("/orders", "POST", headers=edged.bearer(), body=iter([body] * 2) if chunked else body)
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert not edged.heard()


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_body_within_the_limit_passes(edged: Edged, chunked: bool) -> None:
    body = b"x" * 400_000
    parts = iter([body[:300_000], body[300_000:]]) if chunked else body
    answer = edged.gateway.ask("/orders", "POST", headers=edged.bearer(), body=parts)
    assert answer.status == 200
    assert edged.heard()[0].body == body


@pytest.mark.parametrize("named", ["X-Auth-Subject, X-Auth-Identity", "X-Request-ID, X-Forwarded-For", "Authorization"])
def test_connection_field_of_a_client_takes_off_nothing_of_the_gateways(edged: Edged, named: str) -> None:
    answer = edged.gateway.ask("/orders/7", headers=edged.bearer() | {"Connection": f"close, {named}"})
    if edged.kind == "envoy" and "X-Auth" not in named:
        assert answer.status in (400, 401)  # takes X-Forwarded-For so named for an attack, and Authorization off
        return
    assert answer.status == 200
    (heard,) = edged.heard()
    names = ("x-auth-subject", "x-auth-identity", "x-request-id", "x-forwarded-for")
    assert [len(heard.all(name)) for name in names] == [1] * 4


def test_fields_for_one_hop_alone_reach_no_service(edged: Edged) -> None:
    sent = {"Proxy-Authorization": "Basic x", "Proxy-Connection": "keep-alive", "Keep-Alive": "timeout=9", "TE": "gzip"}
    assert edged.gateway.ask("/users/public/x", headers=sent).status == 200
    (heard,) = edged.heard()
    assert not [name for name in sent if heard.all(name)]


def test_websocket_passes_once_the_gate_has_let_it(edged: Edged) -> None:
    with edged.gateway.upgraded("/users/public/x", {}) as client:
        assert client.recv(4096).startswith(b"HTTP/1.1 101 ")
        client.sendall(b"ping")
        assert client.recv(4096) == b"ping"
    with edged.gateway.upgraded("/users/7", {}) as client:
        assert client.recv(4096).startswith(b"HTTP/1.1 401 ")
    assert len(edged.heard()) == 1


def test_no_other_protocol_is_upgraded_to(edged: Edged) -> None:
    with edged.gateway.upgraded("/users/public/x", {"HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"}, "h2c") as client:
        assert b" 101 " not in client.recv(4096)
    assert [heard.all("upgrade") for heard in edged.heard()] in ([], [[]])
