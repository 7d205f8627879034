"""What responses say about versions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from interservice.exchange import Exchange
from interservice.http import Head, Request, problem
from interservice.inbound.versions import (
    Deprecation,
    HeaderVersion,
    MediaTypeVersion,
    PathVersion,
    QueryVersion,
    Versions,
)
from interservice.testing import FakeClock

from .asking import Headers, ask

SUNSET = datetime(2027, 6, 30, tzinfo=UTC)
OLD = Deprecation(
    since=datetime(2023, 6, 30, 23, 59, 59, tzinfo=UTC),
    sunset=SUNSET,
    link="https://dev.example/deprecations/v1",
    sunset_link="https://dev.example/sunsets",
    successor="/v2",
    latest="/v3",
)
POLICY = Versions(["1", "2", "3-rc"], deprecated={"1": OLD}, default="2")


def values(head: Head, name: str) -> list[str]:
    return [value for key, value in head.headers if key.lower() == name.lower()]


def test_success_lists_versions_and_echoes_the_matched_one() -> None:
    head = ask(POLICY, "/v2.0/orders").head
    assert head.headers == [
        ("api-supported-versions", "2, 3-rc"),
        ("api-deprecated-versions", "1"),
        ("API-Version", "2"),
        ("Vary", "API-Version, Accept"),
    ]


def test_deprecated_version_announces_its_end() -> None:
    head = ask(POLICY, "/v1/orders").head
    assert values(head, "Deprecation") == ["@1688169599"]
    assert values(head, "Sunset") == ["Wed, 30 Jun 2027 00:00:00 GMT"]
    assert values(head, "Link")[0].split(", ") == [
        '<https://dev.example/deprecations/v1>; rel="deprecation"; type="text/html"',
        '<https://dev.example/sunsets>; rel="sunset"',
        '</v2>; rel="successor-version"',
        '</v3>; rel="latest-version"',
    ]


@pytest.mark.parametrize("status", [200, 304, 301, 404, 500])
def test_every_status_carries_the_announcement_and_vary(status: int) -> None:
    head = ask(POLICY, "/v1/orders", status=status).head
    assert values(head, "Deprecation")
    assert values(head, "Vary") == ["API-Version, Accept"]


def test_the_applications_own_values_stay_and_links_are_appended() -> None:
    own = [
        ("deprecation", "@1"),
        ("sunset", "soon"),
        ("Link", '</x>; rel="next"'),
        ("vary", "Cookie, accept"),
        ("api-version", "x"),
    ]
    head = ask(POLICY, "/v1/orders", response=own).head
    assert values(head, "Deprecation") == ["@1"]
    assert values(head, "Sunset") == ["soon"]
    assert values(head, "API-Version") == ["x"]
    assert [value.split(">")[0] for value in values(head, "Link")] == ["</x", "<https://dev.example/deprecations/v1"]
    assert values(head, "Vary") == ["Cookie, accept, API-Version"]


def test_vary_star_stays_alone() -> None:
    assert values(ask(POLICY, "/v1/orders", response=[("Vary", "*")]).head, "Vary") == ["*"]


def test_path_and_query_readers_need_no_vary_and_no_echo() -> None:
    head = ask(Versions(["1"], readers=[PathVersion("/v{version}"), QueryVersion("v")]), "/v1").head
    assert head.headers == [("api-supported-versions", "1")]


def test_vary_names_each_header_once() -> None:
    policy = Versions(["1"], readers=[HeaderVersion("V"), HeaderVersion("v"), HeaderVersion("W")], default="1")
    assert [name.lower() for name in values(ask(policy).head, "Vary")[0].split(", ")] == ["v", "w"]


def test_refusal_is_a_problem_with_the_public_lists() -> None:
    answer = ask(POLICY, "/orders", headers=[("API-Version", "4.0")])
    assert answer.rejection is not None
    assert values(answer.head, "Content-Type") == ["application/problem+json"]
    assert values(answer.head, "Cache-Control") == ["no-store"]
    assert values(answer.head, "api-supported-versions") == ["2, 3-rc"]
    assert values(answer.head, "api-deprecated-versions") == ["1"]
    assert values(answer.head, "Vary") == ["API-Version, Accept"]
    assert values(answer.head, "API-Version") == []
    assert json.loads(problem(answer.rejection, "7").body) == {
        "type": "about:blank",
        "title": "Unsupported API version",
        "status": 400,
        "detail": "API version '4.0' is not supported.",
        "instance": "urn:request:7",
        "code": "api-version-unsupported",
        "supported": ["2", "3-rc"],
        "deprecated": ["1"],
    }


def test_at_most_64_characters_are_echoed_and_none_in_a_header() -> None:
    answer = ask(POLICY, "/orders", headers=[("API-Version", "\x1b[31m" + "x" * 500)])
    assert answer.rejection is not None
    assert answer.rejection.detail == "'\\x1b[31m" + "x" * 59 + "' is not a well-formed API version."
    assert not any("xxx" in value for _, value in answer.head.headers)


def test_neutral_paths_responses_stay_as_they_are() -> None:
    assert ask(POLICY, "/healthz", headers=[("API-Version", "9")]).head.headers == []


def test_preflights_responses_list_versions_without_choosing_one() -> None:
    cors = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")]
    answer = ask(POLICY, "/v1/orders", method="OPTIONS", headers=cors)
    assert answer.exchange.version is None
    assert str(answer.exchange.preflight_version) == "1"
    assert [name for name, _ in answer.head.headers] == ["api-supported-versions", "api-deprecated-versions", "Vary"]


def test_lists_can_be_switched_off() -> None:
    policy = Versions(["1"], advertise=False)
    assert [name for name, _ in ask(policy, "/v1").head.headers] == ["API-Version", "Vary"]
    assert values(ask(policy, "/v2").head, "api-supported-versions") == []


def test_source_is_told_in_debug_only() -> None:
    assert values(ask(Versions(["1"], debug=True), "/v1").head, "API-Version-Source") == ["path"]
    assert values(ask(Versions(["1"]), "/v1").head, "API-Version-Source") == []


def test_warning_is_sent_on_demand() -> None:
    policy = Versions(["1", "2"], deprecated={"1": OLD}, warning=True)
    assert values(ask(policy, "/v1").head, "Warning") == ['299 - "API version 1 is deprecated; it is promised until 2027-06-30"']
    assert values(ask(policy, "/v2").head, "Warning") == []


def test_without_dates_only_the_links_are_sent() -> None:
    policy = Versions(["1"], deprecated={"1": Deprecation(link="/why")})
    head = ask(policy, "/v1").head
    assert values(head, "Deprecation") == values(head, "Sunset") == []
    assert values(head, "Link") == ['</why>; rel="deprecation"; type="text/html"']


def test_dates_are_sent_in_utc() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    announced = Deprecation(since=datetime(2026, 1, 1, 5, 30, 0, 999999, zone), sunset=datetime(2026, 3, 1, 5, 30, tzinfo=zone))
    assert dict(announced.fields) == {"Deprecation": "@1767225600", "Sunset": "Sun, 01 Mar 2026 00:00:00 GMT"}


@pytest.mark.parametrize(
    ("sent", "labelled"),
    [
        ("application/json", "application/json; version=2"),
        ("application/json; charset=utf-8", "application/json; charset=utf-8; version=2"),
        ("application/vnd.x+json;", "application/vnd.x+json; version=2"),
        ("application/json;Version=7", "application/json;Version=7"),
        ("application/problem+json", "application/problem+json"),
        ("text/html", "text/html"),
        ("nonsense", "nonsense"),
    ],
)
def test_json_responses_name_their_version_on_demand(sent: str, labelled: str) -> None:
    policy = Versions(["2"], readers=[MediaTypeVersion(label=True)], default="2")
    assert values(ask(policy, response=[("Content-Type", sent)]).head, "Content-Type") == [labelled]


def test_past_sunset_is_served_and_noted_unless_enforced() -> None:
    clock = FakeClock(time=SUNSET.timestamp())
    answer = ask(POLICY, "/v1/orders", clock=clock)
    assert answer.version == "1"
    assert answer.exchange.fields == {"api.version.sunset_passed": True}


def test_nothing_is_noted_before_the_sunset() -> None:
    assert ask(POLICY, "/v1/orders", clock=FakeClock(time=SUNSET.timestamp() - 1)).exchange.fields is None


def test_enforced_sunset_refuses_from_that_moment_with_the_same_links() -> None:
    policy = Versions(["1", "2"], deprecated={"1": OLD}, enforce_sunset=True, default="oldest")
    clock = FakeClock(time=SUNSET.timestamp() - 1)
    assert ask(policy, "/v1", clock=clock).version == "1"
    assert ask(policy, "/", clock=clock).version == "1"
    clock.advance(1)
    answer = ask(policy, "/v1", clock=clock)
    assert answer.verdict == (410, "retired")
    assert values(answer.head, "Sunset") == ["Wed, 30 Jun 2027 00:00:00 GMT"]
    assert len(values(answer.head, "Link")) == 1
    assert values(answer.head, "api-supported-versions") == ["2"]
    assert values(answer.head, "api-deprecated-versions") == []
    assert ask(policy, "/", clock=clock).version == "2"
    assert values(ask(policy, "/v2", clock=clock).head, "api-deprecated-versions") == []


def test_enforced_sunset_counts_for_alternatives_too() -> None:
    policy = Versions(["1", "2"], deprecated={"1": OLD}, enforce_sunset=True)
    both = [("Accept", "application/json;version=1, application/json;version=2;q=0.1")]
    clock = FakeClock(time=SUNSET.timestamp())
    assert ask(policy, "/", headers=both, clock=clock).version == "2"
    assert ask(policy, "/", headers=[("Accept", "application/json;version=1")], clock=clock).verdict == (410, "retired")


def test_fixed_default_past_its_enforced_sunset_is_refused() -> None:
    policy = Versions(["1", "2"], deprecated={"1": OLD}, enforce_sunset=True, default="1")
    assert ask(policy, "/", clock=FakeClock(time=SUNSET.timestamp())).verdict == (410, "retired")


def test_retired_version_keeps_its_links() -> None:
    policy = Versions(["2"], retired=["1"], deprecated={"1": Deprecation(link="/gone")})
    answer = ask(policy, "/v1")
    assert answer.verdict == (410, "retired")
    assert values(answer.head, "Link") == ['</gone>; rel="deprecation"; type="text/html"']
    assert values(answer.head, "api-deprecated-versions") == []


def test_refusal_of_another_policy_still_varies() -> None:
    head = Head(401, [])
    POLICY.respond(Exchange(Request("GET", "/orders", Headers()), 0.0), head)
    assert values(head, "Vary") == ["API-Version, Accept"]
