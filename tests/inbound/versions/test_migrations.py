"""Migrations as values: their order, what they are about, and how they refuse nonsense."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interservice.errors import ConfigurationError, Rejection
from interservice.exchange import Exchange
from interservice.http import Head, Request
from interservice.inbound.versions import Migration, Versions
from interservice.inbound.versions.migrations import Chain, Passage, restate

from .asking import Headers

VERSIONS = Versions(["2025-01-01", "2025-06-01", "2026-01-01"], match="floor")


def tagged(name: str) -> Any:
    return lambda body: [*body, name]


CHAIN = [
    Migration("2026-01-01", request=tagged("c"), response=tagged("c")),
    Migration("2025-06-01", request=tagged("a"), response=tagged("a")),
    Migration("2025-06-01", request=tagged("b"), response=tagged("b")),
]


def passage(
    version: str,
    migrations: list[Migration],
    *,
    method: str = "POST",
    path: str = "/x",
    max_bytes: int = 1000,
    content_type: str = "application/json",
) -> Passage | None:
    headers = Headers([("API-Version", version), ("Content-Type", content_type)])
    exchange = Exchange(Request(method, path, headers), 0.0)
    VERSIONS.admit(exchange)
    return Chain(migrations, max_bytes).of(exchange)


def through(version: str, migrations: list[Migration]) -> tuple[Any, Any]:
    found = passage(version, migrations)
    assert found is not None
    return json.loads(found.forward(b"[]")), json.loads(found.back(200, b"[]"))


def test_requests_go_up_the_chain_and_responses_down() -> None:
    assert through("2025-01-01", CHAIN) == (["a", "b", "c"], ["c", "b", "a"])
    assert through("2025-06-01", CHAIN) == (["c"], ["c"])


def test_a_date_between_versions_is_carried_from_the_version_it_got() -> None:
    assert through("2025-12-31", CHAIN) == (["c"], ["c"])


def test_the_newest_has_nothing_to_do() -> None:
    assert passage("2026-01-01", CHAIN) is None
    assert passage("2025-01-01", []) is None


def test_methods_and_paths_narrow_a_migration() -> None:
    one = [Migration("2026-01-01", request=tagged("x"), methods=["post"], paths=["/orders/*"])]
    assert passage("2025-01-01", one, path="/orders/7") is not None
    assert passage("2025-01-01", one, path="/orders/7", method="PUT") is None
    assert passage("2025-01-01", one, path="/invoices") is None
    heads = [Migration("2026-01-01", response=tagged("x"), methods=["GET"])]
    assert passage("2025-01-01", heads, method="HEAD") is not None


def test_without_a_version_there_is_nothing_to_do() -> None:
    assert Chain(CHAIN, 1).of(None) is None
    assert Chain(CHAIN, 1).of(Exchange(Request("GET", "/", Headers()), 0.0)) is None


@pytest.mark.parametrize(
    ("content_type", "wanted"),
    [
        ("application/json", True),
        ("Application/Merge-Patch+JSON; charset=UTF-8", True),
        ("application/json-seq", False),
        ("application/x-ndjson", False),
        ("text/json", False),
        ("nonsense", False),
    ],
)
def test_only_json_is_wanted(content_type: str, wanted: bool) -> None:
    found = passage("2025-01-01", CHAIN, content_type=content_type)
    assert found is not None
    assert found.wants_request() is wanted
    assert found.wants_response(Head(200, [("Content-Type", content_type)])) is wanted


@given(st.binary(max_size=50) | st.text('[]{}",:y0 ', max_size=30).map(str.encode))
@example(b'{"y": 1}')
@example(b"[]")
def test_whatever_comes_is_carried_left_or_refused(body: bytes) -> None:
    found = passage("2025-01-01", [Migration("2026-01-01", request=lambda body: {"x": body["y"]})])
    assert found is not None
    try:
        got = found.forward(body)
    except Rejection as rejection:
        refused = rejection.status
        assert refused == 400
    else:
        assert got == body or set(json.loads(got)) == {"x"}


def test_a_fault_that_is_not_of_the_bodys_shape_is_ours() -> None:
    def broken(body: Any) -> Any:
        raise RuntimeError("no database")

    found = passage("2025-01-01", [Migration("2026-01-01", request=broken)])
    assert found is not None
    with pytest.raises(RuntimeError):
        found.forward(b"{}")


def test_what_is_no_json_any_more_is_a_fault_of_the_migration() -> None:
    found = passage("2025-01-01", [Migration("2026-01-01", response=lambda _: {1j})])
    assert found is not None
    with pytest.raises(Rejection) as caught:
        found.back(200, b"{}")
    assert (caught.value.status, caught.value.code) == (500, "migration_failed")


def test_a_head_is_true_again() -> None:
    head = Head(200, [("content-length", "9"), ("Digest", "x"), ("ETag", "y")])
    restate(head, 4)
    assert head.headers == [("ETag", "y"), ("Content-Length", "4")]


NONSENSE: list[tuple[Any, str]] = [
    (lambda: Migration("two", request=tagged("x")), "Migration.version must be a version such as"),
    (lambda: Migration("2"), "Migration.request must be a function, or response one, not None"),
    (lambda: Migration("2", request=cast("Any", "x")), "Migration.request must be a function of the decoded JSON, not 'x'"),
    (lambda: Migration("2", request=tagged("x"), paths="/x"), "Migration.paths must be a list of strings"),
    (lambda: Chain(cast("Any", {}), 1), "Migrations.migrations must be a list of Migration"),
    (lambda: Chain(cast("Any", ["2"]), 1), "Migrations.migrations must be a list of Migration"),
    (lambda: Chain([], 0), "Migrations.max_bytes must be at least 1, not 0"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), NONSENSE, ids=[str(number) for number in range(len(NONSENSE))])
def test_nonsense_is_refused_when_made(make: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()
