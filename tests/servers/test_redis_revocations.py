"""Revocations in a real Redis: each process follows the list, requests ask memory alone, and outages behave as configured."""

from __future__ import annotations

import json
import os
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from interservice import Gate, JWTAuth
from interservice.errors import ConfigurationError, InvalidToken, RevocationsUnavailable
from interservice.events import RevocationsChanged
from interservice.testing import FakeClock, FaultServer, Issuer, Recorder, Reply
from interservice.tokens import Introspection, Issuers, Reason, Revocations, StaticKeys, Verifier
from tests.inbound.requests import request
from tests.servers.peer import Peer, accepts, eventually, free_port, program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ISSUER = Issuer("https://auth.test", algorithms=["ES256"], expires_in=600)
#: The order of P-256: with (r, s), (r, n - s) is a signature too.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass
class Server:
    """A Redis, and how to end it and start it again."""

    port: int
    folder: Path
    peer: Peer | None = None

    @property
    def url(self) -> str:
        return f"redis://:hush@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        where = program("redis-server", Path("/usr/bin/redis-server"), how="make servers")
        options = f"--port {self.port} --bind 127.0.0.1 --requirepass hush --appendonly yes --appendfsync always --save".split()
        self.peer = Peer([where, *options, "", "--dir", self.folder], lambda: accepts(self.port))
        self.peer.__enter__()

    def stop(self) -> None:
        if self.peer is not None:
            self.peer.__exit__()
            self.peer = None

    def client(self) -> Any:
        return redis.Redis.from_url(self.url)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(free_port(), tmp_path)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def make(server: Server) -> Iterator[Callable[..., Revocations]]:
    kept: list[Revocations] = []

    def make(**options: Any) -> Revocations:
        kept.append(Revocations(server.url, **options))
        return kept[-1]

    yield make
    for revocations in kept:
        revocations.close()


def verifier(revocations: Revocations, **options: Any) -> Verifier:
    return Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks), revocations=revocations, **options)


def mint(**claims: Any) -> str:
    return ISSUER.mint(aud="orders", **claims)


def reason(verifies: Any, token: str) -> Reason | str | None:
    """Why a token is refused; None when it is not."""
    try:
        verifies.verify(token)
    except InvalidToken as refusal:
        return refusal.reason
    return None


def test_revoked_token_is_refused_though_it_was_verified_before(make: Callable[..., Revocations]) -> None:
    revocations = make()
    verifies, token = verifier(revocations), mint()
    principal = verifies.verify(token)
    assert verifies.check(token) is principal
    revocations.revoke(principal.issuer, token_id=principal.token_id, expires_at=principal.expires_at)
    assert reason(verifies, token) is reason(verifies, token) is Reason.REVOKED
    assert reason(verifies, mint()) is None


def test_every_process_hears_of_a_revocation(make: Callable[..., Revocations]) -> None:
    here, there = make(), make()
    verifies, token = verifier(there), mint(jti="t-1")
    verifies.verify(token)
    here.revoke("https://auth.test", token_id="t-1")
    assert eventually(lambda: reason(verifies, token) is Reason.REVOKED)


def test_rewritten_signature_of_a_revoked_token_is_refused_too(make: Callable[..., Revocations]) -> None:
    revocations = make()
    verifies, token = verifier(revocations), mint(jti="t-1")
    signed, _, signature = token.rpartition(".")
    raw = urlsafe_b64decode(signature + "==")
    other = raw[:32] + (_ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    twin = f"{signed}.{urlsafe_b64encode(other).rstrip(b'=').decode()}"
    assert twin != token
    assert reason(verifies, twin) is None
    revocations.revoke("https://auth.test", token_id="t-1")
    assert reason(verifies, twin) is reason(verifies, token) is Reason.REVOKED


@pytest.mark.parametrize("which", ["subject", "client_id"])
def test_all_tokens_of_a_subject_or_client_up_to_now(make: Callable[..., Revocations], which: str) -> None:
    revocations = make()
    verifies, name = verifier(revocations), {"subject": "sub", "client_id": "client_id"}[which]
    old, others = mint(**{name: "x"}), mint(sub="y")
    assert reason(verifies, old) is None
    now = revocations.clock.time()
    meant: dict[str, Any] = {which: "x"}
    revocations.revoke("https://auth.test", before=now + 1, **meant)
    assert reason(verifies, old) is Reason.REVOKED
    assert reason(verifies, others) is None
    assert reason(verifies, mint(**{name: "x", "iat": int(now) + 2})) is None


def test_process_that_starts_later_knows_what_was_revoked(make: Callable[..., Revocations]) -> None:
    for number in range(2500):
        if number % 500 == 0:
            make().revoke("https://auth.test", token_id=f"t-{number}")
    many = make()
    client = many._connect()
    with client.pipeline() as pipe:
        for number in range(2500):
            entry = {"kind": "token", "issuer": "https://auth.test", "name": f"p-{number}", "before": 0, "until": 9e9}
            pipe.xadd("interservice:revocations", {"revocation": json.dumps(entry)})
        pipe.execute()
    client.close()
    late = make()
    verifies = verifier(late)
    assert reason(verifies, mint(jti="p-2499")) is reason(verifies, mint(jti="t-2000")) is Reason.REVOKED
    assert late.snapshot()["entries"] == 2505


def test_requests_ask_redis_for_nothing(server: Server, make: Callable[..., Revocations]) -> None:
    revocations = make(staleness=60.0)
    verifies, token = verifier(revocations), mint()
    verifies.verify(token)
    client = server.client()
    before = client.info("commandstats")
    for _ in range(2000):
        verifies.verify(token)
    after = client.info("commandstats")
    client.close()
    calls = {name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after}
    assert sum(calls.values()) < 20, calls
    assert verifies.wants(token) is None


def test_token_without_an_id_is_refused_unless_that_is_allowed(make: Callable[..., Revocations]) -> None:
    assert reason(verifier(make()), mint(jti=None)) is Reason.MISSING_CLAIM
    lenient = make(require_jti=False)
    assert reason(verifier(lenient), mint(jti=None)) is None


def test_outage_refuses_tokens_and_ends(server: Server, make: Callable[..., Revocations]) -> None:
    clock, recorder = FakeClock(), Recorder()
    revocations = make(clock=clock, listeners=[recorder])
    verifies, token = verifier(revocations), mint(jti="t-1")
    verifies.verify(token)
    server.stop()
    assert [event.available for event in recorder.wait_for(RevocationsChanged, 2)] == [True, False]
    assert reason(verifies, token) is None  # the list was complete a moment ago
    clock.advance(5.5)
    with pytest.raises(RevocationsUnavailable) as caught:
        verifies.verify(token)
    assert (caught.value.status, caught.value.code) == (503, "revocations_unavailable")
    assert caught.value.retry_after == 1.0
    assert verifies.wants(token) is None  # nobody waits for a Redis that is down
    with pytest.raises(RevocationsUnavailable):
        revocations.revoke("https://auth.test", token_id="t-1")
    server.start()
    recorder.wait_for(RevocationsChanged, 3, timeout=15.0)
    assert reason(verifies, token) is None


def test_outage_lets_tokens_pass_where_that_was_chosen_and_says_so(
    server: Server, make: Callable[..., Revocations], caplog: pytest.LogCaptureFixture
) -> None:
    clock, recorder = FakeClock(), Recorder()
    revocations = make(clock=clock, on_error="allow", listeners=[recorder])
    verifies, token, revoked = verifier(revocations), mint(jti="t-1"), mint(jti="t-2")
    verifies.verify(token)
    revocations.revoke("https://auth.test", token_id="t-2")
    server.stop()
    recorder.wait_for(RevocationsChanged, 2)
    clock.advance(60.0)
    assert reason(verifies, token) is None
    assert reason(verifies, revoked) is Reason.REVOKED
    assert "cannot be told whether they were revoked" in caplog.text
    assert "hush" not in caplog.text + repr(revocations)


@pytest.mark.parametrize(("on_error", "status"), [("deny", 503), ("allow", None)])
def test_redis_that_was_never_there_behaves_as_configured(on_error: Any, status: int | None) -> None:
    revocations = Revocations(f"redis://127.0.0.1:{free_port()}", on_error=on_error, timeout=0.5)
    gate = Gate([JWTAuth(Issuers(verifier(revocations)))], service="orders")
    exchange = gate.open(request("GET", "/", ("Authorization", f"Bearer {mint()}")))
    while (work := gate.prepare(exchange)) is not None:
        work()
    reply = gate.admit(exchange)
    assert (None if reply is None else reply.status) == status
    if reply is not None:
        assert json.loads(reply.body)["code"] == "revocations_unavailable"
        assert dict(reply.headers)["Retry-After"] == "1"
    revocations.close()


def test_redis_that_came_back_empty_makes_nothing_valid_again(server: Server, make: Callable[..., Revocations]) -> None:
    recorder = Recorder()
    revocations = make(listeners=[recorder])
    verifies, token = verifier(revocations), mint(jti="t-1")
    revocations.revoke("https://auth.test", token_id="t-1")
    assert reason(verifies, token) is Reason.REVOKED
    server.stop()
    recorder.wait_for(RevocationsChanged, 2)
    for path in sorted(server.folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    server.start()
    recorder.wait_for(RevocationsChanged, 3, timeout=15.0)
    assert reason(verifies, token) is Reason.REVOKED
    make().revoke("https://auth.test", token_id="t-2")
    assert eventually(lambda: reason(verifies, mint(jti="t-2")) is Reason.REVOKED)


def test_list_is_at_hand_once_the_verifier_is_warm(server: Server, make: Callable[..., Revocations]) -> None:
    revocations = make()
    assert revocations.snapshot() == {"followed": False, "entries": 0, "behind": None, "last_error": None}
    verifies = verifier(revocations)
    assert verifies.warm()
    assert revocations.snapshot()["followed"]
    assert verifies.wants(mint()) is None
    server.stop()
    assert not verifier(make(timeout=0.5)).warm()


def test_requests_at_once_start_one_thread(make: Callable[..., Revocations]) -> None:
    revocations = make()
    verifies, token = verifier(revocations, cache_size=0), mint()
    before = sum(thread.name == "interservice-revocations" for thread in threading.enumerate())
    with ThreadPoolExecutor(20) as pool:
        assert {future.result().issuer for future in [pool.submit(verifies.verify, token) for _ in range(20)]} == {
            "https://auth.test"
        }
    assert sum(thread.name == "interservice-revocations" for thread in threading.enumerate()) == before + 1


def test_closed_list_is_followed_again_when_it_is_needed(make: Callable[..., Revocations]) -> None:
    revocations = make()
    verifies, token = verifier(revocations), mint()
    verifies.verify(token)
    revocations.close()
    assert not any(thread.name == "interservice-revocations" for thread in threading.enumerate())
    assert verifies.verify(token).issuer == "https://auth.test"


def test_junk_in_the_stream_is_passed_over(server: Server, make: Callable[..., Revocations]) -> None:
    client = server.client()
    for fields in ({"x": "y"}, {"revocation": "junk"}, {"revocation": '{"kind":"token"}'}, {"revocation": "[" * 9999}):
        client.xadd("interservice:revocations", fields)
    client.close()
    revocations = make()
    revocations.revoke("https://auth.test", token_id="t-1")
    late = make()
    assert reason(verifier(late), mint(jti="t-1")) is Reason.REVOKED
    assert reason(verifier(late), mint(jti="t-2")) is None


def test_stream_is_trimmed_of_what_no_token_can_outlive(server: Server, make: Callable[..., Revocations]) -> None:
    client = server.client()
    entry = json.dumps({"kind": "token", "issuer": "x", "name": "old", "before": 0, "until": 1})
    with client.pipeline() as pipe:
        for number in range(1000):
            pipe.xadd("interservice:revocations", {"revocation": entry}, id=f"1000-{number}")
        pipe.execute()
    make().revoke("https://auth.test", token_id="t-1")
    assert client.xlen("interservice:revocations") < 200
    client.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_child_of_a_fork_follows_on_its_own(make: Callable[..., Revocations]) -> None:
    revocations = make()
    verifies, token, other = verifier(revocations), mint(jti="t-1"), mint(jti="t-2")
    verifies.verify(token)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.read(reading, 1)
            heard = eventually(lambda: reason(verifies, token) is Reason.REVOKED)
            os._exit(0 if heard and reason(verifies, other) is None else 1)
        finally:
            os._exit(2)
    revocations.revoke("https://auth.test", token_id="t-1")
    os.write(writing, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(reading)
    os.close(writing)
    assert reason(verifies, token) is Reason.REVOKED


def test_introspected_token_can_be_revoked_as_well(make: Callable[..., Revocations]) -> None:
    revocations = make()
    body = json.dumps({"active": True, "aud": "orders", "jti": "o-1", "sub": "x"}).encode()
    with FaultServer(then=Reply(body=body)) as issuer:
        introspection = Introspection(
            issuer.url, "orders", client_id="orders", client_secret="x", url=f"{issuer.url}/i", revocations=revocations
        )
        assert reason(introspection, "opaque") is None
        revocations.revoke(issuer.url, token_id="o-1")
        assert reason(introspection, "opaque") is Reason.REVOKED


def test_nothing_is_opened_when_it_is_made(server: Server) -> None:
    client, before = server.client(), threading.active_count()
    connected = client.info("clients")["connected_clients"]
    Revocations(server.url)
    assert threading.active_count() <= before
    assert client.info("clients")["connected_clients"] <= connected
    client.close()


@pytest.mark.parametrize(
    "options",
    [
        {"redis": "http://:hush@127.0.0.1"},
        {"redis": ""},
        {"redis": None},
        {"key": ""},
        {"on_error": "open"},
        {"staleness": 0},
        {"wait": -1},
        {"lifetime": 0},
    ],
    ids=str,
)
def test_nonsense_is_refused_when_it_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="Revocations") as caught:
        Revocations(**{"redis": "redis://127.0.0.1", **options})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [{}, {"token_id": "x", "subject": "y"}, {"token_id": "x", "expires_at": 9e12}, {"subject": "x", "before": "now"}],
    ids=str,
)
def test_nonsense_is_never_written_down(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="Revocations"):
        Revocations("redis://127.0.0.1:1").revoke("https://auth.test", **options)
