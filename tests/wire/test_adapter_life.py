"""An adapter's life: copied, pickled, forked, subclassed, faked, behind a proxy, over TLS."""

from __future__ import annotations

import copy
import datetime as dt
import io
import os
import pickle
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock
import responses
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from requests.adapters import HTTPAdapter

from interservice.errors import ConfigurationError
from interservice.faultserver import FaultServer, Received, Reply
from interservice.outbound import (
    Backoff,
    Balancer,
    Bulkhead,
    CircuitBreaker,
    CircuitOpen,
    DeadlineExceeded,
    Retry,
    ServiceAdapter,
    ServiceSession,
    Timeouts,
    mount,
)

QUICK = Retry(backoff=Backoff(base=0.0), overload_backoff=Backoff(base=0.0))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def on(adapter: HTTPAdapter) -> requests.Session:
    session = requests.Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


# Copies


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda session: pickle.loads(pickle.dumps(session))])
def test_a_copied_session_works_and_starts_afresh(server: FaultServer, copied: Any) -> None:
    adapter = ServiceAdapter("billing", endpoints=[server.url], timeouts=Timeouts(total=3.0), breaker=CircuitBreaker(min_calls=7))
    session = ServiceSession({"billing": adapter})
    session.get("http://billing/")
    adapter.circuit(server.url).force_open()
    twin = copied(session)
    assert twin.get("http://billing/").ok
    assert not twin.trust_env
    with pytest.raises(CircuitOpen):
        session.get("http://billing/")


def test_a_deep_copy_shares_listeners_that_cannot_be_copied(server: FaultServer) -> None:
    class Listener:
        def __init__(self) -> None:
            self.stream = io.FileIO(os.devnull, "w")
            self.heard = 0

        def __call__(self, _event: object) -> None:
            self.heard += 1

    listener = Listener()
    twin = copy.deepcopy(ServiceAdapter(listeners=[listener]))
    with on(twin) as session:
        session.get(server.url)
    assert listener.heard == 2
    listener.stream.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_uses_connections_of_its_own(server: FaultServer) -> None:
    adapter = ServiceAdapter("billing", endpoints=[server.url])
    session = ServiceSession({"billing": adapter})
    session.get("http://billing/parent")
    held = adapter._destinations._lock
    held.acquire()  # as another thread of the parent might
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if session.get("http://billing/child").ok and adapter.snapshot()["in_flight"] == 0 else 2
        finally:
            os._exit(code)
    held.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    session.get("http://billing/parent")
    assert {request.target: request.connection for request in server.requests} == {"/parent": 1, "/child": 2}


# What users have built on HTTPAdapter


def test_a_subclass_may_have_its_say_in_responses_and_targets(server: FaultServer) -> None:
    class Mine(ServiceAdapter):
        def build_response(self, req: Any, resp: Any) -> requests.Response:
            response = super().build_response(req, resp)
            response.reason = "built"
            return response

        def request_url(self, request: Any, proxies: Any) -> str:
            return super().request_url(request, proxies) + "?added"

        def add_headers(self, request: Any, **_how: Any) -> None:
            request.headers["X-Mine"] = "yes"

    with on(Mine(retry=QUICK)) as session:
        assert session.get(f"{server.url}/a").reason == "built"
    assert server.requests[0].target == "/a?added"
    assert server.requests[0].headers["x-mine"] == "yes"


def test_retries_of_urllib3_turn_ours_off(server: FaultServer) -> None:
    server.expect(Reply(status=503))
    adapter = ServiceAdapter(max_retries=urllib3.Retry(2, status_forcelist=[503]))
    with on(adapter) as session:
        response = session.get(server.url)
    assert response.ok
    assert len(vars(response)["attempts"]) == 1
    assert len(server.requests) == 2


@responses.activate
def test_the_responses_library_fakes_the_wire_and_policies_apply() -> None:
    responses.add(responses.GET, "http://billing/a", status=503)
    responses.add(responses.GET, "http://billing/a", json={"ok": True}, status=200)
    with ServiceSession({"billing": ServiceAdapter("billing", endpoints=["http://192.0.2.1"], retry=QUICK)}) as session:
        response = session.get("http://billing/a", stream=False)
    assert response.json() == {"ok": True}
    assert [attempt.status for attempt in vars(response)["attempts"]] == [503, 200]


def test_the_wire_is_ours_again_when_the_fake_is_gone(server: FaultServer) -> None:
    adapter = ServiceAdapter()
    with responses.RequestsMock() as fake, on(adapter) as session:
        fake.add(responses.GET, server.url, body=b"faked")
        assert session.get(server.url).text == "faked"
    with on(adapter) as session:
        assert session.get(server.url).text == "ok"


def test_a_streamed_fake_holds_nothing(server: FaultServer) -> None:
    adapter = ServiceAdapter()
    with responses.RequestsMock() as fake, on(adapter) as session:
        fake.add(responses.GET, server.url, body=b"faked")
        assert session.get(server.url, stream=True).content == b"faked"
    assert adapter.snapshot()["in_flight"] == 0


def test_requests_mock_takes_the_place_of_the_adapter(server: FaultServer) -> None:
    with requests_mock.Mocker() as fake, on(ServiceAdapter()) as session:
        fake.get(server.url, text="faked")
        assert session.get(server.url).text == "faked"


# Proxies


def test_a_proxy_is_asked_for_the_whole_url_and_endpoints_are_its_business() -> None:
    with FaultServer() as proxy:
        adapter = ServiceAdapter("billing", endpoints=["http://192.0.2.1"])
        with ServiceSession({"billing": adapter}) as session:
            response = session.get("http://billing/a?b=c", proxies={"http": proxy.url})
        assert proxy.requests[0].target == "http://billing/a?b=c"
        assert proxy.requests[0].headers["host"] == "billing"
        assert vars(response)["attempts"][0].endpoint == "http://billing"


def test_a_proxy_that_cannot_be_reached_is_a_proxy_error_with_nothing_sent(server: FaultServer) -> None:
    server.refuse()
    with on(ServiceAdapter(retry=QUICK)) as session, pytest.raises(requests.exceptions.ProxyError) as caught:
        session.post("http://example.com/", data=b"x", proxies={"http": server.url})
    assert [str(attempt.outcome) for attempt in caught.value.attempts] == ["never_sent"] * 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(("total", "kind"), [(0.3, DeadlineExceeded), (20.0, requests.RequestException)])
def test_a_proxy_that_trickles_its_answer_to_connect_holds_nobody_up(
    server: FaultServer, total: float, kind: type[Exception]
) -> None:
    server.expect(*[Reply.trickle(0.02, b"x" * 400, from_head=True)] * 3)
    timeouts = Timeouts(connect=0.4, read=20.0, total=total)
    with on(ServiceAdapter(retry=QUICK, timeouts=timeouts)) as session, pytest.raises(kind) as caught:
        session.post("https://example.com/", data=b"x", proxies={"https": server.url})
    attempts = caught.value.attempts  # type: ignore[attr-defined]
    assert [str(attempt.outcome) for attempt in attempts] == (["deadline"] if total < 1.0 else ["never_sent"] * 3)
    assert {request.method for request in server.requests} == {"CONNECT"}


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for the name "billing", in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "billing")])
    first, last = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2120, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), first, last)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("billing")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "billing.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("url", ["https://billing/", "http://billing/"])
def test_the_certificate_is_checked_for_the_logical_name(certificate: Path, url: str) -> None:
    """An endpoint that speaks TLS is spoken TLS to, whatever the URL says; never the other way round."""
    with FaultServer(tls=tls(certificate)) as server:
        with ServiceSession({"billing": ServiceAdapter("billing", endpoints=[server.url])}) as session:
            for _ in range(2):
                assert session.get(url, verify=str(certificate)).ok
        assert server.requests[0].headers["host"] == "billing"
        assert server.connections == 1


def test_a_certificate_that_does_not_verify_is_not_tried_again(certificate: Path) -> None:
    with FaultServer(tls=tls(certificate)) as server:
        adapter = ServiceAdapter("orders", endpoints=[server.url], retry=QUICK)
        with ServiceSession({"orders": adapter}) as session, pytest.raises(requests.exceptions.SSLError) as caught:
            session.get("https://orders/", verify=str(certificate))
    assert [str(attempt.outcome) for attempt in caught.value.attempts] == ["fatal"]  # type: ignore[attr-defined]


def test_an_https_url_is_never_sent_in_the_clear(server: FaultServer) -> None:
    session = ServiceSession({"billing": ServiceAdapter("billing", endpoints=[server.url], retry=None)})
    with session, pytest.raises(requests.RequestException):
        session.get("https://billing/", headers={"X-Secret": "s"})
    assert server.requests == []


def test_a_handshake_that_stalls_counts_as_never_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}"
        adapter = ServiceAdapter(retry=QUICK, timeouts=Timeouts(connect=0.2, read=5.0, total=10.0))
        with on(adapter) as session, pytest.raises(requests.Timeout) as caught:
            session.post(address, data=b"x")
    assert [str(attempt.outcome) for attempt in caught.value.attempts] == ["never_sent"] * 3  # type: ignore[attr-defined]


def test_a_trickle_over_tls_ends_at_the_deadline(certificate: Path) -> None:
    with FaultServer([Reply.trickle(0.05, b"x" * 200)], tls=tls(certificate)) as server:
        adapter = ServiceAdapter("billing", endpoints=[server.url], timeouts=Timeouts(total=0.6))
        with ServiceSession({"billing": adapter}) as session, pytest.raises(requests.Timeout) as caught:
            session.get("https://billing/", verify=str(certificate))
    assert caught.value.phase == "body"  # type: ignore[attr-defined]


def test_a_ca_bundle_that_is_missing_is_an_os_error_and_not_tried_again(server: FaultServer) -> None:
    adapter = ServiceAdapter(retry=QUICK)
    with on(adapter) as session, pytest.raises(OSError, match="CA certificate bundle"):
        session.get("https://127.0.0.1:1/", verify="/does/not/exist")
    assert adapter.snapshot()["in_flight"] == 0


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"service": ""}, "ServiceAdapter.service"),
        ({"endpoints": "http://a"}, "ServiceAdapter.endpoints"),
        ({"endpoints": []}, "ServiceAdapter.endpoints"),
        ({"endpoints": ["http://a", "http://a:80"]}, "ServiceAdapter.endpoints"),
        ({"endpoints": ["ftp://a"]}, "ServiceAdapter.endpoints"),
        ({"endpoints": ["http://u:p@a"]}, "ServiceAdapter.endpoints"),
        ({"endpoints": ["http://a/path"]}, "ServiceAdapter.endpoints"),
        ({"endpoints": ["http://a:99999"]}, "ServiceAdapter.endpoints"),
        ({"retry": 3}, "ServiceAdapter.retry"),
        ({"timeouts": 5.0}, "ServiceAdapter.timeouts"),
        ({"breaker": True}, "ServiceAdapter.breaker"),
        ({"bulkhead": 64}, "ServiceAdapter.bulkhead"),
        ({"balancer": "p2c"}, "ServiceAdapter.balancer"),
        ({"listeners": print}, "ServiceAdapter.listeners"),
    ],
)
def test_nonsense_is_refused_when_the_adapter_is_made(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ServiceAdapter(**options)


@pytest.mark.parametrize("prefix", ["billing", "ftp://billing", "http://", "http://u@billing", "http://billing/?q", None])
def test_a_prefix_that_names_no_host_is_refused(prefix: Any) -> None:
    with pytest.raises(ConfigurationError, match="mount"):
        mount(requests.Session(), prefix, ServiceAdapter())


def test_mount_adds_the_slash() -> None:
    session = requests.Session()
    adapter = ServiceAdapter()
    mount(session, "http://billing", adapter)
    assert session.get_adapter("http://billing/x") is adapter
    assert session.get_adapter("http://billing.evil.example/") is not adapter


def test_a_session_for_services_leaves_the_rest_as_it_is() -> None:
    adapter = ServiceAdapter("billing")
    with ServiceSession({"billing": adapter}) as session:
        assert not session.trust_env
        assert session.get_adapter("https://billing/") is adapter
        assert type(session.get_adapter("http://example.com/")) is HTTPAdapter


def test_everything_can_be_off(server: FaultServer) -> None:
    adapter = ServiceAdapter(retry=None, breaker=None, bulkhead=None, balancer=Balancer("round-robin"))
    server.expect(Reply(status=429, headers={"Retry-After": "60"}))
    with on(adapter) as session:
        assert session.get(server.url).status_code == 429
        assert session.get(server.url).ok
    assert adapter.snapshot()["budget"] == {"balance": None}


def test_the_snapshot_is_plain_data(server: FaultServer) -> None:
    adapter = ServiceAdapter("billing", endpoints=[server.url], bulkhead=Bulkhead(max_concurrent=5))
    server.expect(Reply(status=404))
    with ServiceSession({"billing": adapter}) as session:
        session.get("http://billing/")
    rates = {"failure_rate": None, "slow_rate": None}
    endpoint = {"state": "closed", "in_flight": 0, "calls": 1, "failures": 0, **rates, "not_permitted": 0, "ejected_for": 0.0}
    snapshot = adapter.snapshot()
    assert snapshot["budget"]["balance"] > 0
    assert snapshot == {"service": "billing", "in_flight": 0, "endpoints": {server.url: endpoint}, "budget": snapshot["budget"]}


def test_a_circuit_can_be_opened_by_hand(server: FaultServer) -> None:
    adapter = ServiceAdapter()
    adapter.circuit(server.url).force_open()
    with on(adapter) as session, pytest.raises(CircuitOpen) as caught:
        session.get(server.url)
    assert caught.value.state == "forced_open"
    with pytest.raises(ConfigurationError, match="circuit"):
        ServiceAdapter("billing", endpoints=[server.url]).circuit("http://elsewhere")


def test_origins_that_are_not_needed_are_forgotten(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interservice.outbound.destinations._MOST", 2)
    adapter = ServiceAdapter()
    for port in range(1, 6):
        adapter.circuit(f"http://127.0.0.1:{port}")
    assert len(adapter.snapshot()["endpoints"]) <= 2


def test_the_servers_own_script_can_answer_by_request(server: FaultServer) -> None:
    def echo(request: Received) -> Reply:
        return Reply(body=request.body[::-1])

    server.expect(echo)
    with on(ServiceAdapter()) as session:
        assert session.post(server.url, data=b"abc").content == b"cba"
