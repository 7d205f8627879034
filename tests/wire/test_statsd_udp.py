"""StatsD over real sockets: UDP, unix datagrams and TCP; receivers that are gone, late, or never there; forks and exits."""

from __future__ import annotations

import gc
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
import weakref
from typing import TYPE_CHECKING

import pytest
import statsd

from interservice.errors import Rejection
from interservice.events import (
    Attempted,
    CircuitChanged,
    DeprecatedCall,
    EndpointEjected,
    RetryBudgetExhausted,
    Shed,
    TokenFetched,
    TokenRefused,
    TokenReplayed,
)
from interservice.telemetry import StatsD
from interservice.telemetry.address import Address
from interservice.telemetry.transport import RESOLVE_AGAIN, RESOLVE_EVERY, DatagramClient, StreamClient
from interservice.testing import FakeClock
from tests.telemetry.material import Principal, Version, called, exchange, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What npm's statsd takes for a good line.
_GOOD = re.compile(r"[A-Za-z0-9_.-]+:-?[0-9.]+\|(?:ms|c|g)")


class Receiver:
    """A datagram socket that collects lines."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(10.0)

    @property
    def address(self) -> str:
        host, port = self.sock.getsockname()[:2]
        return f"{host}:{port}"

    def packet(self) -> str:
        return self.sock.recv(65536).decode("ascii")

    def lines(self) -> list[str]:
        return self.packet().split("\n")

    def all(self) -> list[str]:
        """What has arrived by now."""
        self.sock.setblocking(False)
        found: list[str] = []
        try:
            while True:
                found.append(self.packet())
        except BlockingIOError:
            return found
        finally:
            self.sock.settimeout(10.0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind(("127.0.0.1", 0))
        yield Receiver(sock)


@pytest.fixture
def metrics(receiver: Receiver) -> Iterator[StatsD]:
    made = StatsD(receiver.address, prefix="shop", flush_every=3600.0)
    yield made
    made.close()


def test_an_exchange_is_timed_and_counted(metrics: StatsD, receiver: Receiver) -> None:
    for _ in range(3):
        metrics(served())
    assert metrics.flush(10.0)
    assert sorted(receiver.lines()) == [
        "shop.outcome.ok:3|c",
        *["shop.request.GET.orders_id.200:12.500|ms"] * 3,
        "shop.request_total.GET.orders_id.200:3|c",
    ]


def test_versions_deprecations_and_refusals_are_counted(metrics: StatsD, receiver: Receiver) -> None:
    made = exchange(version=Version("1.0", deprecated=True), principal=Principal(client_id="old.client"), route=None)
    made.refusal = Rejection("no", status=403, code="insufficient_scope")
    metrics(served(made, status=403))
    metrics.flush(10.0)
    lines = receiver.lines()
    assert "shop.version.1_0.4xx:1|c" in lines
    assert "shop.deprecated.1_0.old_client:1|c" in lines
    assert "shop.refused.insufficient_scope:1|c" in lines
    assert "shop.request_total.GET._unmatched.403:1|c" in lines


@pytest.mark.parametrize(
    ("status", "outcome", "told"), [(None, "exception", 500), (None, "client_disconnect", 499), (200, "client_disconnect", 499)]
)
def test_what_was_not_answered_has_a_status_in_metrics(
    metrics: StatsD, receiver: Receiver, status: int | None, outcome: str, told: int
) -> None:
    metrics(served(status=status, outcome=outcome))
    metrics.flush(10.0)
    assert f"shop.request_total.GET.orders_id.{told}:1|c" in receiver.lines()


def test_the_other_direction_and_other_events_are_counted(metrics: StatsD, receiver: Receiver) -> None:
    metrics(called(attempts=3))
    metrics(called(None, "timeout"))
    metrics(Attempted("billing", "http://10.0.0.1:80", 1, 0.1, "timeout", None, None))
    metrics(CircuitChanged("billing", "http://10.0.0.1:80", "closed", "open", {}))
    metrics(Shed("orders", 1, 1))
    metrics(EndpointEjected("billing", "http://10.0.0.1:80", "consecutive", 5.0))
    metrics(DeprecatedCall("billing", "http://billing/", "1", deprecated=True, since=None, sunset=None, links={}))
    metrics(TokenFetched("orders", "ok", early=True, seconds=0.02, error=None))
    metrics(TokenReplayed("billing"))
    metrics(RetryBudgetExhausted("billing", 0.0))
    metrics(TokenRefused("orders", "expired", public=False))
    metrics(object())
    metrics.flush(10.0)
    assert set(receiver.lines()) == {
        "shop.call_total.billing.GET.200:1|c",
        "shop.retry.billing:2|c",
        "shop.call.billing.GET.200:250.000|ms",
        "shop.call_total.billing.GET.timeout:1|c",
        "shop.call.billing.GET.timeout:250.000|ms",
        "shop.attempt.billing.10_0_0_1_80.timeout:100.000|ms",
        "shop.circuit.billing.10_0_0_1_80.open:1|c",
        "shop.shed.orders:1|c",
        "shop.ejected.billing.10_0_0_1_80.consecutive:1|c",
        "shop.deprecated_call.billing:1|c",
        "shop.token.fetch.ok:20.000|ms",
        "shop.token.refresh_early:1|c",
        "shop.token.401_retry.billing:1|c",
        "shop.retry_budget_exhausted.billing:1|c",
        "shop.auth.invalid.expired:1|c",
    }


def test_hostile_names_make_good_lines(metrics: StatsD, receiver: Receiver) -> None:
    evil = "a:1|c\nb:2|g|@0.1|#x \udcff\u20ac"
    made = exchange(route=evil, version=Version(evil, deprecated=True), principal=Principal(client_id=evil))
    made.request.method = evil
    made.refusal = Rejection(evil, code=evil)
    metrics(served(made, status=-5, outcome=evil, seconds=-1.0))
    metrics(called(None, evil)._replace(service=evil, method=evil))
    metrics(CircuitChanged(evil, evil, evil, evil, {}))
    metrics(TokenRefused(evil, evil, public=True))
    metrics.flush(10.0)
    for line in receiver.lines():
        assert _GOOD.fullmatch(line), line


def test_own_metrics_go_the_same_way_and_nonsense_is_only_counted(metrics: StatsD, receiver: Receiver) -> None:
    metrics.increment("orders.placed", 2)
    metrics.timing("render", 0.25)
    metrics.gauge("queue", -3)
    metrics.gauge("queue", -4)
    metrics.increment("x", "many")  # type: ignore[arg-type]
    metrics.increment(None)  # type: ignore[arg-type]
    metrics.increment("x", 1, tag=[])  # type: ignore[arg-type]
    metrics.flush(10.0)
    lines = receiver.lines()
    assert {"shop.orders.placed:2|c", "shop.render:250.000|ms"} <= set(lines)
    place = lines.index("shop.queue:0|g")
    assert lines[place + 1] == "shop.queue:-4|g"
    assert metrics.dropped == 3


def test_an_event_that_cannot_be_read_is_counted_and_does_not_raise(metrics: StatsD) -> None:
    event = served(exchange(principal=object(), version=Version(deprecated=True)))
    metrics(event)
    assert metrics.dropped == 1


def test_packets_are_full_and_never_too_long(receiver: Receiver) -> None:
    metrics = StatsD(receiver.address, max_packet=512, flush_every=3600.0)
    for number in range(200):
        metrics(served(exchange(route=f"/r{number}")))
    metrics.flush(10.0)
    packets = receiver.all()
    assert max(map(len, packets)) <= 512
    assert sum(map(len, packets)) / len(packets) > 400
    metrics.close()


def test_a_line_longer_than_a_packet_is_dropped_and_counted(receiver: Receiver) -> None:
    metrics = StatsD(receiver.address, max_packet=128, flush_every=3600.0)
    metrics.increment("x" * 150)
    metrics.increment("y")
    metrics.flush(10.0)
    assert receiver.lines() == ["y:1|c"]
    assert metrics.dropped == 1
    metrics.increment("z")
    metrics.flush(10.0)
    assert {"z:1|c", "telemetry.dropped:1|c", "telemetry.packets:1|c", "telemetry.bytes:5|c"} == set(receiver.lines())
    metrics.close()


def test_nothing_is_sent_when_nothing_happened(metrics: StatsD, receiver: Receiver) -> None:
    metrics(served())
    metrics.flush(10.0)
    receiver.packet()
    metrics.flush(10.0)
    assert receiver.all() == []


def test_routes_beyond_the_limit_are_other(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    metrics = StatsD(receiver.address, max_names=2, flush_every=3600.0)
    for number in range(5):
        metrics(served(exchange(route=f"/r{number}")))
    metrics.flush(10.0)
    assert {"request_total.GET.r1.200:1|c", "request_total.GET._other.200:3|c"} <= set(receiver.lines())
    assert sum("route" in record.getMessage() for record in caplog.records) == 1
    metrics.close()


def test_it_flushes_by_itself(receiver: Receiver) -> None:
    metrics = StatsD(receiver.address, flush_every=0.01)
    metrics.increment("tick")
    assert receiver.lines() == ["tick:1|c"]
    metrics.close()


def test_close_sends_what_is_there_and_later_events_start_again(receiver: Receiver) -> None:
    metrics = StatsD(receiver.address, flush_every=3600.0)
    metrics.increment("a")
    metrics.close()
    assert receiver.lines() == ["a:1|c"]
    metrics.increment("b")
    metrics.close()
    assert receiver.lines() == ["b:1|c"]


def test_no_thread_before_the_first_event_and_one_after(receiver: Receiver) -> None:
    def ours() -> int:
        return sum(thread.name == "interservice-statsd" for thread in threading.enumerate())

    before = ours()
    metrics = StatsD(receiver.address, flush_every=3600.0)
    assert ours() == before
    threads = [threading.Thread(target=metrics, args=(served(),)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ours() == before + 1
    metrics.flush(10.0)
    assert "request_total.GET.orders_id.200:16|c" in receiver.lines()
    metrics.close()
    assert ours() == before


def test_an_object_that_is_dropped_is_collected_and_its_thread_ends(receiver: Receiver) -> None:
    metrics = StatsD(receiver.address, flush_every=3600.0)
    metrics.increment("last")
    gone = weakref.ref(metrics)
    del metrics
    gc.collect()
    assert gone() is None
    assert receiver.lines() == ["last:1|c"]


@pytest.mark.parametrize("flush_every", [0.01, 3600.0])
def test_counts_are_exact_under_many_threads(receiver: Receiver, flush_every: float) -> None:
    metrics = StatsD(receiver.address, flush_every=flush_every, max_samples=5)
    event = served()

    def work() -> None:
        for _ in range(2000):
            metrics(event)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.flush(10.0)
    text = "\n".join(receiver.all())
    assert sum(map(int, re.findall(r"request_total\.GET\.orders_id\.200:(\d+)\|c", text))) + metrics.dropped == 8000
    assert metrics.dropped == 0
    metrics.close()


def test_a_receiver_that_is_not_there_changes_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    metrics = StatsD(f"127.0.0.1:{port}", flush_every=3600.0)
    for _ in range(3):
        metrics(served())
        assert metrics.flush(10.0)
    metrics.close()


def test_a_unix_datagram_socket_that_comes_late_is_found(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    metrics = StatsD(f"unix://{path}", flush_every=3600.0)
    metrics.increment("early")
    assert metrics.flush(10.0)
    assert metrics.dropped == 1
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        metrics.increment("late")
        metrics.flush(10.0)
        assert "late:1|c" in Receiver(sock).lines()
    metrics.close()


def test_tcp_is_connected_late_and_again_after_a_break() -> None:
    clock = FakeClock()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10.0)
        client = StreamClient(Address("tcp", "127.0.0.1", server.getsockname()[1]), 1432, clock)

        def send(line: str) -> None:
            pipeline = client.pipeline()
            pipeline.incr(line)
            pipeline.send()

        send("one")
        peer, _ = server.accept()
        with peer:
            assert peer.recv(100) == b"one:1|c\n"
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        while client.dropped == 0:  # the reset is noticed by one of the next sends
            send("lost")
        send("two")
        peer, _ = server.accept()
        with peer:
            peer.settimeout(10.0)
            assert peer.recv(100).endswith(b"two:1|c\n")
        client.close()


def test_tcp_without_a_server_is_tried_with_growing_pauses() -> None:
    clock = FakeClock()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        client = StreamClient(Address("tcp", "127.0.0.1", sock.getsockname()[1]), 1432, clock)
        pauses = []
        for _ in range(6):
            client._send("x:1|c")
            pauses.append(client._connect_at - clock.monotonic())
            clock.advance(pauses[-1])
        assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
        assert client.dropped == 6


def test_names_are_looked_up_again_and_the_last_answer_serves_while_that_fails(receiver: Receiver) -> None:
    clock = FakeClock()
    host, port = receiver.sock.getsockname()
    answers: list[object] = [OSError("not yet"), [(socket.AF_INET, 0, 0, "", (host, port))], OSError("gone")]
    asked = []

    def resolve(name: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(clock.monotonic())
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer  # type: ignore[return-value]

    client = DatagramClient(Address("udp", "statsd", port), 1432, clock, resolve)
    client._send("a:1|c")
    assert client.dropped == 1
    client._send("b:1|c")
    assert len(asked) == 1
    clock.advance(RESOLVE_AGAIN)
    client._send("c:1|c")
    assert receiver.packet() == "c:1|c"
    clock.advance(RESOLVE_EVERY)
    client._send("d:1|c")
    assert receiver.packet() == "d:1|c"
    assert len(asked) == 3
    client.close()


def test_while_nothing_can_be_sent_samples_are_added_up_and_none_is_lost(receiver: Receiver) -> None:
    sending, goes_on = threading.Event(), threading.Event()

    class Stuck(statsd.StatsClient):  # type: ignore[misc] # statsd is untyped
        def _send(self, data: str) -> None:
            sending.set()
            assert goes_on.wait(30.0)
            super()._send(data)

    client = Stuck(*receiver.sock.getsockname())
    metrics = StatsD(client, flush_every=3600.0)
    metrics.increment("first")
    assert not metrics.flush(0.0)
    assert sending.wait(10.0)
    for _ in range(100_000):
        metrics.increment("many")
    goes_on.set()
    assert metrics.flush(10.0)
    assert metrics.dropped == 0
    assert receiver.lines() == ["first:1|c"]
    assert receiver.lines() == ["many:100000|c"]
    metrics.close()
    client.close()


def test_a_host_that_never_resolves_never_raises() -> None:
    metrics = StatsD("no-such-host.invalid:8125", flush_every=3600.0)
    metrics(served())
    assert metrics.flush(30.0)
    assert metrics.dropped > 0
    metrics.close()


def test_a_client_of_the_statsd_package_carries_our_lines_with_its_prefix(receiver: Receiver) -> None:
    host, port = receiver.sock.getsockname()
    client = statsd.StatsClient(host, port, prefix="theirs", maxudpsize=1432)
    metrics = StatsD(client, prefix="shop", flush_every=3600.0)
    metrics(served())
    metrics.gauge("g", -1)
    metrics.flush(10.0)
    lines = receiver.lines()
    assert "theirs.shop.request.GET.orders_id.200:12.500|ms" in lines
    assert "theirs.shop.g:-1|g" in lines
    metrics.close()
    client.close()


def test_a_given_stream_client_that_fails_is_counted_and_connects_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10.0)
        port = server.getsockname()[1]
        client = statsd.TCPStatsClient("127.0.0.1", port, timeout=10.0)
        metrics = StatsD(client, flush_every=3600.0)
        metrics.increment("a")
        metrics.flush(10.0)
        peer, _ = server.accept()
        with peer:
            assert peer.recv(100) == b"a:1|c\n"
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        while metrics.dropped == 0:
            metrics.increment("lost")
            metrics.flush(10.0)
        metrics.increment("b")
        metrics.flush(10.0)
        peer, _ = server.accept()
        with peer:
            peer.settimeout(10.0)
            assert b"b:1|c\n" in peer.recv(200)
        metrics.close()
        client.close()


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_sends_its_own_samples_and_none_of_its_parents(receiver: Receiver) -> None:
    metrics = StatsD(receiver.address, flush_every=3600.0)
    metrics.increment("parent")
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            metrics.increment("child")
            status = 0 if metrics.flush(10.0) else 2
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert receiver.lines() == ["child:1|c"]
    metrics.close()
    assert receiver.lines() == ["parent:1|c"]


def test_a_child_of_a_fork_that_python_was_not_told_of_loses_a_few_samples_and_sends_the_rest(receiver: Receiver) -> None:
    # A process of its own: a thread that waits for the interpreter's lock during such a fork leaves it locked in the child.
    script = f"""
        import ctypes, os, sys, threading, time
        from pathlib import Path
        from interservice.telemetry import StatsD

        def status(thread):
            lines = Path(f"/proc/self/task/{{thread.native_id}}/status").read_text().splitlines()
            return [line for line in lines if line.startswith(("State:\\tS", "voluntary_ctxt"))]

        metrics = StatsD("{receiver.address}", flush_every=3600.0)
        metrics.increment("parent")
        thread, = (one for one in threading.enumerate() if one.name == "interservice-statsd")
        before, now = None, status(thread)
        while len(now) < 2 or now != before:  # until it has slept for a while in which nobody had the lock
            time.sleep(0.05)
            before, now = now, status(thread)
        pid = ctypes.PyDLL(None).fork()  # as uWSGI does: no hook runs
        if pid == 0:
            result = 1
            try:
                for _ in range(100):
                    metrics.increment("child")
                result = 0 if metrics.flush(10.0) else 2
            finally:
                os._exit(result)
        result = os.waitpid(pid, 0)[1]
        metrics.close()
        sys.exit(result != 0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=50)
    (line,) = receiver.lines()
    name, count = line.removesuffix("|c").split(":")
    assert name == "child"
    assert 100 - 32 < int(count) < 100
    assert receiver.lines() == ["parent:1|c"]


def test_what_is_left_is_sent_at_exit(receiver: Receiver) -> None:
    script = f"""
        from interservice.telemetry import StatsD
        metrics = StatsD("{receiver.address}", flush_every=3600.0)
        metrics.increment("bye")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=30)
    assert receiver.lines() == ["bye:1|c"]


def test_under_gevent_the_hub_is_not_blocked(receiver: Receiver) -> None:
    pytest.importorskip("gevent")
    script = f"""
        from gevent import monkey
        monkey.patch_all()
        import gevent
        from interservice.telemetry import StatsD
        metrics = StatsD("{receiver.address}", flush_every=0.01)
        jobs = [gevent.spawn(metrics.increment, "greenlet") for _ in range(10)]
        gevent.joinall(jobs)
        assert metrics.flush(10.0)
        metrics.close()
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], check=True, timeout=60)
    assert receiver.lines() == ["greenlet:10|c"]
