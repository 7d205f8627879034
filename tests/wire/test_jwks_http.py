"""Keys from a real server on loopback: faults, rotation, outages, floods, forks; every fetch is counted."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests

from interservice.deadline import Deadline
from interservice.errors import ConfigurationError, InvalidToken, KeysUnavailable
from interservice.exchange import Exchange, enter
from interservice.http import Request
from interservice.testing import FakeClock, Issuer
from interservice.tokens import JWKS, Discovery, Reason, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AUDIENCE = "orders"


def settle() -> None:
    """Wait for fetches in the background to end."""
    for thread in threading.enumerate():
        if thread.name == "interservice-keys":
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _settled() -> Iterator[None]:
    yield
    settle()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def issuer(clock: FakeClock) -> Iterator[Issuer]:
    made = Issuer(algorithms=["EdDSA"], clock=clock, expires_in=1e6)
    with made.serve():
        yield made


def keys_of(issuer: Issuer, clock: FakeClock, **options: Any) -> JWKS:
    return JWKS(f"{issuer.url}/jwks", clock=clock, **options)


def verifier_of(issuer: Issuer, keys: JWKS, clock: FakeClock, **options: Any) -> Verifier:
    return Verifier(issuer.issuer, AUDIENCE, keys=keys, clock=clock, **options)


class Answers(BaseHTTPRequestHandler):
    """Answers as the test says."""

    protocol_version = "HTTP/1.1"
    answer: Callable[[BaseHTTPRequestHandler], None]
    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        type(self).answer(self)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    seen: list[dict[str, str]] = []
    handler = type("Handler", (Answers,), {"answer": staticmethod(answer), "seen": seen})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/jwks", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def body(content: bytes, status: int = 200, **headers: Any) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def test_keys_are_fetched_once_for_any_number_of_requests(issuer: Issuer, clock: FakeClock) -> None:
    keys = keys_of(issuer, clock)
    verifier = verifier_of(issuer, keys, clock, cache_size=0)
    assert issuer.hits("/jwks") == 0
    for _ in range(20):
        assert verifier.verify(issuer.mint(aud=AUDIENCE)).issuer == issuer.issuer
    assert issuer.hits("/jwks") == 1
    assert keys.state == "fresh"
    assert len(keys.kids) == 1


def test_first_requests_share_one_fetch(issuer: Issuer, clock: FakeClock) -> None:
    verifier = verifier_of(issuer, keys_of(issuer, clock, wait=20.0), clock, cache_size=0)
    fault, token = issuer.fail("slow", path="/jwks"), issuer.mint(aud=AUDIENCE)
    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(verifier.verify, token) for _ in range(20)]
        fault.ended.set()
        assert {future.result().issuer for future in futures} == {issuer.issuer}
    assert issuer.hits("/jwks") == 1


def test_rotated_key_is_found_at_once(issuer: Issuer, clock: FakeClock) -> None:
    verifier = verifier_of(issuer, keys_of(issuer, clock), clock)
    verifier.verify(issuer.mint(aud=AUDIENCE))
    issuer.rotate()
    assert verifier.verify(issuer.mint(aud=AUDIENCE)).issuer == issuer.issuer
    assert issuer.hits("/jwks") == 2


def test_key_that_left_the_set_ends_what_was_verified_with_it(issuer: Issuer, clock: FakeClock) -> None:
    verifier = verifier_of(issuer, keys_of(issuer, clock), clock)
    old = issuer.mint(aud=AUDIENCE)
    first = verifier.verify(old)
    assert verifier.check(old) is first
    issuer.rotate(keep=0)
    verifier.verify(issuer.mint(aud=AUDIENCE))
    with pytest.raises(InvalidToken) as caught:
        verifier.verify(old)
    assert caught.value.reason is Reason.UNKNOWN_KEY


def test_key_that_stays_in_the_set_keeps_what_was_verified_with_it(issuer: Issuer, clock: FakeClock) -> None:
    verifier = verifier_of(issuer, keys_of(issuer, clock), clock)
    old = issuer.mint(aud=AUDIENCE)
    first = verifier.verify(old)
    issuer.rotate(keep=1)
    verifier.verify(issuer.mint(aud=AUDIENCE))
    assert verifier.check(old) is first


def test_flood_of_unknown_ids_starts_two_fetches_in_thirty_seconds(issuer: Issuer, clock: FakeClock) -> None:
    verifier = verifier_of(issuer, keys_of(issuer, clock), clock)
    good = issuer.mint(aud=AUDIENCE)
    verifier.verify(good)
    for number in range(1000):
        if number % 34 == 0:
            clock.advance(1.0)
        with pytest.raises(InvalidToken) as caught:
            verifier.verify(issuer.mint(aud=AUDIENCE, headers={"kid": f"unknown-{number}"}))
        assert caught.value.reason is Reason.UNKNOWN_KEY
        assert verifier.wants(good) is None
    assert clock.monotonic() < 1000.0 + 30.5
    assert issuer.hits("/jwks") <= 3
    assert issuer.hits("/jwks") >= 2


def test_flood_while_the_issuer_is_down_starts_one_fetch(issuer: Issuer, clock: FakeClock) -> None:
    verifier = verifier_of(issuer, keys_of(issuer, clock), clock)
    issuer.fail("unavailable", path="/jwks")
    for number in range(50):
        with pytest.raises(KeysUnavailable) as caught:
            verifier.verify(issuer.mint(aud=AUDIENCE, headers={"kid": f"unknown-{number}"}))
        assert caught.value.retry_after is not None
        assert caught.value.retry_after >= 1.0
    assert issuer.hits("/jwks") == 1


def test_known_keys_never_wait_for_unknown_ones(issuer: Issuer, clock: FakeClock) -> None:
    verifier = verifier_of(issuer, keys_of(issuer, clock, wait=20.0), clock, cache_size=0)
    good = issuer.mint(aud=AUDIENCE)
    verifier.verify(good)
    fault = issuer.fail("slow", path="/jwks")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(verifier.verify, issuer.mint(aud=AUDIENCE, headers={"kid": "unknown"}))
        for _ in range(100):
            assert verifier.wants(good) is None
            verifier.check(good)
        assert not waiting.done()
        fault.ended.set()
        assert isinstance(waiting.exception(), InvalidToken)


def test_id_that_was_just_looked_for_is_waited_for_no_more(issuer: Issuer, clock: FakeClock) -> None:
    verifier = verifier_of(issuer, keys_of(issuer, clock, wait=20.0), clock)
    unknown, another = (issuer.mint(aud=AUDIENCE, headers={"kid": kid}) for kid in ("unknown", "another"))
    verifier.verify(issuer.mint(aud=AUDIENCE))
    clock.advance(15.0)
    with pytest.raises(InvalidToken):
        verifier.verify(unknown)
    clock.advance(20.0)
    fault = issuer.fail("slow", path="/jwks")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(verifier.verify, another)
        while issuer.hits("/jwks") < 3:
            fault.ended.wait(0.001)
        assert verifier.wants(another) is not None
        assert verifier.wants(unknown) is None
        fault.ended.set()
        assert isinstance(waiting.exception(), InvalidToken)


def test_rotation_under_load_fails_no_request(issuer: Issuer, clock: FakeClock) -> None:
    keys = keys_of(issuer, clock, wait=20.0)
    verifier = verifier_of(issuer, keys, clock)
    stop, served = threading.Event(), []

    def client() -> None:
        while not stop.is_set():
            served.append(verifier.verify(issuer.mint(aud=AUDIENCE)))

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client) for _ in range(8)]
        try:
            for _ in range(10):
                seen = len(served)
                while len(served) < seen + 50 and not any(each.done() for each in clients):
                    stop.wait(0.001)
                clock.advance(31.0)
                issuer.rotate(keep=10)  # all: a thread may be held up between minting and verifying
        finally:
            stop.set()
        assert [each.exception() for each in clients] == [None] * 8
    assert len(served) >= 500
    assert issuer.hits("/jwks") <= 25


def test_request_waits_no_longer_than_it_may(issuer: Issuer, clock: FakeClock) -> None:
    verifier = verifier_of(issuer, keys_of(issuer, clock, wait=0.01), clock)
    fault = issuer.fail("slow", path="/jwks")
    with pytest.raises(KeysUnavailable):
        verifier.verify(issuer.mint(aud=AUDIENCE))
    fault.ended.set()
    settle()
    assert verifier.check(issuer.mint(aud=AUDIENCE)).issuer == issuer.issuer


def test_request_waits_no_longer_than_its_deadline(issuer: Issuer, clock: FakeClock) -> None:
    keys = keys_of(issuer, clock, wait=60.0)
    verifier = verifier_of(issuer, keys, clock)
    fault = issuer.fail("slow", path="/jwks")
    exchange = Exchange(Request("GET", "/", headers={}), 0.0)  # type: ignore[arg-type]
    exchange.deadline = Deadline.after(0.01)
    before = enter(exchange)
    try:
        with pytest.raises(KeysUnavailable):
            verifier.verify(issuer.mint(aud=AUDIENCE))
        assert keys.last_error is None  # the fetch is still under way
    finally:
        enter(before)
        fault.ended.set()


def test_ageing_keys_are_refreshed_in_the_background(issuer: Issuer, clock: FakeClock) -> None:
    keys = keys_of(issuer, clock)
    verifier = verifier_of(issuer, keys, clock)
    token = issuer.mint(aud=AUDIENCE)
    verifier.verify(token)
    clock.advance(299.0)  # the issuer says max-age=300
    assert keys.state == "aging"
    fault = issuer.fail("slow", path="/jwks")
    assert verifier.wants(token) is None
    assert verifier.check(token).issuer == issuer.issuer
    fault.ended.set()
    settle()
    assert issuer.hits("/jwks") == 2
    assert keys.state == "fresh"


def test_issuer_that_is_down_does_not_end_service_for_hours(
    issuer: Issuer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    keys = keys_of(issuer, clock)
    verifier = verifier_of(issuer, keys, clock)
    verifier.verify(issuer.mint(aud=AUDIENCE))
    issuer.fail("unavailable", path="/jwks")
    for _ in range(20):
        clock.advance(600.0)
        assert verifier.verify(issuer.mint(aud=AUDIENCE)).issuer == issuer.issuer
        settle()
        assert keys.state == "stale"
    assert "stale" in caplog.text
    assert keys.snapshot()["last_error"].startswith("status 503")
    assert issuer.hits("/jwks") == 21
    issuer.heal()
    clock.advance(600.0)
    verifier.verify(issuer.mint(aud=AUDIENCE))
    settle()
    assert keys.state == "fresh"


def test_dead_keys_end_what_was_verified_too(issuer: Issuer, clock: FakeClock) -> None:
    verifier = verifier_of(issuer, keys_of(issuer, clock, max_stale=10.0), clock)
    token = issuer.mint(aud=AUDIENCE)
    verifier.verify(token)
    issuer.fail("unavailable", path="/jwks")
    clock.advance(311.0)
    with pytest.raises(KeysUnavailable):
        verifier.verify(token)
    issuer.heal()
    clock.advance(60.0)
    assert verifier.verify(token).issuer == issuer.issuer


@pytest.mark.parametrize("kind", ["unavailable", "error", "redirect", "huge", "html", "slow"])
def test_fault_keeps_the_keys_at_hand(issuer: Issuer, clock: FakeClock, kind: str) -> None:
    keys = keys_of(issuer, clock, timeout=0.2)
    verifier = verifier_of(issuer, keys, clock)
    verifier.verify(issuer.mint(aud=AUDIENCE))
    before = keys.kids
    issuer.fail(kind, path="/jwks")
    clock.advance(280.0)
    verifier.verify(issuer.mint(aud=AUDIENCE))
    settle()
    assert issuer.hits("/jwks") == 2
    assert keys.kids == before
    assert keys.last_error is not None
    assert keys.snapshot()["generation"] == 1


KEY = Issuer(algorithms=["EdDSA"]).jwks["keys"][0]
GOOD = json.dumps({"keys": [KEY]}).encode()
BAD_BODIES: dict[str, bytes] = {
    "empty": b"",
    "no keys": b'{"keys":[]}',
    "no set": b"{}",
    "list": b"[]",
    "one key": json.dumps(KEY).encode(),
    "no usable key": b'{"keys":[{"kty":"oct","k":"AAAA"}]}',
    "duplicate member": b'{"keys":[],"keys":[' + json.dumps(KEY).encode() + b"]}",
    "duplicate member in a key": GOOD.replace(b'"kid":', b'"kid":"x","kid":', 1),
    "too deep": b'{"keys":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "utf-16": GOOD.decode().encode("utf-16"),
    "nan": b'{"x":NaN,' + GOOD[1:],
    "too many": json.dumps({"keys": [KEY] * 101}).encode(),
    "too large": GOOD + b" " * 300_000,
    "cut": GOOD[:-5],
    "html": b"<html>login</html>",
}


@pytest.mark.parametrize("what", BAD_BODIES)
def test_bad_document_is_a_failed_fetch(what: str) -> None:
    with serving(body(BAD_BODIES[what])) as (url, seen):
        keys = JWKS(url)
        assert not keys.warm()
        settle()
        assert keys.state == "empty"
        assert keys.last_error
        assert len(seen) == 1


@pytest.mark.parametrize("status", [201, 204, 206, 301, 302, 307, 304, 401, 403, 404, 429, 500, 503])
def test_status_other_than_200_is_a_failed_fetch(status: int) -> None:
    with serving(body(b"" if status in {204, 304} else GOOD, status, Location="/other")) as (url, seen):
        keys = JWKS(url)
        assert not keys.warm()
        assert len(seen) == 1


def test_bad_key_does_not_spoil_the_rest() -> None:
    mixed = {
        "keys": [
            {"kty": "oct", "k": "AA"},
            {"kty": "RSA"},
            7,
            {**KEY, "alg": ["EdDSA"], "kid": "x"},
            {**KEY, "use": "enc", "kid": "y"},
            KEY,
        ]
    }
    with serving(body(json.dumps(mixed).encode())) as (url, _):
        keys = JWKS(url)
        assert keys.warm()
        assert keys.kids == {KEY["kid"]}


def test_slow_drip_is_cut_off() -> None:
    closed = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(GOOD)))
        request.end_headers()
        try:
            for byte in GOOD:
                request.wfile.write(bytes([byte]))
                if closed.wait(0.05):
                    return
        except OSError:
            return

    with serving(drip) as (url, _):
        keys = JWKS(url, timeout=0.3, wait=20.0)
        try:
            assert not keys.warm()
        finally:
            closed.set()
        assert keys.last_error is not None


def test_compressed_bomb_is_cut_off() -> None:
    bomb = gzip.compress(b'{"keys":[' + b" " * 50_000_000)
    with serving(body(bomb, Content_Encoding="gzip")) as (url, _):
        keys = JWKS(url, wait=20.0)
        assert not keys.warm()
        assert keys.last_error is not None


def test_request_says_who_asks_and_carries_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_cookie(request: BaseHTTPRequestHandler) -> None:
        body(GOOD, Set_Cookie="a=b", ETag='"v1"', Cache_Control="max-age=60")(request)

    clock = FakeClock()
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving(set_cookie) as (url, seen):
        keys = JWKS(url, clock=clock)
        assert keys.warm()
        clock.advance(59.0)
        keys.renew()
        settle()
    first, second = seen
    assert first["user-agent"].startswith("interservice/")
    assert "json" in first["accept"]
    assert "if-none-match" not in first
    assert second["if-none-match"] == '"v1"'
    for each in seen:
        assert not {"cookie", "authorization", "traceparent"} & set(each)


def test_unchanged_keys_are_kept_without_being_sent_again() -> None:
    def unchanged(request: BaseHTTPRequestHandler) -> None:
        if request.headers.get("If-None-Match") == '"v1"':
            body(b"", 304, Cache_Control="max-age=120")(request)
        else:
            body(GOOD, ETag='"v1"', Cache_Control="max-age=60")(request)

    clock = FakeClock()
    with serving(unchanged) as (url, _):
        keys = JWKS(url, clock=clock)
        assert keys.warm()
        clock.advance(61.0)
        keys.renew()
        settle()
        assert keys.state == "fresh"
        assert keys.kids == {KEY["kid"]}
        assert keys.last_error is None


@pytest.mark.parametrize(
    ("headers", "ttl"),
    [
        ({}, 600),
        ({"Cache_Control": "public, max-age=300"}, 300),
        ({"Cache_Control": "max-age=300", "Age": "100"}, 200),
        ({"Cache_Control": "max-age=5"}, 60),
        ({"Cache_Control": "no-store"}, 60),
        ({"Cache_Control": "max-age=99999"}, 3600),
        ({"Cache_Control": "max-age=x"}, 600),
        ({"Cache_Control": "max-age=300", "Age": "junk"}, 300),
    ],
    ids=str,
)
def test_response_says_how_long_keys_are_fresh(headers: dict[str, Any], ttl: int) -> None:
    clock = FakeClock()
    with serving(body(GOOD, **headers)) as (url, _):
        keys = JWKS(url, clock=clock)
        assert keys.warm()
        clock.advance(ttl - 0.5)
        assert keys.state == "aging"
        clock.advance(0.5)
        assert keys.state == "stale"


def test_nobody_there_is_a_failed_fetch() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keys = JWKS(f"http://127.0.0.1:{port}/jwks")
    assert not keys.warm()
    assert keys.last_error is not None


def test_own_session_is_used_and_left_open(issuer: Issuer, clock: FakeClock) -> None:
    with requests.Session() as session:
        session.headers["X-Mine"] = "1"
        session.trust_env = False
        assert keys_of(issuer, clock, session=session).warm()
        assert session.adapters


def _in_child(keys: JWKS, verifier: Verifier, known: str, unknown: str, pipe: Any) -> None:
    try:
        before = verifier.check(known).issuer
        after = verifier.verify(unknown).issuer
        pipe.send((before, after, sorted(keys.kids)))
    except BaseException as error:
        pipe.send(repr(error))
    finally:
        pipe.close()
        os._exit(0)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_child_of_a_fork_has_the_keys_and_fetches_on_its_own(issuer: Issuer, clock: FakeClock) -> None:
    keys = keys_of(issuer, clock)
    verifier = verifier_of(issuer, keys, clock)
    known = issuer.mint(aud=AUDIENCE)
    verifier.verify(known)
    issuer.rotate()
    unknown = issuer.mint(aud=AUDIENCE)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    # Forked while another thread holds the lock, as may happen.
    with keys._process().lock:
        child = context.Process(target=_in_child, args=(keys, verifier, known, unknown, sender))
        child.start()
    sender.close()
    assert receiver.poll(20)
    before, after, kids = receiver.recv()
    child.join(20)
    assert before == after == issuer.issuer
    assert len(kids) == 2
    assert len(keys.kids) == 1


def test_keys_are_discovered_from_the_issuer(issuer: Issuer, clock: FakeClock) -> None:
    verifier = Verifier(issuer.issuer, AUDIENCE, clock=clock)
    assert issuer.requests == []
    assert verifier.verify(issuer.mint(aud=AUDIENCE)).issuer == issuer.issuer
    paths = [path for _, path in issuer.requests]
    assert paths == ["/.well-known/oauth-authorization-server", "/jwks"]
    issuer.rotate()
    verifier.verify(issuer.mint(aud=AUDIENCE))
    assert [path for _, path in issuer.requests][2:] == ["/jwks"]


def test_discovery_falls_back_to_openid_connect(issuer: Issuer, clock: FakeClock) -> None:
    issuer.fail("html", path="/.well-known/oauth-authorization-server")
    verifier = Verifier(issuer.issuer, AUDIENCE, clock=clock)
    assert verifier.verify(issuer.mint(aud=AUDIENCE)).issuer == issuer.issuer


def test_discovery_is_tried_again_after_a_failure(issuer: Issuer, clock: FakeClock) -> None:
    verifier = Verifier(issuer.issuer, AUDIENCE, clock=clock)
    issuer.fail("unavailable")
    with pytest.raises(KeysUnavailable):
        verifier.verify(issuer.mint(aud=AUDIENCE))
    issuer.heal()
    clock.advance(2.0)
    assert verifier.verify(issuer.mint(aud=AUDIENCE)).issuer == issuer.issuer


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "{root}/", "jwks_uri": "{root}/keys"},
        {"issuer": "https://evil.test", "jwks_uri": "{root}/keys"},
        {"jwks_uri": "{root}/keys"},
        {"issuer": ["{root}"], "jwks_uri": "{root}/keys"},
        {"issuer": "{root}"},
        {"issuer": "{root}", "jwks_uri": 7},
        {"issuer": "{root}", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "{root}", "jwks_uri": "http://keys.example/jwks"},
        {"issuer": "{root}", "jwks_uri": "http://user:pw@127.0.0.1/jwks"},
    ],
    ids=json.dumps,
)
def test_metadata_of_another_issuer_or_without_keys_is_refused(metadata: dict[str, Any]) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        root = f"http://{request.headers['Host']}"
        document = GOOD if request.path == "/keys" else json.dumps(metadata).replace("{root}", root).encode()
        body(document)(request)

    with serving(answer) as (url, seen):
        keys = Discovery(url.removesuffix("/jwks"))
        assert not keys.warm()
        assert keys.kids == frozenset()
        assert len(seen) == 2


def test_metadata_of_an_issuer_with_a_path_is_found_in_both_places() -> None:
    paths: list[str] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        paths.append(request.path)
        body(b"{}", 404)(request)

    with serving(answer) as (url, _):
        Discovery(url.replace("/jwks", "/tenant/")).warm()
    assert paths == ["/.well-known/oauth-authorization-server/tenant", "/tenant/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://auth.internal/jwks", {}),
        ("http://127.0.0.1.evil.test/jwks", {}),
        ("http://localhost.evil.test/jwks", {}),
        ("file:///etc/passwd", {}),
        ("ftp://auth.internal/jwks", {}),
        ("auth.internal/jwks", {}),
        ("https://", {}),
        ("https://user:pw@auth.internal/jwks", {}),
        ("https://auth.internal/jwks#x", {}),
        ("https://auth.internal:port/jwks", {}),
        ("", {}),
        (None, {}),
        ("https://auth.internal/jwks", {"ttl": 0}),
        ("https://auth.internal/jwks", {"max_stale": -1}),
        ("https://auth.internal/jwks", {"timeout": 0}),
        ("https://auth.internal/jwks", {"wait": -1}),
        ("https://auth.internal/jwks", {"max_bytes": 0}),
        ("https://auth.internal/jwks", {"ttl": "600"}),
    ],
    ids=str,
)
def test_nonsense_is_refused_when_it_is_made(url: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="JWKS"):
        JWKS(url, **options)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8/jwks", "http://127.9.9.9/jwks", "http://[::1]/jwks", "http://localhost:80/jwks", "https://a.test/jwks"],
)
def test_loopback_may_be_plain_http(url: str) -> None:
    assert JWKS(url).state == "empty"


def test_plain_http_elsewhere_must_be_said_aloud() -> None:
    assert JWKS("http://auth.internal/jwks", allow_http=True).state == "empty"
