"""Several sets of versions behind one gate."""

from __future__ import annotations

from typing import Any, cast

import pytest

from interservice.errors import ConfigurationError
from interservice.inbound.versions import HeaderVersion, PathVersion, Versions, VersionSets

from .asking import ask

BILLING = Versions(["1"], readers=[PathVersion("/billing/v{version}")], path="strip")
ADMIN = Versions(["2"], readers=[HeaderVersion("API-Version")], default="2")
ORDERS = Versions(["3"], readers=[HeaderVersion("Orders-Version")])
REST = Versions(["4"], default="4")
SETS = VersionSets({"/billing": BILLING, "/billing/admin": ADMIN, "Orders.Example": ORDERS, "orders.example/admin": ADMIN})
WITH_REST = VersionSets({"/billing": BILLING}, otherwise=REST)


def host(name: str, *more: tuple[str, str]) -> dict[str, Any]:
    return {"headers": [("Host", name), *more]}


@pytest.mark.parametrize(
    ("path", "request_", "verdict"),
    [
        ("/billing/v1/x", {}, (200, "1")),
        ("/billing/v2/x", {}, (404, "unsupported")),
        ("/billing/admin/x", {}, (200, "2")),
        ("/billing/administration", {}, (404, "unspecified")),
        ("/billings/v1", {}, (200, None)),
        ("/", {}, (200, None)),
        ("/", host("orders.example"), (400, "unspecified")),
        ("/", host("ORDERS.example:8443", ("Orders-Version", "3")), (200, "3")),
        ("/", host("orders.example.", ("Orders-Version", "3")), (200, "3")),
        ("/billing/v1/x", host("orders.example", ("Orders-Version", "3")), (200, "3")),
        ("/admin", host("orders.example"), (200, "2")),
        ("/", host("orders.example.evil"), (200, None)),
        ("/billing/../admin", {}, (404, "not_found")),
    ],
)
def test_host_and_path_choose_the_set(path: str, request_: dict[str, Any], verdict: tuple[int, str | None]) -> None:
    assert ask(SETS, path, **request_).verdict == verdict


def test_the_mount_counts_as_path() -> None:
    assert ask(SETS, "/admin", mount="/billing").version == "2"


def test_the_rest_has_versions_of_its_own() -> None:
    assert ask(WITH_REST, "/other").version == "4"
    assert ask(WITH_REST, "/billing/v1").version == "1"


def test_the_response_speaks_of_the_chosen_set() -> None:
    answer = ask(SETS, "/billing/v1/x")
    assert (answer.exchange.mount, answer.exchange.path) == ("/billing/v1", "/x")
    assert answer.head.get("api-supported-versions") == "1"
    assert ask(SETS, "/", headers=[("Host", "orders.example")]).head.get("api-supported-versions") == "3"
    assert ask(SETS, "/").head.headers == []


def test_an_address_may_be_a_host() -> None:
    sets = VersionSets({"[::1]": ORDERS, "127.0.0.1": ADMIN})
    assert ask(sets, "/", **host("[::1]:80", ("Orders-Version", "3"))).version == "3"
    assert ask(sets, "/", **host("127.0.0.1:80")).version == "2"


NONSENSE: list[tuple[Any, str]] = [
    (lambda: VersionSets({}), "a mapping of hosts or paths"),
    (lambda: VersionSets({"": REST}), "must have keys such as"),
    (lambda: VersionSets({"https://x/": REST}), "must have keys such as"),
    (lambda: VersionSets({"/x/": REST}), "must have keys such as"),
    (lambda: VersionSets({"x:80": REST}), "must have keys such as"),
    (lambda: VersionSets({"X": REST, "x": REST}), "free of keys that mean the same, not 'x'"),
    (lambda: VersionSets({"/x": cast("Any", "1")}), r"VersionSets.sets\['/x'\] must be a Versions"),
    (lambda: VersionSets({"/x": REST}, otherwise=cast("Any", "1")), "VersionSets.otherwise must be a Versions or None"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), NONSENSE, ids=[str(number) for number in range(len(NONSENSE))])
def test_nonsense_is_refused_when_made(make: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()
