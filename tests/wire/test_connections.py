"""Connections as they are used again and again: no response is taken for another's, and who watches them sees what passes."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from interservice.faultserver import FaultServer, Reply
from interservice.outbound import Backoff, Retry, ServiceAdapter

QUICK = Retry(backoff=Backoff(base=0.0, cap=0.0))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.trust_env = False
        opened.mount("http://", ServiceAdapter(retry=QUICK))
        yield opened


def outcomes(response: requests.Response) -> list[str]:
    return [str(attempt.outcome) for attempt in vars(response)["attempts"]]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_given_back_unread_is_not_used_again(server: FaultServer, session: requests.Session, method: str) -> None:
    server.expect(Reply(body=b"", length=5, end="stall"))
    first = session.get(server.url, stream=True)
    first.raw.release_conn()
    second = session.request(method, server.url, data=b"x" if method == "POST" else None)
    assert second.content == b"ok"
    assert outcomes(second) == ["never_sent", "ok"]
    first.close()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("size", [3, 300_000])
def test_a_response_that_ends_the_connection_is_read_to_its_end(
    server: FaultServer, session: requests.Session, size: int, stream: bool
) -> None:
    server.expect(Reply(headers={"Connection": "close"}, body=b"x" * size, end="close"))
    assert len(session.get(server.url, stream=stream).content) == size
    assert session.get(server.url).content == b"ok"


def test_a_body_longer_than_one_receive_is_whole(server: FaultServer, session: requests.Session) -> None:
    sizes = [1, 16_000, 16_384, 20_000, 200_000]
    server.expect(*[Reply(body=b"x" * size) for size in sizes])
    assert [len(session.get(server.url).content) for _ in sizes] == sizes
    assert len({request.connection for request in server.requests}) == 1


def test_a_taken_response_says_where_it_ended_and_keeps_its_head(server: FaultServer, session: requests.Session) -> None:
    server.expect(Reply(headers={"X-A": "1"}, body=b"abc"))
    raw = session.get(server.url).raw
    assert (raw.tell(), raw.length_remaining, raw.closed, raw.read()) == (3, 0, True, b"")
    assert raw._original_response.msg["X-A"] == "1"


@pytest.mark.parametrize("method", ["putrequest", "putheader", "endheaders", "getresponse"])
def test_who_patches_http_client_sees_every_try(
    server: FaultServer, session: requests.Session, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    seen: list[str] = []
    real: Any = getattr(http.client.HTTPConnection, method)

    def watching(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(method)
        return real(self, *args, **kwargs)

    assert session.get(server.url).content == b"ok"
    monkeypatch.setattr(http.client.HTTPConnection, method, watching)
    server.expect(Reply(status=503))
    assert outcomes(session.get(server.url)) == ["status", "ok"]
    assert len(seen) >= 2
    monkeypatch.undo()
    seen.clear()
    assert session.get(server.url).content == b"ok"
    assert not seen
    assert len({request.connection for request in server.requests}) == 1
