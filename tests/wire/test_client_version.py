"""Calls that ask for a version, and what becomes of an answer that says it will go; over real sockets."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import requests
import responses

from interservice.errors import ConfigurationError
from interservice.events import DeprecatedCall
from interservice.faultserver import FaultServer, Reply
from interservice.outbound import Backoff, ClientVersion, Retry, ServiceAdapter, ServiceSession
from interservice.testing import Recorder

GOING = {
    "Deprecation": "@1688169599",
    "Sunset": "Sun, 30 Jun 2024 23:59:59 UTC",
    "Link": '</migrate>; rel="deprecation"',
}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def session_for(server: FaultServer, version: ClientVersion | None, *listeners: Recorder) -> ServiceSession:
    retry = Retry(backoff=Backoff(base=0.0), overload_backoff=Backoff(base=0.0))
    adapter = ServiceAdapter("billing", endpoints=[server.url], retry=retry, version=version, listeners=listeners)
    return ServiceSession({"billing": adapter})


def test_every_try_asks_by_header(server: FaultServer) -> None:
    server.expect(Reply(status=503))
    with session_for(server, ClientVersion("2")) as session:
        session.get("http://billing/invoices")
    assert [request.headers["api-version"] for request in server.requests] == ["2", "2"]


def test_the_path_gets_the_version_once_and_the_answers_url_stays(server: FaultServer) -> None:
    with session_for(server, ClientVersion("2", path="/api/v{version}")) as session:
        answer = session.get("http://billing/invoices?page=2")
        session.get("http://billing/api/v2/invoices")
    assert [request.target for request in server.requests] == ["/api/v2/invoices?page=2", "/api/v2/invoices"]
    assert answer.url == "http://billing/invoices?page=2"


def test_accept_names_the_version_unless_the_caller_says_what_it_accepts(server: FaultServer) -> None:
    with session_for(server, ClientVersion("2", media_type="application/json; version={version}")) as session:
        session.get("http://billing/")
        session.get("http://billing/", headers={"accept": "text/csv"})
    assert [request.headers["accept"] for request in server.requests] == ["application/json; version=2", "text/csv"]


def test_the_callers_own_version_stays(server: FaultServer) -> None:
    with session_for(server, ClientVersion("2")) as session:
        session.get("http://billing/", headers={"api-version": "1"})
    assert server.requests[0].headers["api-version"] == "1"


def test_a_fake_of_the_wire_sees_the_version(server: FaultServer) -> None:
    with session_for(server, ClientVersion("2", path="/v{version}")) as session, responses.RequestsMock() as fake:
        fake.get("http://billing/v2/invoices", json=[])
        assert session.get("http://billing/invoices").json() == []


def test_the_end_of_a_version_is_one_warning_and_an_event_for_each_call(
    server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    server.expect(Reply(headers=GOING), Reply(headers=GOING), Reply())
    with caplog.at_level(logging.WARNING), session_for(server, ClientVersion("1"), recorder) as session:
        for _ in range(3):
            session.get("http://billing/invoices?secret=1")
    (record,) = [record for record in caplog.records if "deprecated" in record.getMessage()]
    assert record.getMessage() == (
        "version 1 of billing is deprecated since 2023-06-30 and may be gone from 2024-06-30 on "
        "(deprecation: http://billing/migrate)"
    )
    events = [event for event in recorder.events if isinstance(event, DeprecatedCall)]
    links = {"deprecation": "http://billing/migrate"}
    assert events == [DeprecatedCall("billing", "http://billing/invoices", "1", True, 1688169599.0, 1719791999.0, links)] * 2


def test_a_streamed_answer_is_looked_at_too(server: FaultServer) -> None:
    recorder = Recorder()
    server.expect(Reply(headers=GOING))
    with session_for(server, None, recorder) as session:
        session.get("http://billing/", stream=True).close()
    assert [event.version for event in recorder.events if isinstance(event, DeprecatedCall)] == [None]


def test_strangers_are_not_told_the_version(server: FaultServer) -> None:
    adapter = ServiceAdapter("billing", version=ClientVersion("2"))
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", adapter)
        adapter._serve("billing")
        session.get(server.url)
    assert "api-version" not in server.requests[0].headers


def test_version_must_be_a_client_version() -> None:
    with pytest.raises(ConfigurationError, match=r"ServiceAdapter\.version must be a ClientVersion or None, not '2'"):
        ServiceAdapter("billing", version="2")  # type: ignore[arg-type]
