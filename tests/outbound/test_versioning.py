"""The version that calls ask for, as a value."""

from __future__ import annotations

from typing import Any, cast

import pytest
from requests.structures import CaseInsensitiveDict

from interservice.errors import ConfigurationError
from interservice.outbound.versioning import ClientVersion


def test_the_header_is_the_usual_one_unless_another_is_named() -> None:
    assert ClientVersion("2").headers({}) == {"API-Version": "2"}
    assert ClientVersion("2", header="X-Version").headers({}) == {"X-Version": "2"}
    assert ClientVersion("2").target("/a") == "/a"


def test_the_callers_own_header_stays() -> None:
    assert ClientVersion("2").headers(CaseInsensitiveDict({"api-version": "1"})) == {}


@pytest.mark.parametrize("accept", [None, "*/*", b"*/*"], ids=["none", "text", "bytes"])
def test_accept_replaces_what_says_nothing(accept: Any) -> None:
    version = ClientVersion("2", media_type="application/vnd.acme.v{version}+json")
    present = {} if accept is None else {"Accept": accept}
    assert version.headers(present) == {"Accept": "application/vnd.acme.v2+json"}
    assert version.headers({"Accept": "text/csv"}) == {}


@pytest.mark.parametrize(
    ("target", "versioned"),
    [
        ("/", "/v2/"),
        ("/orders?x=/v2", "/v2/orders?x=/v2"),
        ("/v2", "/v2"),
        ("/v2/orders", "/v2/orders"),
        ("/v2?x", "/v2?x"),
        ("/v22/orders", "/v2/v22/orders"),
        ("http://h:8000/orders", "http://h:8000/v2/orders"),
        ("http://h:8000/v2/orders", "http://h:8000/v2/orders"),
        ("http://h:8000", "http://h:8000"),
    ],
)
def test_the_path_names_it_once(target: str, versioned: str) -> None:
    version = ClientVersion("2", path="/v{version}")
    assert version.target(target) == versioned
    assert version.headers({}) == {}


NONSENSE: list[tuple[Any, str]] = [
    (lambda: ClientVersion("2\r\nX: y"), "ClientVersion.version must be a version such as"),
    (lambda: ClientVersion(cast("Any", 2)), "ClientVersion.version must be a version such as"),
    (lambda: ClientVersion("2", header="a b"), "ClientVersion.header must be a header's name, not 'a b'"),
    (lambda: ClientVersion("2", header="A", path="/v{version}"), "ClientVersion.header must be the only way"),
    (lambda: ClientVersion("2", path="v{version}"), "ClientVersion.path must be a prefix such as"),
    (lambda: ClientVersion("2", path="/v{version}/"), "ClientVersion.path must be a prefix such as"),
    (lambda: ClientVersion("2", path="/v2"), "ClientVersion.path must be a template with exactly one {version}"),
    (lambda: ClientVersion("2", media_type="a/b;v={version}\n"), "ClientVersion.media_type must be a template"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), NONSENSE, ids=[str(number) for number in range(len(NONSENSE))])
def test_nonsense_is_refused_when_made(make: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert message in str(caught.value)
