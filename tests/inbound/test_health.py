"""Health: what the two paths say, whom checks ask and how often, and what draining changes."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from interservice import Check, Condition, ConfigurationError, Gate, Health
from interservice.condition import worst
from interservice.events import ReadinessChanged
from interservice.http import Reply
from interservice.outbound import ServiceAdapter
from interservice.testing import FakeClock, Issuer, Recorder
from interservice.tokens import JWKS, ByShape, Introspection, Issuers, Revocations, StaticKeys, Verifier

from .requests import request


class Probing:
    """A gate with a `Health`, and what it answers."""

    def __init__(self, **options: Any) -> None:
        self.health = Health(**options)
        self.clock, self.recorder = FakeClock(), Recorder()
        self.gate = Gate([self.health], [self.recorder], service="orders", clock=self.clock)

    def ask(self, path: str = "/readyz", method: str = "GET", *fields: tuple[str, str], peer: str = "127.0.0.1") -> Reply | None:
        exchange = self.gate.open(request(method, path, *fields, peer=peer))
        while (work := self.gate.prepare(exchange)) is not None:
            work()
        reply = self.gate.admit(exchange)
        self.gate.finish(exchange)
        return reply

    def status(self) -> int:
        reply = self.ask()
        assert reply is not None
        return reply.status

    def document(self, **options: Any) -> dict[str, Any]:
        reply = self.ask(**options)
        assert reply is not None
        found: dict[str, Any] = json.loads(reply.body)
        return found

    def changes(self) -> list[tuple[bool, bool, tuple[str, ...]]]:
        return [event[1:] for event in self.recorder.events if isinstance(event, ReadinessChanged)]


class Told:
    """Something with a condition, as told."""

    def __init__(self, condition: Condition) -> None:
        self.told = condition
        self.warmed = 0

    def condition(self) -> Condition:
        return self.told

    def warm(self) -> bool:
        self.warmed += 1
        return False


def test_process_lives_and_is_ready_without_checks() -> None:
    probing = Probing()
    for path in ("/healthz", "/readyz"):
        reply = probing.ask(path)
        assert reply is not None
        assert (reply.status, reply.body) == (200, b'{"status": "pass"}')
        headers = dict(reply.headers)
        assert headers["Content-Type"] == "application/health+json"
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/healthz/", "/readyz/x", "/x/readyz", "/orders"])
def test_other_paths_are_the_applications(path: str) -> None:
    assert Probing().ask(path) is None


def test_path_with_the_prefix_of_the_mount_is_answered_too() -> None:
    health = Probing(ready="/api/readyz")
    exchange = health.gate.open(request("GET", "/readyz", mount="/api"))
    health.gate.prepare(exchange)
    assert health.gate.admit(exchange) is not None


def test_websocket_to_the_path_is_no_probe() -> None:
    health = Probing()
    exchange = health.gate.open(request("GET", "/readyz", kind="websocket"))
    health.gate.prepare(exchange)
    assert health.gate.admit(exchange) is None


def test_path_of_none_is_off() -> None:
    probing = Probing(live=None)
    assert probing.ask("/healthz") is None
    assert probing.status() == 200


def test_failing_check_is_named_with_its_reason() -> None:
    probing = Probing(checks={"queue": lambda: "behind by 70 s", "disk": lambda: None}, retry_after=3)
    reply = probing.ask()
    assert reply is not None
    assert reply.status == 503
    assert dict(reply.headers)["Retry-After"] == "3"
    assert json.loads(reply.body) == {
        "status": "fail",
        "checks": {"queue": [{"status": "fail", "output": "behind by 70 s"}], "disk": [{"status": "pass"}]},
    }


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (None, "pass"),
        (True, "pass"),
        (False, "fail"),
        ("down", "fail"),
        (Condition("warn", "slow"), "warn"),
        (Condition("fail", "down", critical=False), "warn"),
        (0, "fail"),
        ([], "fail"),
    ],
    ids=str,
)
def test_what_a_callable_gives(answer: Any, status: str) -> None:
    probing = Probing(checks={"it": lambda: answer})
    assert probing.document()["checks"]["it"][0]["status"] == status
    assert probing.status() == (503 if status == "fail" else 200)


def test_exception_is_told_by_its_type_alone(caplog: pytest.LogCaptureFixture) -> None:
    def ping() -> None:
        raise ConnectionRefusedError("redis://:s3cret@redis")

    caplog.set_level(logging.WARNING, "interservice")
    probing = Probing(checks={"redis": ping})
    reply = probing.ask()
    assert reply is not None
    assert json.loads(reply.body)["checks"]["redis"] == [{"status": "fail", "output": "ConnectionRefusedError"}]
    assert "s3cret" not in caplog.text


def test_check_that_is_not_critical_only_warns() -> None:
    probing = Probing(checks={"billing": Check(lambda: "down", critical=False)})
    assert probing.document()["status"] == "warn"
    assert probing.status() == 200


def test_what_is_critical_can_be_said_of_anything() -> None:
    circuits = Told(Condition("fail", "2 of 2 circuits are open", critical=False))
    assert Probing(checks={"billing": circuits}).status() == 200
    assert Probing(checks={"billing": Check(circuits, critical=True)}).status() == 503


def test_callable_is_asked_again_when_its_answer_is_old() -> None:
    calls: list[int] = []
    probing = Probing(checks={"it": lambda: calls.append(1)}, every=5)
    probing.status()
    probing.clock.advance(4.9)
    probing.status()
    assert len(calls) == 1
    probing.clock.advance(0.2)
    probing.status()
    assert len(calls) == 2


def test_callable_is_not_asked_on_liveness_nor_while_draining() -> None:
    calls: list[int] = []
    probing = Probing(checks={"it": lambda: calls.append(1)})
    probing.ask("/healthz")
    probing.health.drain()
    assert probing.status() == 503
    assert not calls


def test_hanging_check_has_failed_at_its_timeout_and_is_not_asked_twice() -> None:
    calls, let_go = [], threading.Event()

    def hang() -> None:
        calls.append(threading.get_ident())
        let_go.wait(20)

    probing = Probing(checks={"it": Check(hang, timeout=0.05)}, every=1)
    assert probing.document()["checks"]["it"] == [{"status": "fail", "output": "no answer within 0.05 s"}]
    probing.clock.advance(100)
    assert probing.status() == 503
    assert len(calls) == 1
    assert calls[0] != threading.get_ident()
    let_go.set()
    for thread in threading.enumerate():
        if thread.name == "interservice-health":
            thread.join(10)
    probing.clock.advance(0.5)
    assert probing.status() == 200


def test_all_checks_are_asked_at_once() -> None:
    meeting = threading.Barrier(2, timeout=20)
    probing = Probing(checks={"a": lambda: meeting.wait() * 0 or None, "b": lambda: meeting.wait() * 0 or None}, timeout=20)
    assert probing.status() == 200


def test_probes_that_come_together_ask_once() -> None:
    calls, asked, let_go = [], threading.Event(), threading.Event()

    def slow() -> None:
        calls.append(1)
        asked.set()
        let_go.wait(20)

    probing = Probing(checks={"it": slow}, timeout=20)
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(probing.status())) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert asked.wait(20)
    let_go.set()
    for thread in threads:
        thread.join(20)
    assert statuses == [200] * 5
    assert len(calls) == 1


def test_what_is_not_well_is_warmed_at_most_every_so_often() -> None:
    keys = Told(Condition("fail", "keys are empty"))
    probing = Probing(checks={"keys": keys}, every=5)
    assert [probing.status(), probing.status(), keys.warmed] == [503, 503, 1]
    probing.clock.advance(5)
    probing.status()
    assert keys.warmed == 2
    keys.told = Condition("pass")
    probing.clock.advance(5)
    assert probing.status() == 200
    assert keys.warmed == 2


def test_condition_that_raises_fails() -> None:
    class Broken:
        def condition(self) -> Condition:
            raise ZeroDivisionError

    assert Probing(checks={"it": Broken()}).document()["checks"]["it"] == [{"status": "fail", "output": "ZeroDivisionError"}]


def test_readiness_brings_the_first_keys() -> None:
    issuer = Issuer("https://auth.test")
    probing = Probing(checks={"keys": Verifier("https://auth.test", "orders", keys=StaticKeys(issuer.jwks))})
    assert probing.status() == 200
    unreachable = Verifier("https://auth.test", "orders", keys=JWKS("http://127.0.0.1:9/jwks", timeout=1.0))
    probing = Probing(checks={"keys": unreachable})
    assert probing.document()["checks"]["keys"] == [{"status": "fail", "output": "keys are empty"}]


def test_one_issuer_without_keys_among_several_is_a_warning() -> None:
    issuer = Issuer("https://a.test")
    known = Verifier("https://a.test", "orders", keys=StaticKeys(issuer.jwks))
    unknown = Verifier("https://b.test", "orders", keys=JWKS("http://127.0.0.1:9/jwks"))
    assert Issuers(known, unknown).condition() == Condition("warn", "keys are empty")
    assert Issuers(known).condition() == Condition("pass")
    assert Issuers(unknown).condition() == Condition("fail", "keys are empty")


def test_draining_is_503_for_readiness_alone_until_resumed() -> None:
    probing = Probing()
    probing.health.drain()
    assert probing.health.draining
    assert probing.document() == {"status": "fail", "output": "draining"}
    live = probing.ask("/healthz")
    assert live is not None
    assert live.status == 200
    assert probing.ask("/orders") is None
    probing.health.resume()
    assert probing.status() == 200


def test_drain_file_drains_as_long_as_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "drain"
    probing, other = Probing(drain_file=file), Probing(drain_file=str(file))
    assert (probing.status(), other.status()) == (200, 200)
    file.touch()
    probing.clock.advance(0.1)
    other.clock.advance(0.1)
    assert (probing.status(), other.status()) == (503, 503)
    file.unlink()
    probing.clock.advance(0.1)
    assert probing.status() == 200


def test_drain_file_is_looked_for_ten_times_a_second_at_most(tmp_path: Path) -> None:
    file = tmp_path / "drain"
    probing = Probing(drain_file=file)
    probing.status()
    file.touch()
    probing.clock.advance(0.09)
    assert probing.status() == 200
    probing.clock.advance(0.02)
    assert probing.status() == 503


def test_drain_file_in_a_folder_that_is_not_there_drains_nothing(tmp_path: Path) -> None:
    assert Probing(drain_file=tmp_path / "no" / "drain").status() == 200


def test_drain_file_that_a_former_life_has_left_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "drain"
    file.touch()
    probing = Probing(drain_file=file)
    assert [probing.status(), probing.status()] == [503, 503]
    assert [record.getMessage() for record in caplog.records] == [f"not ready from the start: the drain file {file} is there"]


def test_change_is_reported_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "interservice")
    keys = Told(Condition("pass"))
    probing = Probing(checks={"keys": keys})
    probing.status()
    keys.told = Condition("fail", "keys are dead")
    for _ in range(3):
        probing.status()
    keys.told = Condition("pass")
    probing.status()
    probing.health.drain()
    probing.status()
    assert probing.changes() == [(True, False, ()), (False, False, ("keys",)), (True, False, ()), (False, True, ())]
    assert [record.getMessage() for record in caplog.records] == ["health check 'keys': fail: keys are dead"]


def test_peers_elsewhere_and_behind_proxies_are_told_the_status_alone() -> None:
    checks = {"queue": lambda: "behind"}
    probing = Probing(checks=checks)
    assert "checks" in probing.document(peer="127.0.0.1")
    assert probing.document(peer="10.0.0.7") == {"status": "fail"}
    reply = probing.ask("/readyz", "GET", ("x-forwarded-for", "8.8.8.8"))
    assert reply is not None
    assert json.loads(reply.body) == {"status": "fail"}
    assert "checks" in Probing(checks=checks, details=["10.0.0.0/8"]).document(peer="10.0.0.7")
    assert "checks" in Probing(checks=checks, details="always").document(peer="8.8.8.8")
    assert "checks" not in Probing(checks=checks, details="never").document(peer="127.0.0.1")


def test_health_can_only_be_read() -> None:
    for path in ("/healthz", "/readyz"):
        reply = Probing().ask(path, "POST")
        assert reply is not None
        assert reply.status == 405
        assert ("Allow", "GET, HEAD") in reply.headers


def test_long_reason_is_cut() -> None:
    assert len(Probing(checks={"it": lambda: "x" * 1000}).document()["checks"]["it"][0]["output"]) == 200


async def _asynchronous() -> None: ...


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checks": ["queue"]}, "Health.checks must be a mapping"),
        ({"checks": {"": print}}, "Health.checks must be a non-empty string"),
        ({"checks": {"it": 7}}, "Check.target must be a callable"),
        ({"checks": {"it": Told}}, "Check.target must be a callable"),
        ({"checks": {"it": _asynchronous}}, "Check.target must be a plain function"),
        ({"live": "healthz"}, "Health.live must be a path"),
        ({"live": "/readyz"}, "Health.ready must be another path"),
        ({"every": 0}, "Health.every must be more than 0"),
        ({"timeout": -1}, "Health.timeout must be more than 0"),
        ({"retry_after": -1}, "Health.retry_after must be at least 0"),
        ({"drain_file": ""}, "Health.drain_file must be a non-empty string"),
        ({"details": "loopback"}, "Health.details must be 'always', 'never' or networks"),
        ({"details": ["here"]}, "Health.details must be a list of networks"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value.partition(" must")[0],
)
def test_nonsense_is_refused_when_made(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Health(**options)
    assert message in str(caught.value)


def test_check_refuses_nonsense() -> None:
    with pytest.raises(ConfigurationError, match=r"Check\.every must be at least 0"):
        Check(print, every=-1)
    with pytest.raises(ConfigurationError, match=r"Check\.timeout must be more than 0"):
        Check(print, timeout=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on POSIX alone")
def test_forked_process_asks_anew_though_the_parent_was_asking() -> None:
    asked, let_go = threading.Event(), threading.Event()
    parent = os.getpid()

    def check() -> None:
        if os.getpid() == parent:
            asked.set()
            let_go.wait(20)

    probing = Probing(checks={"it": check}, timeout=20)
    thread = threading.Thread(target=probing.status)
    thread.start()
    assert asked.wait(20)
    child = os.fork()
    if child == 0:
        os._exit(0 if probing.status() == 200 else 1)
    _, code = os.waitpid(child, 0)
    let_go.set()
    thread.join(20)
    assert os.waitstatus_to_exitcode(code) == 0


def test_failure_that_is_critical_is_not_hidden_by_one_that_is_not() -> None:
    circuit, redis = Condition("fail", "circuit", critical=False), Condition("fail", "redis")
    assert worst([circuit, redis, Condition("warn")]) == redis
    assert worst([Condition("warn"), circuit]) == circuit
    assert worst([]) == Condition("pass")


def test_circuits_say_how_many_are_open_and_make_no_instance_unready() -> None:
    urls = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
    billing = ServiceAdapter("billing", endpoints=urls)
    probing, strict = Probing(checks={"billing": billing}), Probing(checks={"billing": Check(billing, critical=True)})
    assert billing.condition() == Condition("pass")
    billing.circuit(urls[0]).force_open()
    assert billing.condition() == Condition("warn", "1 of 2 circuits are open", critical=False)
    assert strict.status() == 200
    billing.circuit(urls[1]).force_open()
    assert billing.condition() == Condition("fail", "2 of 2 circuits are open", critical=False)
    assert (probing.status(), strict.status()) == (200, 503)
    billing.close()


def test_adapter_without_circuits_passes() -> None:
    adapter = ServiceAdapter(breaker=None)
    assert adapter.condition() == Condition("pass")
    adapter.close()


@pytest.mark.parametrize(("on_error", "status"), [("deny", "fail"), ("allow", "warn")])
def test_revocations_that_are_not_followed(on_error: Any, status: Any) -> None:
    revocations = Revocations("redis://:s3cret@127.0.0.1:1/0", on_error=on_error, timeout=0.5)
    assert revocations.condition() == Condition(status, "revocations are not followed")
    issuer = Issuer("https://auth.test")
    verifier = Verifier("https://auth.test", "orders", keys=StaticKeys(issuer.jwks), revocations=revocations)
    document = Probing(checks={"tokens": verifier}, timeout=20).document()
    assert document["checks"]["tokens"] == [{"status": status, "output": "revocations are not followed: ConnectionError"}]
    revocations.close()


def test_introspection_passes_until_its_circuit_opens() -> None:
    introspection = Introspection("http://127.0.0.1:1", "orders", client_id="orders", client_secret="s" * 32)
    verifier = Verifier("https://auth.test", "orders", keys=JWKS("http://127.0.0.1:1/jwks"))
    assert introspection.condition() == Condition("pass")
    for token in ("abc", "def", "ghi"):
        introspection.ask(token, token.encode())
    endpoint = introspection._process().endpoint
    for adapter in endpoint._session.adapters.values():
        if isinstance(adapter, ServiceAdapter):
            adapter.circuit("http://127.0.0.1:1").force_open()
    assert introspection.condition() == Condition("fail", "1 of 1 circuits are open", critical=False)
    assert Probing(checks={"tokens": introspection}).status() == 200
    assert ByShape(verifier, introspection).condition().status == "fail"
