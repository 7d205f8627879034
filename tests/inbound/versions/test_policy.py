"""The policy's options, what it writes to the exchange, and its extension points."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from interservice.errors import ConfigurationError, Rejection
from interservice.exchange import Exchange
from interservice.http import Request
from interservice.inbound.versions import (
    NEUTRAL,
    Deprecation,
    HeaderVersion,
    MediaTypeVersion,
    PathVersion,
    QueryVersion,
    Reading,
    Versions,
)

from .asking import ask

DAY = datetime(2026, 1, 1, tzinfo=UTC)


# Nonsense that a type checker would catch is still refused.
LooseVersions: Any = Versions
LooseMediaTypeVersion: Any = MediaTypeVersion
LooseDeprecation: Any = Deprecation

NONSENSE: list[tuple[Any, str]] = [
    (lambda: LooseVersions([]), "Versions.supported must be at least one version, not []"),
    (lambda: LooseVersions("12"), "Versions.supported must be a list of strings, not '12'"),
    (lambda: LooseVersions(["v1"]), "Versions.supported must be a version such as"),
    (lambda: LooseVersions(["1", "1.0"]), "Versions.supported must be free of equal versions, not '1.0'"),
    (lambda: LooseVersions(["1"], retired=["1.0"]), "Versions.retired must be free of equal versions, not '1.0'"),
    (lambda: LooseVersions(["1"], default="2"), "Versions.default must be a supported version"),
    (lambda: LooseVersions(["1"], default="1", retired=["0"], deprecated={"3": Deprecation()}), "Versions.deprecated must be"),
    (lambda: LooseVersions(["1"], retired=["0"], default="0"), "Versions.default must be a supported version"),
    (lambda: LooseVersions(["1"], default=1), "Versions.default must be a supported version"),
    (lambda: LooseVersions(["1-rc"], default="newest"), "Versions.default must be a supported version"),
    (lambda: LooseVersions(["1"], deprecated=["1"]), "Versions.deprecated must be a mapping"),
    (lambda: LooseVersions(["1"], deprecated={1: LooseDeprecation()}), "Versions.deprecated must be a mapping"),
    (lambda: LooseVersions(["1"], deprecated={"1": "soon"}), "Versions.deprecated['1'] must be a Deprecation, not 'soon'"),
    (lambda: LooseVersions(["1"], readers=[]), "Versions.readers must be a list of readers"),
    (lambda: LooseVersions(["1"], readers=HeaderVersion()), "Versions.readers must be a list of readers"),
    (lambda: LooseVersions(["1"], readers=["header"]), "Versions.readers must be a list of readers"),
    (lambda: LooseVersions(["1"], match="fuzzy"), "Versions.match must be one of 'exact', 'floor', not 'fuzzy'"),
    (lambda: LooseVersions(["1"], match="floor"), 'Versions.match must be "exact" where no version is a date'),
    (lambda: LooseVersions(["2026-01-01.a", "2026-01-01.b"], match="floor"), "Versions.supported must be one version a day"),
    (lambda: LooseVersions(["1"], allow_future=True), "Versions.allow_future must be False unless match is"),
    (lambda: LooseVersions(["1"], path="drop"), "Versions.path must be one of 'keep', 'strip', not 'drop'"),
    (lambda: LooseVersions(["1"], path="strip", readers=[HeaderVersion()]), 'Versions.path must be "keep" without a PathVersion'),
    (lambda: LooseVersions(["1"], on_equal_rank="oldest"), "Versions.on_equal_rank must be one of"),
    (lambda: LooseVersions(["1"], unsupported_status=200), "Versions.unsupported_status must be one of"),
    (lambda: LooseVersions(["1"], unspecified_status=404), "Versions.unspecified_status must be one of"),
    (lambda: LooseVersions(["1"], neutral="/healthz"), "Versions.neutral must be a list of strings, not '/healthz'"),
    (lambda: PathVersion("/api"), "PathVersion.template must be a template with exactly one {version}, not '/api'"),
    (lambda: PathVersion("/{version}/{version}"), "PathVersion.template must be a template with exactly one {version}"),
    (lambda: PathVersion("v{version}"), "PathVersion.template must be a path that starts with"),
    (lambda: PathVersion("/v{version}/{"), "PathVersion.template must be free of other braces"),
    (lambda: PathVersion("/{a}-{version}"), "PathVersion.template must be a path with at most one placeholder in a segment"),
    (lambda: HeaderVersion("API Version"), "HeaderVersion.name must be a header's name, not 'API Version'"),
    (lambda: HeaderVersion(""), "HeaderVersion.name must be a non-empty string"),
    (lambda: QueryVersion(""), "QueryVersion.name must be a non-empty string"),
    (lambda: LooseMediaTypeVersion("q"), "MediaTypeVersion.parameter must be a parameter's name other than"),
    (lambda: LooseMediaTypeVersion(None), "MediaTypeVersion.parameter must be a non-empty string"),
    (lambda: LooseMediaTypeVersion(media_types=["json"]), "MediaTypeVersion.media_types must be media types such as"),
    (lambda: LooseMediaTypeVersion(template="vnd.v{version}"), "MediaTypeVersion.template must be a media type"),
    (lambda: LooseDeprecation(since=datetime(2026, 1, 1)), "Deprecation.since must be a datetime with a time zone"),  # noqa: DTZ001
    (lambda: LooseDeprecation(sunset="2026-01-01"), "Deprecation.sunset must be a datetime with a time zone"),
    (lambda: Deprecation(since=DAY, sunset=DAY.replace(year=2025)), "Deprecation.sunset must be no earlier than since"),
    (lambda: LooseDeprecation(link="/a b"), "Deprecation.link must be a percent-encoded URL, not '/a b'"),
    (lambda: LooseDeprecation(link="/a\r\nX: y"), "Deprecation.link must be a percent-encoded URL"),
    (lambda: LooseDeprecation(successor='/a>; rel="x"'), "Deprecation.successor must be a percent-encoded URL"),
    (lambda: LooseDeprecation(sunset_link="/%zz"), "Deprecation.sunset_link must be a percent-encoded URL"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_refused_when_made(make: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("path", "mount", "rest"),
    [
        ("/api/v1/orders/7", "/app/api/v1", "/orders/7"),
        ("/api/v1/", "/app/api/v1", "/"),
        ("/api/v1", "/app/api/v1", ""),
        ("/api/v1//x", "/app/api/v1", "//x"),
        ("/orders", "/app", "/orders"),
        ("/api/v1x", "/app", "/api/v1x"),
    ],
)
def test_strip_moves_the_prefix_to_the_mount(path: str, mount: str, rest: str) -> None:
    policy = Versions(["1", "2"], readers=[PathVersion("/api/v{version}"), HeaderVersion()], path="strip", default="2")
    exchange = ask(policy, path, mount="/app").exchange
    assert (exchange.mount, exchange.path) == (mount, rest)
    assert exchange.mount + exchange.path == "/app" + path
    assert exchange.request.path == path


def test_keep_leaves_the_path() -> None:
    exchange = ask(Versions(["1"]), "/v1/orders").exchange
    assert (exchange.mount, exchange.path) == ("", "/v1/orders")


def test_strip_takes_all_segments_of_the_template() -> None:
    policy = Versions(["1"], readers=[PathVersion("/t/{tenant}/v{version}/api")], path="strip")
    exchange = ask(policy, "/t/acme/v1/api/orders").exchange
    assert (exchange.mount, exchange.path) == ("/t/acme/v1/api", "/orders")


def test_preflight_is_stripped_too() -> None:
    cors = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")]
    exchange = ask(Versions(["1"], path="strip"), "/v1/orders", method="OPTIONS", headers=cors).exchange
    assert (exchange.version, exchange.mount, exchange.path) == (None, "/v1", "/orders")
    assert str(exchange.preflight_version) == "1"


def test_dot_segments_refusal_leaves_nothing_negotiated() -> None:
    exchange = ask(Versions(["1"], path="strip"), "/v1/../v2").exchange
    assert (exchange.version, exchange.mount, exchange.path) == (None, "", "/v1/../v2")


def test_version_tells_its_source_and_what_was_written() -> None:
    version: Any = ask(Versions(["1.0"], deprecated={"1": Deprecation()}), "/v1/orders").exchange.version
    assert (str(version), version.source, version.raw, version.deprecated) == ("1.0", "path", "1", True)


def test_sources_that_agree_are_named_in_order() -> None:
    policy = Versions(["1"], readers=[MediaTypeVersion(), QueryVersion("v"), HeaderVersion(), PathVersion("/v{version}")])
    header = [("API-Version", "1")]
    media = [("Accept", "application/json;version=1"), ("Content-Type", "application/json;version=1.0")]
    assert ask(policy, "/v1", headers=header + media, query="v=1").exchange.version.source == "path"  # type: ignore[union-attr]
    assert ask(policy, "/", headers=header + media, query="v=1").exchange.version.source == "header"  # type: ignore[union-attr]
    assert ask(policy, "/", headers=media, query="v=1").exchange.version.source == "query"  # type: ignore[union-attr]
    assert ask(policy, "/", headers=media).exchange.version.source == "content-type"  # type: ignore[union-attr]
    assert ask(policy, "/", headers=media[:1]).exchange.version.source == "accept"  # type: ignore[union-attr]


def test_default_has_no_raw_text() -> None:
    version: Any = ask(Versions(["1"], default="1.0"), "/").exchange.version
    assert (str(version), version.source, version.raw) == ("1", "default", None)


@pytest.mark.parametrize(
    ("choice", "verdict"),
    [
        ("2", (200, "2")),
        ("2.0", (200, "2")),
        ("newest", (200, "2")),
        ("oldest", (200, "1")),
        (None, (400, "unspecified")),
        ("0", (410, "retired")),
        ("7", (400, "unsupported")),
        ("x", (400, "malformed")),
    ],
)
def test_callable_default_chooses_by_the_exchange(choice: str | None, verdict: tuple[int, str]) -> None:
    seen: list[Exchange] = []

    def by_client(exchange: Exchange) -> str | None:
        seen.append(exchange)
        return choice

    answer = ask(Versions(["1", "2"], retired=["0"], default=by_client), "/orders")
    assert answer.verdict == verdict
    assert seen == [answer.exchange]


def test_callable_default_may_pin_a_date() -> None:
    policy = Versions(["2025-01-01", "2025-06-01"], match="floor", default=lambda _: "2025-03-01")
    assert ask(policy, "/").version == "2025-01-01"


def test_callable_default_is_not_asked_when_a_version_is_named() -> None:
    def never(_: Exchange) -> str | None:
        raise AssertionError

    assert ask(Versions(["1"], default=never), "/v1").version == "1"


def test_rejection_of_a_callable_default_refuses() -> None:
    def refuse(_: Exchange) -> str | None:
        raise Rejection("No.", status=403, code="no")

    assert ask(Versions(["1"], default=refuse), "/").verdict == (403, "no")


class Subdomain:
    """A custom reader: v1.api.example."""

    vary = ("Host",)

    def read(self, request: Request) -> list[Reading]:
        host = request.headers.get("host") or ""
        label = host.partition(".")[0]
        return [Reading("host", label[1:])] if label.startswith("v") else []


@pytest.mark.parametrize(
    ("path", "host", "verdict"),
    [
        ("/", "v1.api.example", (200, "1")),
        ("/", "api.example", (400, "unspecified")),
        ("/", "v9.api.example", (400, "unsupported")),
        ("/", "vx.api.example", (400, "malformed")),
        ("/v1", "v1.api.example", (200, "1")),
        ("/v2", "v1.api.example", (400, "ambiguous")),
    ],
)
def test_custom_readers_take_part(path: str, host: str, verdict: tuple[int, str]) -> None:
    policy = Versions(["1", "2"], readers=[PathVersion("/v{version}"), Subdomain()])
    answer = ask(policy, path, headers=[("Host", host)])
    assert answer.verdict == verdict
    assert answer.head.get("Vary") == "Host"


def test_neutral_list_replaces_and_extends() -> None:
    assert ask(Versions(["1"], neutral=["/up"]), "/up").verdict == (200, None)
    assert ask(Versions(["1"], neutral=["/up"]), "/healthz").verdict == (400, "unspecified")
    assert ask(Versions(["1"], neutral=[*NEUTRAL, "/up"]), "/healthz").verdict == (200, None)


def test_the_keyword_latest_is_noted() -> None:
    policy = Versions(["1"], latest=True)
    assert ask(policy, "/vlatest").exchange.fields == {"api.version.latest": True}
    assert ask(policy, "/v1").exchange.fields is None


def test_memory_stays_bounded_under_hostile_input() -> None:
    policy = Versions(["1"], readers=[HeaderVersion("V"), MediaTypeVersion(), PathVersion("/v{version}")])
    for number in range(3000):
        ask(policy, f"/v1.0.{number}", headers=[("V", f"1,{number}"), ("Accept", f"application/json;version={number}")])
        ask(policy, "/", headers=[("V", "1" + "," * number)])
    header, media, path = policy.readers
    for memo in (header._known, media._accepted, path._known, policy._rules.matched):  # type: ignore[attr-defined]
        assert len(memo) <= memo.limit
        assert all(len(str(key)) <= 512 for key in memo)


def test_policy_is_frozen_and_prints_its_configuration() -> None:
    policy = Versions(["1"], default="1")
    with pytest.raises(AttributeError):
        policy.default = None  # type: ignore[misc]
    assert repr(policy).startswith("Versions(supported=('1',), default='1', ")
    assert "_rules" not in repr(policy)
