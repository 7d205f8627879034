"""A real OAuth 2 server (oidc-provider) as the other side: every algorithm, opaque tokens, rotation under load, outages."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from interservice.errors import IntrospectionUnavailable, InvalidToken
from interservice.events import Introspected, KeysFetched, KeysNoticed
from interservice.outbound import ClientCredentials, ServiceAdapter, ServiceSession, mount
from interservice.testing import FakeClock, FaultServer, Recorder
from interservice.tokens import ByShape, Discovery, Introspection, Reason, Verifier
from tests.servers.peer import TOOLS, Peer, accepts, free_port, program

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("oidc") / "server.mjs"
ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519")
SECRETS = {name: f"{name}-secret-0123456789-0123456789" for name in ("basic", "post")}
KEY: dict[str, Any] = {**ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True), "kid": "client-1"}
KEY.pop("key_ops", None)


@dataclass
class Server:
    """The server, which can be ended and started again on its port, with other keys then."""

    port: int
    peer: Peer | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        program("oidc-provider", TOOLS / "node_modules" / "oidc-provider" / "package.json", how="make servers")
        node = program("node", how="install Node.js, then make servers")
        public = {name: value for name, value in KEY.items() if name != "d"}
        env = {"PORT": str(self.port), "CLIENT_JWK": json.dumps({**public, "alg": "ES256", "use": "sig"})}
        # As text rather than as a file, so that its imports are looked for where it runs.
        command = [node, "--input-type=module", "--eval", SCRIPT.read_text("utf-8")]
        self.peer = Peer(command, lambda: accepts(self.port), cwd=TOOLS, env=env)
        self.peer.__enter__()

    def stop(self) -> None:
        if self.peer is not None:
            self.peer.__exit__()
            self.peer = None

    def rotate(self) -> None:
        requests.post(f"{self.issuer}/__rotate", timeout=20).raise_for_status()

    def asked(self, path: str) -> int:
        """How often a path was asked for."""
        stats: dict[str, int] = requests.get(f"{self.issuer}/__stats", timeout=20).json()["stats"]
        return stats.get(path, 0)

    def credentials(self, method: str = "client_secret_basic", **options: Any) -> ClientCredentials:
        proofs: dict[str, dict[str, Any]] = {
            "client_secret_basic": {"client_id": "svc-basic", "client_secret": SECRETS["basic"]},
            "client_secret_post": {"client_id": "svc-post", "client_secret": SECRETS["post"], "auth_method": method},
            "private_key_jwt": {"client_id": "svc-key", "private_key": KEY},
        }
        return ClientCredentials(issuer=self.issuer, **proofs[method], **options)

    def token(self, resource: str, **options: Any) -> str:
        """A new token for a resource."""
        return self.credentials(resource=resource, scope="orders:read", **options).token(10.0)

    def introspection(self, **options: Any) -> Introspection:
        given = {"client_id": "svc-basic", "client_secret": SECRETS["basic"], **options}
        return Introspection(self.issuer, "https://opaque.test", **given)


@pytest.fixture(scope="module")
def _shared() -> Iterator[Server]:
    made = Server(free_port())
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def server(_shared: Server) -> Server:
    return _shared


@pytest.fixture
def mortal() -> Iterator[Server]:
    """A server of one test, which may end it."""
    made = Server(free_port())
    made.start()
    try:
        yield made
    finally:
        made.stop()


def settle() -> None:
    """Wait for fetches in the background to end."""
    for thread in threading.enumerate():
        if thread.name == "interservice-keys":
            thread.join(20)
            assert not thread.is_alive()


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("profile", [None, "rfc9068"])
def test_token_of_each_algorithm_is_verified(server: Server, alg: str, profile: Any) -> None:
    audience = f"https://{alg.lower()}.test"
    principal = Verifier(server.issuer, audience, profile=profile).verify(server.token(audience))
    assert (principal.issuer, principal.client_id, set(principal.scopes)) == (server.issuer, "svc-basic", {"orders:read"})


def test_token_for_another_resource_is_refused(server: Server) -> None:
    with pytest.raises(InvalidToken) as caught:
        Verifier(server.issuer, "https://es256.test").verify(server.token("https://rs256.test"))
    assert caught.value.reason is Reason.AUDIENCE


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_service_gets_its_token_whatever_its_proof_is(server: Server, method: str) -> None:
    auth = server.credentials(method, resource="https://es256.test", scope="orders:read")
    verifies = Verifier(server.issuer, "https://es256.test")
    with FaultServer() as billing, ServiceSession() as session:
        mount(session, billing.url, ServiceAdapter("billing", auth=auth))
        assert session.get(f"{billing.url}/x", timeout=20).status_code == 200
        token = billing.requests[0].headers["authorization"].removeprefix("Bearer ")
    assert verifies.verify(token).client_id == auth.client_id


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_opaque_token_is_introspected_whatever_the_proof_is(server: Server, method: str) -> None:
    asks = server.credentials(method)
    recorder = Recorder()
    introspection = server.introspection(
        client_id=asks.client_id,
        client_secret=asks.client_secret,
        private_key=asks.private_key,
        auth_method=asks.auth_method,
        listeners=[recorder],
    )
    token = server.token("https://opaque.test")
    assert "." not in token
    principal = introspection.verify(token)
    assert (principal.issuer, principal.client_id, set(principal.scopes)) == (server.issuer, "svc-basic", {"orders:read"})
    assert introspection.verify(token) is principal
    assert [event.outcome for event in recorder.wait_for(Introspected)] == ["active"]


def test_made_up_token_is_not_active(server: Server) -> None:
    with pytest.raises(InvalidToken) as caught:
        server.introspection().verify("made-up")
    assert caught.value.reason is Reason.INACTIVE


def test_token_that_its_issuer_revoked_is_not_active_a_minute_later(server: Server) -> None:
    clock = FakeClock(time=time_of(server))
    introspection, token = server.introspection(clock=clock), server.token("https://opaque.test")
    introspection.verify(token)
    form = {"token": token, "client_id": "svc-basic"}
    basic = ("svc-basic", SECRETS["basic"])
    requests.post(f"{server.issuer}/token/revocation", form, auth=basic, timeout=20).raise_for_status()
    clock.advance(60.5)
    with pytest.raises(InvalidToken) as caught:
        introspection.verify(token)
    assert caught.value.reason is Reason.INACTIVE


def time_of(server: Server) -> float:
    """What time the server has, from a token of it."""
    return float(Verifier(server.issuer, "https://es256.test").verify(server.token("https://es256.test")).claims["iat"])


def test_jwt_is_refused_where_it_is_introspected(server: Server) -> None:
    with pytest.raises(InvalidToken) as caught:
        server.introspection().verify(server.token("https://es256.test"))
    assert caught.value.reason is Reason.INACTIVE


def test_both_shapes_pass_together(server: Server) -> None:
    both = ByShape(Verifier(server.issuer, "https://es256.test"), server.introspection())
    assert both.verify(server.token("https://es256.test")).client_id == "svc-basic"
    assert both.verify(server.token("https://opaque.test")).client_id == "svc-basic"


def test_wrong_secret_is_the_services_fault_and_not_the_callers(server: Server) -> None:
    with pytest.raises(IntrospectionUnavailable):
        server.introspection(client_secret="wrong").verify("t")


def test_rotation_under_load_fails_no_request(server: Server) -> None:
    clock, recorder = FakeClock(), Recorder()
    keys = Discovery(server.issuer, clock=clock, wait=20.0, listeners=[recorder])
    verifies = Verifier(server.issuer, "https://es256.test", keys=keys)
    stop, served = threading.Event(), []
    before = server.asked("/jwks")

    def client() -> None:
        while not stop.is_set():
            served.append(verifies.verify(server.token("https://es256.test")))

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client) for _ in range(4)]
        try:
            for _ in range(5):
                seen = len(served)
                while len(served) < seen + 20 and not any(each.done() for each in clients):
                    stop.wait(0.005)
                clock.advance(31.0)
                server.rotate()
        finally:
            stop.set()
        assert [each.exception() for each in clients] == [None] * 4
    settle()
    assert len(served) >= 100
    fetches = recorder.of(KeysFetched)
    assert [event.error for event in fetches if event.error is not None] == []
    assert len(fetches) == server.asked("/jwks") - before <= 12
    assert any(event.what == "unknown_kid" for event in recorder.of(KeysNoticed))


def test_outage_of_the_issuer_ends_no_service_and_its_new_keys_are_found(mortal: Server) -> None:
    clock, recorder = FakeClock(), Recorder()
    keys = Discovery(mortal.issuer, clock=clock, wait=20.0, listeners=[recorder])
    verifies = Verifier(mortal.issuer, "https://es256.test", keys=keys, cache_size=0)
    token = mortal.token("https://es256.test")
    verifies.verify(token)
    mortal.stop()
    for _ in range(3):
        clock.advance(3600.0)
        assert verifies.verify(token).client_id == "svc-basic"
        settle()
    assert keys.state == "stale"
    assert any(event.what == "stale_served" for event in recorder.of(KeysNoticed))
    assert recorder.of(KeysFetched)[-1].error is not None
    mortal.start()
    clock.advance(120.0)
    assert verifies.verify(mortal.token("https://es256.test")).client_id == "svc-basic"
    settle()
    assert keys.state == "fresh"


def test_outage_of_the_issuer_leaves_unknown_opaque_tokens_undecided(mortal: Server) -> None:
    introspection = mortal.introspection()
    known, unknown = mortal.token("https://opaque.test"), mortal.token("https://opaque.test")
    introspection.verify(known)
    mortal.stop()
    assert introspection.verify(known).client_id == "svc-basic"
    with pytest.raises(IntrospectionUnavailable):
        introspection.verify(unknown)
