"""NGINX as an edge cache: what answers say may be kept is kept, and never for a request that says who asks."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from interservice.gateway import Edge
from interservice.testing import Issuer
from tests.servers.edge_gate import gate
from tests.servers.edges import NAMES, Answered, Gateway, Instance, asked_gate, instances, options, run_nginx, services

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("edge-cache")
_KEEP = {"Cache-Control": "public, max-age=60"}


@dataclass
class Cached:
    """NGINX with a cache, on a path that nobody has asked for yet."""

    gateway: Gateway
    found: dict[str, Instance]
    issuer: Issuer
    path: str

    def ask(self, headers: dict[str, str] | None = None, method: str = "GET", target: str | None = None) -> Answered:
        return self.gateway.ask(target or self.path, method, headers)

    def bearer(self, sub: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.mint(sub=sub, aud='edge', scope='orders:read')}"}

    @property
    def asked(self) -> int:
        """How many requests reached an instance."""
        return sum(len(instance.heard) for instance in self.found.values())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cached]:
    issuer, folder = Issuer(algorithms=["ES256"]), tmp_path_factory.mktemp("nginx")
    with ExitStack() as stack:
        url = stack.enter_context(issuer.serve())
        port = stack.enter_context(asked_gate(tmp_path_factory.mktemp("auth"), url))
        found = stack.enter_context(instances(*NAMES))
        edge = Edge(
            gate=gate(url), services=services(found, cache=True), forward_auth=f"http://127.0.0.1:{port}", **options(folder)
        )
        yield Cached(stack.enter_context(run_nginx(edge, folder)), found, issuer, "")


@pytest.fixture
def cached(running: Cached, request: pytest.FixtureRequest) -> Cached:
    for instance in running.found.values():
        instance.heard.clear()
        instance.headers = dict(_KEEP)
    running.path = f"/orders/public/{request.node.name}"
    return running


def test_answer_that_may_be_kept_is_kept(cached: Cached) -> None:
    first, second = cached.ask(), cached.ask()
    assert [answer.all("x-cache") for answer in (first, second)] == [["MISS"], ["HIT"]]
    assert first.body == second.body
    assert cached.asked == 1


def test_request_ids_are_of_the_request_and_not_of_the_answer_that_was_kept(cached: Cached) -> None:
    ids = [cached.ask().all("x-request-id") for _ in range(2)]
    assert [len(each) for each in ids] == [1, 1]
    assert ids[0] != ids[1]


@pytest.mark.parametrize("control", ["private", "no-store", "max-age=0", ""])
def test_answer_that_may_not_be_kept_is_not(cached: Cached, control: str) -> None:
    for instance in cached.found.values():
        instance.headers = {"Cache-Control": control} if control else {}
    cached.path = f"/orders/public/not-{control or 'said'}"
    assert [cached.ask().status for _ in range(2)] == [200, 200]
    assert cached.asked == 2


def test_answer_to_an_authorised_request_is_served_to_nobody_else(cached: Cached) -> None:
    first = cached.ask(cached.bearer("a"))
    others = [cached.ask(cached.bearer("a")), cached.ask(cached.bearer("b")), cached.ask()]
    assert {answer.status for answer in others} == {200}
    assert cached.asked == 4
    assert first.body not in [answer.body for answer in others]


def test_authorised_request_gets_no_kept_answer(cached: Cached) -> None:
    cached.ask()
    assert cached.ask(cached.bearer("a")).all("x-cache") == ["BYPASS"]
    assert cached.asked == 2


def test_request_with_a_cookie_is_neither_kept_nor_served_from_the_cache(cached: Cached) -> None:
    cached.ask({"Cookie": "session=1"})
    cached.ask()
    cached.ask({"Cookie": "session=1"})
    assert cached.asked == 3


def test_the_gate_is_asked_before_the_cache(cached: Cached) -> None:
    target = "/orders/secret"
    assert cached.ask(cached.bearer("a"), target=target).status == 200
    refused = cached.ask(target=target)
    assert refused.status == 401
    assert refused.all("x-cache") == []


@pytest.mark.parametrize("name", ["API-Version", "path"])
def test_versions_do_not_mix(cached: Cached, name: str) -> None:
    def version(number: str) -> Answered:
        if name == "path":
            return cached.ask(target=f"/v{number}{cached.path}")
        return cached.ask({name: number})

    answers = [version(number) for number in ("1", "2", "1", "2")]
    assert [answer.all("x-cache")[0] for answer in answers] == ["MISS", "MISS", "HIT", "HIT"]
    assert answers[0].body == answers[2].body != answers[1].body == answers[3].body
    assert answers[1].json["instance"] == "orders-2"


def test_formats_do_not_mix(cached: Cached) -> None:
    kinds = [cached.ask({"Accept": accept}).all("x-cache")[0] for accept in ("text/html", "application/json", "text/html")]
    assert kinds == ["MISS", "MISS", "HIT"]


def test_answers_are_kept_apart_by_what_they_vary_by(cached: Cached) -> None:
    for instance in cached.found.values():
        instance.headers["Vary"] = "Accept-Language"
    kinds = [cached.ask({"Accept-Language": language}).all("x-cache")[0] for language in ("de", "fr", "de")]
    assert kinds == ["MISS", "MISS", "HIT"]


def test_head_and_get_are_kept_apart(cached: Cached) -> None:
    assert cached.ask(method="HEAD").body == b""
    assert cached.ask().body != b""
    assert cached.asked == 2
