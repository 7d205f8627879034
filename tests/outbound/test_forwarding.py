"""A request that is passed on says what its sender said, and nothing else."""

from __future__ import annotations

import pytest
import requests

from interservice.faultserver import FaultServer, Reply
from interservice.outbound import ClientVersion, ServiceAdapter
from interservice.outbound.forwarding import PassedOn


@pytest.mark.parametrize("target", ["/a%2fb/%C3%a9?x=%2f&&y", "/a/./b", "//a", "/", "/a?"])
def test_target_goes_out_byte_for_byte(target: str) -> None:
    with FaultServer() as server:
        ServiceAdapter("orders", endpoints=[server.url]).send(PassedOn("GET", "http://orders", target))
    assert [request.target for request in server.requests] == [target]


def test_nothing_is_added_to_its_fields() -> None:
    with FaultServer() as server:
        ServiceAdapter("orders", endpoints=[server.url]).send(PassedOn("GET", "http://orders", "/", {"X-Own": "1"}))
        (received,) = server.requests
    assert set(received.headers) == {"host", "x-own", "x-request-timeout-ms"}


def test_its_own_words_are_kept() -> None:
    own = {"user-agent": "curl", "accept-encoding": "br", "host": "api.example"}
    with FaultServer() as server:
        ServiceAdapter("orders", endpoints=[server.url]).send(PassedOn("GET", "http://orders", "/", own))
        (received,) = server.requests
    assert own.items() <= received.headers.items()


def test_second_try_is_the_first_again() -> None:
    with FaultServer([Reply.reset()]) as server:
        request = PassedOn("PUT", "http://orders", "/a%2fb", {"content-length": "4"}, body=b"body")
        assert ServiceAdapter("orders", endpoints=[server.url]).send(request).status_code == 200
    assert [(each.target, each.body) for each in server.requests] == [("/a%2fb", b"body")] * 2


def test_version_that_the_adapter_asks_for_is_put_in_front() -> None:
    with FaultServer() as server:
        adapter = ServiceAdapter("orders", endpoints=[server.url], version=ClientVersion("2", path="/v{version}"))
        adapter.send(PassedOn("GET", "http://orders", "/a%2fb"))
    assert [request.target for request in server.requests] == ["/v2/a%2fb"]


def test_it_is_a_prepared_request() -> None:
    request = PassedOn("GET", "http://orders", "/a")
    assert isinstance(request, requests.PreparedRequest)
    assert (request.url, request.path_url) == ("http://orders/a", "/a")
    assert request.copy().url == "http://orders/a"
