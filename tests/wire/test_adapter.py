"""The adapter against servers that fail on purpose, over real sockets."""

from __future__ import annotations

import contextlib
import gc
import io
import socket
import threading
import weakref
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import requests

from interservice.events import Attempted, Called, CircuitChanged
from interservice.faultserver import FaultServer, Received, Reply
from interservice.outbound import (
    Backoff,
    Balancer,
    BodyReadTimeout,
    Bulkhead,
    BulkheadFull,
    CircuitBreaker,
    CircuitOpen,
    DeadlineExceeded,
    NoEndpoint,
    Retry,
    ServiceAdapter,
    ServiceSession,
    Timeouts,
)
from interservice.testing import FakeClock

QUICK = Retry(backoff=Backoff(base=0.0, cap=0.0), overload_backoff=Backoff(base=0.0, cap=0.0))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def session_for(adapter: ServiceAdapter) -> requests.Session:
    session = requests.Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def statuses(response: requests.Response) -> list[Any]:
    return [attempt.status for attempt in vars(response)["attempts"]]


def outcomes(response: requests.Response) -> list[str]:
    return [str(attempt.outcome) for attempt in vars(response)["attempts"]]


def held(adapter: ServiceAdapter) -> int:
    count: int = adapter.snapshot()["in_flight"]
    return count


def test_an_answer_is_as_requests_has_it(server: FaultServer) -> None:
    server.expect(
        *[Reply(headers={"Content-Type": "text/plain; charset=utf-8", "X-A": "1", "Set-Cookie": "k=v"}, body="grüße".encode())]
        * 2
    )
    with requests.Session() as plain, session_for(ServiceAdapter()) as ours:
        expected = plain.get(f"{server.url}/a/b?c=d")
        response = ours.get(f"{server.url}/a/b?c=d")
    assert response.text == expected.text
    assert response.headers == expected.headers
    assert (response.encoding, response.reason, response.url, response.status_code) == (
        expected.encoding, expected.reason, expected.url, expected.status_code,
    )  # fmt: skip
    assert dict(response.cookies) == dict(ours.cookies) == {"k": "v"}
    assert server.requests[0].target == server.requests[1].target == "/a/b?c=d"
    assert server.requests[0].headers == server.requests[1].headers
    assert vars(response)["attempts"][0].endpoint == server.url


def test_the_connection_is_kept(server: FaultServer) -> None:
    with session_for(ServiceAdapter()) as session:
        for _ in range(3):
            session.get(server.url)
    assert server.connections == 1


@pytest.mark.parametrize(
    "fault", [Reply(status=503), Reply.reset(), Reply.drop(), Reply.cut_head(), Reply.truncated(), Reply.truncated(chunked=True)]
)
def test_get_survives(server: FaultServer, fault: Reply) -> None:
    server.expect(fault)
    with session_for(ServiceAdapter(retry=QUICK)) as session:
        response = session.get(server.url)
    assert response.text == "ok"
    assert len(statuses(response)) == len(server.requests) == 2


@pytest.mark.parametrize("fault", [Reply.reset(), Reply.drop(), Reply.cut_head(), Reply.truncated()])
def test_post_is_never_sent_twice(server: FaultServer, fault: Reply) -> None:
    server.expect(fault)
    with session_for(ServiceAdapter(retry=QUICK)) as session, pytest.raises(requests.RequestException) as caught:
        session.post(server.url, data=b"once")
    assert len(server.requests) == 1
    assert len(caught.value.attempts) == 1  # type: ignore[attr-defined]


def test_post_with_an_idempotency_key_is_sent_again(server: FaultServer) -> None:
    server.expect(Reply.reset())
    with session_for(ServiceAdapter(retry=QUICK)) as session:
        assert session.post(server.url, data=b"again", headers={"Idempotency-Key": '"1"'}).ok
    assert [request.body for request in server.requests] == [b"again", b"again"]


def test_an_idempotency_key_of_ours_is_the_same_for_every_try(server: FaultServer) -> None:
    server.expect(Reply.reset())
    retry = Retry(backoff=Backoff(base=0.0), idempotency_key="auto")
    with session_for(ServiceAdapter(retry=retry)) as session:
        assert session.post(server.url, data=b"again").ok
    keys = {request.headers["idempotency-key"] for request in server.requests}
    assert len(keys) == 1
    assert len(server.requests) == 2


def test_post_that_could_not_connect_is_tried_again(server: FaultServer) -> None:
    server.refuse()

    class Listens(Backoff):
        def delays(self, random: Any) -> Iterator[float]:
            server.start()
            return iter([0.0, 0.0])

    with session_for(ServiceAdapter(retry=Retry(backoff=Listens()))) as session:
        response = session.post(server.url, data=b"x")
    assert outcomes(response) == ["never_sent", "ok"]
    assert [request.body for request in server.requests] == [b"x"]


def test_a_stale_connection_costs_one_free_try_and_not_the_call(server: FaultServer) -> None:
    server.expect(Reply(), Reply.drop())
    with session_for(ServiceAdapter(retry=Retry(backoff=Backoff(base=1.0, jitter="none")))) as session:
        session.get(server.url)
        response = session.get(server.url)
    assert outcomes(response) == ["stale", "ok"]


def test_a_closed_idle_connection_is_not_used(server: FaultServer) -> None:
    with session_for(ServiceAdapter(retry=None)) as session:
        session.get(server.url)
        server.hang_up()
        assert session.post(server.url, data=b"x").ok
    assert server.connections == 2


def test_a_generator_is_never_sent_again_as_an_empty_body(server: FaultServer) -> None:
    server.expect(Reply(status=503))
    with session_for(ServiceAdapter(retry=QUICK)) as session:
        response = session.put(server.url, data=(part for part in [b"a", b"b"]))
    assert response.status_code == 503
    assert [request.body for request in server.requests] == [b"ab"]


def test_a_file_is_sent_again_from_where_it_began(server: FaultServer) -> None:
    server.expect(Reply(status=503))
    file = io.BytesIO(b"skipped:body")
    file.seek(8)
    with session_for(ServiceAdapter(retry=QUICK)) as session:
        assert session.put(server.url, data=file).ok
    assert [request.body for request in server.requests] == [b"body", b"body"]


def test_what_the_callers_body_raises_is_raised_and_not_tried_again(server: FaultServer) -> None:
    def body() -> Iterator[bytes]:
        yield b"a"
        raise LookupError("mine")

    adapter = ServiceAdapter(retry=QUICK)
    with session_for(adapter) as session, pytest.raises(LookupError):
        session.put(server.url, data=body())
    assert adapter.circuit(server.url).snapshot()["calls"] == 0
    assert held(adapter) == 0


def test_the_last_response_is_returned_when_tries_end(server: FaultServer) -> None:
    server.expect(Reply(status=503, body=b"1"), Reply(status=502, body=b"2"), Reply(status=504, body=b"3"))
    with session_for(ServiceAdapter(retry=QUICK)) as session:
        response = session.get(server.url)
    assert (response.status_code, response.text) == (504, "3")
    assert statuses(response) == [503, 502, 504]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Reply.reset(), requests.ConnectionError),
        (Reply.drop(), requests.ConnectionError),
        (Reply.cut_head(), requests.exceptions.ChunkedEncodingError),
        (Reply.truncated(), requests.exceptions.ChunkedEncodingError),
        (Reply(body=b"no gzip", headers={"Content-Encoding": "gzip"}), requests.exceptions.ContentDecodingError),
        (Reply.stall(), requests.ReadTimeout),
        (Reply(body=b"x" * 100, cut=60, end="stall"), BodyReadTimeout),
    ],
)
def test_failures_are_the_exceptions_of_requests(server: FaultServer, fault: Reply, kind: type[Exception]) -> None:
    server.expect(fault)
    adapter = ServiceAdapter(retry=None, timeouts=Timeouts(connect=5.0, read=0.2, total=30.0))
    with session_for(adapter) as session, pytest.raises(kind) as caught:
        session.get(server.url)
    assert type(caught.value) is kind
    assert caught.value.request.url == f"{server.url}/"  # type: ignore[attr-defined]
    assert len(caught.value.attempts) == 1  # type: ignore[attr-defined]
    assert held(adapter) == 0


def test_a_refused_connection_is_a_connection_error(server: FaultServer) -> None:
    server.refuse()
    with session_for(ServiceAdapter(retry=QUICK)) as session, pytest.raises(requests.ConnectionError) as caught:
        session.get(server.url)
    assert [str(attempt.outcome) for attempt in caught.value.attempts] == ["never_sent"] * 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("from_head", [True, False])
def test_a_trickle_ends_at_the_deadline(server: FaultServer, *, from_head: bool) -> None:
    server.expect(Reply.trickle(0.05, b"x" * 200, from_head=from_head))  # would take 10 s
    adapter = ServiceAdapter(timeouts=Timeouts(connect=5.0, read=5.0, total=0.4))
    with session_for(adapter) as session, pytest.raises(DeadlineExceeded) as caught:
        session.get(server.url)
    assert caught.value.elapsed < 5.0
    assert caught.value.phase == ("headers" if from_head else "body")
    assert isinstance(caught.value, requests.Timeout)
    assert held(adapter) == 0


def test_a_trickled_stream_ends_at_the_deadline(server: FaultServer) -> None:
    server.expect(Reply.trickle(0.05, b"x" * 200))
    adapter = ServiceAdapter(timeouts=Timeouts(connect=5.0, read=5.0, total=0.4))
    with session_for(adapter) as session:
        response = session.get(server.url, stream=True)
        with pytest.raises(DeadlineExceeded) as caught:
            list(response.iter_content(64))
    assert caught.value.elapsed < 5.0
    assert held(adapter) == 0


def test_an_upload_that_nobody_reads_ends_at_the_deadline() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        session_for(ServiceAdapter(timeouts=Timeouts(read=5.0, total=0.5))) as session,
        pytest.raises(DeadlineExceeded) as caught,
    ):
        session.put(f"http://127.0.0.1:{deaf.getsockname()[1]}/", data=b"x" * (64 << 20))
    assert caught.value.phase == "send"
    assert caught.value.elapsed < 5.0


def test_a_read_timeout_is_tried_again_at_another_endpoint_alone() -> None:
    with FaultServer(then=Reply.stall()) as stuck, FaultServer() as well:
        turns: Any = {"balancer": Balancer("round-robin"), "random": Random(0)}  # the second of the two first
        adapter = ServiceAdapter("billing", endpoints=[stuck.url, well.url], retry=QUICK, **turns)
        with ServiceSession({"billing": adapter}) as session:
            responses = [session.get("http://billing/", timeout=0.2) for _ in range(3)]
        assert {tuple(outcomes(response)) for response in responses} == {("read_timeout", "ok"), ("ok",)}
        stuck.requests.clear()
        with session_for(ServiceAdapter(retry=QUICK)) as session, pytest.raises(requests.ReadTimeout):
            session.get(stuck.url, timeout=0.2)
        assert len(stuck.requests) == 1


def test_the_callers_timeout_is_per_try_and_within_the_total() -> None:
    with FaultServer(then=Reply.stall()) as one, FaultServer(then=Reply.stall()) as two:
        adapter = ServiceAdapter("billing", endpoints=[one.url, two.url], retry=QUICK, timeouts=Timeouts(connect=1.0, total=0.5))
        with ServiceSession({"billing": adapter}) as session, pytest.raises(DeadlineExceeded) as caught:
            session.get("http://billing/", timeout=0.3)
    assert [str(attempt.outcome) for attempt in caught.value.attempts] == ["read_timeout", "deadline"]


def test_a_retry_that_could_not_connect_does_not_hide_the_failure_before(server: FaultServer) -> None:
    def gone(_request: Received) -> Reply:
        server.refuse()
        return Reply.reset()

    server.expect(gone)
    with session_for(ServiceAdapter(retry=QUICK)) as session, pytest.raises(requests.RequestException) as caught:
        session.get(server.url)
    assert "refused" not in str(caught.value)
    assert [str(attempt.outcome) for attempt in caught.value.attempts][1:] == ["never_sent"] * 2  # type: ignore[attr-defined]


def test_none_for_both_timeouts_opts_out_of_the_total(server: FaultServer) -> None:
    server.expect(Reply(delay=0.5))
    adapter = ServiceAdapter(timeouts=Timeouts(connect=0.1, read=0.1, total=0.2), retry=None)
    with session_for(adapter) as session:
        assert session.get(server.url, timeout=(None, None)).ok


@pytest.mark.parametrize("timeout", [0, -1, "soon", (1, 2, 3)])
def test_a_timeout_that_requests_refuses_is_refused(server: FaultServer, timeout: Any) -> None:
    with session_for(ServiceAdapter()) as session, pytest.raises(ValueError):
        session.get(server.url, timeout=timeout)
    assert server.requests == []


def test_two_endpoints_share_the_calls_and_the_name_stays_logical() -> None:
    with FaultServer() as one, FaultServer() as two:
        adapter = ServiceAdapter("billing", endpoints=[one.url, two.url])
        with ServiceSession({"billing": adapter}) as session:
            for _ in range(40):
                response = session.get("http://billing/x")
        assert response.url == "http://billing/x"
        assert one.requests
        assert two.requests
        assert len(one.requests) + len(two.requests) == 40
        assert {request.headers["host"] for request in one.requests + two.requests} == {"billing"}
        assert set(adapter.snapshot()["endpoints"]) == {one.url, two.url}


def test_a_dead_endpoint_is_left_out_and_the_other_serves() -> None:
    with FaultServer() as good, FaultServer() as dead:
        dead.refuse()
        breaker = CircuitBreaker(min_calls=2, open_for=60.0)
        adapter = ServiceAdapter("billing", endpoints=[dead.url, good.url], breaker=breaker, retry=QUICK)
        with ServiceSession({"billing": adapter}) as session:
            assert all(session.get("http://billing/").ok for _ in range(30))
        assert adapter.circuit(dead.url).state == "open"
        assert adapter.circuit(good.url).state == "closed"
        assert len(good.requests) == 30


def test_when_every_circuit_is_open_nothing_is_sent(server: FaultServer) -> None:
    events: list[Any] = []
    adapter = ServiceAdapter(
        "billing", endpoints=[server.url], breaker=CircuitBreaker(min_calls=2), retry=None, listeners=[events.append]
    )
    server.expect(Reply(status=503), Reply(status=503))
    with ServiceSession({"billing": adapter}) as session:
        session.get("http://billing/")
        session.get("http://billing/")
        with pytest.raises(CircuitOpen) as caught:
            session.get("http://billing/")
    assert isinstance(caught.value, requests.ConnectionError)
    assert caught.value.retry_after is not None
    assert len(server.requests) == 2
    assert [(event.before, event.after) for event in events if isinstance(event, CircuitChanged)] == [("closed", "open")]
    assert [event.outcome for event in events if isinstance(event, Called)] == ["status", "status", "rejected"]


def test_a_full_bulkhead_refuses_and_a_streamed_body_frees_it(server: FaultServer) -> None:
    server.expect(Reply(body=b"x" * 100_000))
    adapter = ServiceAdapter(bulkhead=Bulkhead(max_concurrent=1))
    with session_for(adapter) as session:
        streamed = session.get(server.url, stream=True)
        with pytest.raises(BulkheadFull):
            session.get(server.url)
        assert held(adapter) == 1
        assert len(streamed.content) == 100_000
        assert held(adapter) == 0
        assert session.get(server.url).ok


def test_a_waiting_call_takes_the_place_of_one_that_ends(server: FaultServer) -> None:
    server.expect(Reply(body=b"x" * 100_000))
    adapter = ServiceAdapter(bulkhead=Bulkhead(max_concurrent=1, max_wait=30.0))
    got: list[int] = []
    with session_for(adapter) as session:
        streamed = session.get(server.url, stream=True)
        waiting = threading.Thread(target=lambda: got.append(session.get(server.url).status_code))
        waiting.start()
        streamed.close()
        waiting.join(30.0)
    assert got == [200]


@pytest.mark.parametrize("reply", [Reply(body=b"x" * 100_000), Reply(body=b"x" * 100_000, chunked=True)])
@pytest.mark.parametrize("end", ["read", "close", "context", "forget", "iterate", "break"])
def test_a_streamed_call_gives_back_what_it_holds_however_it_ends(server: FaultServer, reply: Reply, end: str) -> None:
    server.expect(reply)
    events: list[Any] = []
    adapter = ServiceAdapter(listeners=[events.append])
    with session_for(adapter) as session:
        response: requests.Response | None = session.get(server.url, stream=True)
        assert response is not None
        assert held(adapter) == 1
        assert not [event for event in events if isinstance(event, Called)]
        if end == "read":
            assert len(response.content) == 100_000
        elif end == "close":
            response.close()
        elif end == "context":
            with response:
                response.raw.read(10)
        elif end == "iterate":
            assert sum(map(len, response.iter_content(1000))) == 100_000
        elif end == "break":
            next(response.iter_content(1000))
            response.close()
        else:
            response = None  # gone without the help of the garbage collector: nothing holds it in a circle
        assert held(adapter) == 0
    assert [event.outcome for event in events if isinstance(event, Called)] == ["ok"]


def test_a_forgotten_stream_is_not_kept_by_the_evidence_of_earlier_tries(server: FaultServer) -> None:
    server.expect(Reply.reset(), Reply(body=b"x" * 100_000))
    adapter = ServiceAdapter(retry=QUICK)
    with session_for(adapter) as session:
        response: requests.Response | None = session.get(server.url, stream=True)
        assert response is not None
        assert outcomes(response) == ["reset", "ok"]
        response = None
        assert held(adapter) == 0


@pytest.mark.parametrize("fault", [Reply.reset(), Reply.truncated(), Reply.stall()])
def test_a_failure_that_was_dealt_with_keeps_nothing_alive(server: FaultServer, fault: Reply) -> None:
    class Marker:
        pass

    def fail(session: requests.Session) -> Any:
        marker = Marker()
        reference = weakref.ref(marker)
        with contextlib.suppress(requests.RequestException):
            session.get(server.url, timeout=0.2)
        return reference

    server.expect(fault, fault, fault)
    gc.collect()
    gc.disable()
    try:
        with session_for(ServiceAdapter(retry=QUICK)) as session:
            assert fail(session)() is None
    finally:
        gc.enable()


def test_a_stream_that_breaks_counts_against_the_circuit(server: FaultServer) -> None:
    server.expect(Reply.truncated(b"x" * 1000))
    events: list[Any] = []
    adapter = ServiceAdapter(listeners=[events.append])
    with session_for(adapter) as session:
        response = session.get(server.url, stream=True)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            _ = response.content
    assert adapter.circuit(server.url).snapshot()["failures"] == 1
    assert held(adapter) == 0
    assert [event.outcome for event in events if isinstance(event, Called)] == ["truncated"]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_streamed_response_without_a_body_holds_nothing(server: FaultServer, method: str) -> None:
    server.expect(Reply(status=200 if method == "HEAD" else 204, body=b""))
    adapter = ServiceAdapter()
    with session_for(adapter) as session:
        response = session.request(method, server.url, stream=True)
        assert held(adapter) == 0
        assert session.get(server.url).ok
        assert response.content == b""
    assert server.connections == 1


def test_a_streamed_503_is_tried_again_and_its_connection_kept(server: FaultServer) -> None:
    server.expect(Reply(status=503, body=b"short"))
    with session_for(ServiceAdapter(retry=QUICK)) as session:
        response = session.get(server.url, stream=True)
        assert response.content == b"ok"
    assert statuses(response) == [503, 200]
    assert server.connections == 1


def test_an_unwanted_body_that_does_not_come_is_not_waited_for(server: FaultServer) -> None:
    server.expect(Reply(status=503, body=b"x" * 1000, cut=500, end="stall"), Reply(status=503, body=b"x" * 1_000_000))
    with session_for(ServiceAdapter(retry=QUICK)) as session:
        response = session.get(server.url, stream=True)
        assert response.content == b"ok"
        assert sum(attempt.seconds for attempt in vars(response)["attempts"]) < 2.5
    assert server.connections == 3


@pytest.mark.parametrize("stream", [True, False])
def test_a_body_that_ends_with_the_connection_is_read_whole(server: FaultServer, *, stream: bool) -> None:
    server.expect(Reply(headers={"Connection": "close"}, body=b"x" * 100_000, end="close"))
    adapter = ServiceAdapter()
    with session_for(adapter) as session:
        assert len(session.get(server.url, stream=stream).content) == 100_000
        assert held(adapter) == 0
        assert session.get(server.url).ok
    assert server.connections == 2


def test_redirects_and_their_cookies_are_followed(server: FaultServer) -> None:
    server.expect(Reply(status=302, headers={"Location": "/next", "Set-Cookie": "a=b"}, body=b""))
    with session_for(ServiceAdapter()) as session:
        response = session.get(server.url)
    assert response.url == f"{server.url}/next"
    assert server.requests[1].headers["cookie"] == "a=b"


def test_a_redirect_is_followed_although_its_body_cannot_be_decoded(server: FaultServer) -> None:
    server.expect(Reply(status=302, headers={"Location": "/next", "Content-Encoding": "gzip"}, body=b"no gzip"))
    with session_for(ServiceAdapter()) as session:
        assert session.get(server.url).ok


def test_a_post_redirected_to_get_is_one_call_each(server: FaultServer) -> None:
    server.expect(Reply(status=303, headers={"Location": "/next"}))
    with session_for(ServiceAdapter()) as session:
        session.post(server.url, data=b"x")
    assert [(request.method, request.body) for request in server.requests] == [("POST", b"x"), ("GET", b"")]


def test_digest_authentication_comes_back_through_the_adapter(server: FaultServer) -> None:
    challenge = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'}
    server.expect(Reply(status=401, headers=challenge))
    with session_for(ServiceAdapter()) as session:
        response = session.get(server.url, auth=requests.auth.HTTPDigestAuth("u", "p"))
    assert response.ok
    assert response.history[0].status_code == 401
    assert server.requests[1].headers["authorization"].startswith("Digest ")


def test_the_request_is_not_changed(server: FaultServer) -> None:
    server.expect(Reply(status=503))
    adapter = ServiceAdapter("billing", endpoints=[server.url], retry=QUICK)
    with ServiceSession({"billing": adapter}) as session:
        prepared = session.prepare_request(requests.Request("GET", "http://billing/"))
        before = dict(prepared.headers)
        response = session.send(prepared)
    assert dict(prepared.headers) == before
    assert response.request is prepared
    assert "x-request-timeout-ms" in server.requests[0].headers


def test_events_tell_every_try_and_the_call_without_its_query(server: FaultServer) -> None:
    server.expect(Reply(status=503))
    events: list[Any] = []
    adapter = ServiceAdapter("billing", endpoints=[server.url], retry=QUICK, listeners=[events.append])
    with ServiceSession({"billing": adapter}) as session:
        session.get("http://billing/invoices?token=secret")
    assert [type(event) for event in events] == [Attempted, Attempted, Called]
    called = events[-1]
    assert (called.service, called.method, called.url, called.attempts, called.status, called.outcome) == (
        "billing", "GET", "http://billing/invoices", 2, 200, "ok",
    )  # fmt: skip


def test_interim_responses_are_skipped(server: FaultServer) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

    class Early(Reply):
        def wire(self, method: str) -> bytes:
            return early + super().wire(method)

    server.expect(Early())
    with session_for(ServiceAdapter()) as session:
        assert session.get(server.url).text == "ok"


def test_connections_idle_for_long_are_replaced(server: FaultServer) -> None:
    clock = FakeClock()
    with session_for(ServiceAdapter(clock=clock)) as session:
        session.get(server.url)
        clock.advance(54.0)
        session.get(server.url)
        assert server.connections == 1
        clock.advance(56.0)
        session.get(server.url)
    assert server.connections == 2


def test_busy_connections_grow_old(server: FaultServer) -> None:
    clock = FakeClock()
    with session_for(ServiceAdapter(clock=clock)) as session:
        for _ in range(8):
            session.get(server.url)
            clock.advance(50.0)
    assert server.connections == 2


def test_the_servers_keep_alive_timeout_is_heeded(server: FaultServer) -> None:
    server.expect(Reply(headers={"Keep-Alive": "timeout=5, max=100"}))
    clock = FakeClock()
    with session_for(ServiceAdapter(clock=clock)) as session:
        session.get(server.url)
        clock.advance(4.5)
        session.get(server.url)
    assert server.connections == 2


def test_many_threads_share_one_adapter_and_nothing_is_left(server: FaultServer) -> None:
    adapter = ServiceAdapter("billing", endpoints=[server.url])
    codes: list[int] = []

    def work(session: requests.Session) -> None:
        codes.extend(session.get("http://billing/").status_code for _ in range(30))

    with ServiceSession({"billing": adapter}) as session:
        threads = [threading.Thread(target=work, args=(session,)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30.0)
    assert codes == [200] * 360
    assert server.connections <= 12
    assert held(adapter) == 0


def test_an_adapter_can_be_closed_and_used_again(server: FaultServer) -> None:
    with session_for(ServiceAdapter()) as session:
        session.get(server.url)
        session.close()
        assert session.get(server.url).ok


def test_pools_evicted_by_others_are_made_anew(server: FaultServer) -> None:
    with FaultServer() as other, session_for(ServiceAdapter(pool_connections=1, retry=None)) as session:
        for _ in range(3):
            assert session.get(server.url).ok
            assert session.get(other.url).ok


def test_asking_for_an_unknown_host_of_an_adapter_with_endpoints_sends_nothing(server: FaultServer) -> None:
    adapter = ServiceAdapter("billing", endpoints=[server.url])
    session = requests.Session()
    session.mount("http://billing", adapter)
    with pytest.raises(NoEndpoint):
        session.get("http://billing.evil.example/")
    with pytest.raises(NoEndpoint):
        session.get("http://billing@evil.example/")
    assert session.get("http://billing/").ok
    assert len(server.requests) == 1
