"""The table of requests and decisions: one row, one request. Everything that serves requests must agree with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from interservice.inbound.versions import Deprecation, HeaderVersion, MediaTypeVersion, PathVersion, QueryVersion, Versions

from .asking import ask

GONE = Deprecation(since=datetime(2026, 1, 1, tzinfo=UTC), sunset=datetime(2027, 1, 1, tzinfo=UTC), link="https://dev.example/v1")
EVERYWHERE = (PathVersion("/v{version}"), HeaderVersion("API-Version"), QueryVersion("api-version"), MediaTypeVersion("version"))

POLICIES = {
    # Numbers, every reader, no default.
    "all": Versions(["1.0", "2", "3.0-beta"], deprecated={"1": GONE}, retired=["0.9"], readers=EVERYWHERE),
    "default": Versions(["1.0", "2", "3.0-beta"], default="2", deprecated={"1": GONE}, retired=["0.9"], readers=EVERYWHERE),
    "newest": Versions(["1.0", "2", "3.0-beta"], default="newest", deprecated={"1": GONE}),
    "oldest": Versions(["1.0", "2", "3.0-beta"], default="oldest", deprecated={"1": GONE}),
    "path": Versions(["1", "2"], retired=["0"], readers=[PathVersion("/api/v{version}")]),
    "tenant": Versions(["1", "2"], readers=[PathVersion("/t/{tenant}/v{version}")]),
    "header": Versions(["1", "2"], readers=[HeaderVersion("X-API-Version")]),
    "media": Versions(["1", "2"], readers=[MediaTypeVersion("version")]),
    "vendor": Versions(["1", "2"], readers=[MediaTypeVersion("v", template="application/vnd.acme.v{version}+json")]),
    "facet": Versions(["1", "2"], readers=[MediaTypeVersion(None, template="application/vnd.acme.{thing}.v{version}")]),
    "reject": Versions(["1", "2"], readers=[MediaTypeVersion("version")], on_equal_rank="reject"),
    "days": Versions(["2025-01-01", "2025-06-01", "2026-01-01-preview"], retired=["2024-01-01"], readers=[HeaderVersion("V")]),
    "floor": Versions(
        ["2025-01-01", "2025-06-01", "2026-01-01-preview"], retired=["2024-01-01"], readers=[HeaderVersion("V")], match="floor"
    ),
    "future": Versions(["2025-01-01", "2025-06-01"], readers=[HeaderVersion("V")], match="floor", allow_future=True),
    "stripe": Versions(["2025-03-31.basil", "2026-02-25.clover"], readers=[HeaderVersion("V")], match="floor"),
    "latest": Versions(["1", "2", "3-rc"], latest=True),
    "501": Versions(
        ["1"], readers=[HeaderVersion("V"), PathVersion("/v{version}")], unsupported_status=501, unspecified_status=406
    ),
    "strip": Versions(["1", "2"], path="strip", default="2"),
}

CORS = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")]


def header(value: str) -> dict[str, Any]:
    return {"headers": [("API-Version", value)]}


def v(value: str) -> dict[str, Any]:
    return {"headers": [("V", value)]}


def x(value: str) -> dict[str, Any]:
    return {"headers": [("X-API-Version", value)]}


def query(text: str) -> dict[str, Any]:
    return {"query": text}


def accept(value: str) -> dict[str, Any]:
    return {"headers": [("Accept", value)]}


def sent(value: str) -> dict[str, Any]:
    return {"method": "POST", "headers": [("Content-Type", value)]}


JSON = "application/json"

#: policy, path, the rest of the request, status, version or word.
ROWS: list[tuple[str, str, dict[str, Any], int, str | None]] = [
    # Path
    ("all", "/v1", {}, 200, "1.0"),
    ("all", "/v1/orders", {}, 200, "1.0"),
    ("all", "/v1.0/orders", {}, 200, "1.0"),
    ("all", "/v1.0.0/orders", {}, 200, "1.0"),
    ("all", "/v2/orders/7", {}, 200, "2"),
    ("all", "/v2/", {}, 200, "2"),
    ("all", "/v3-beta/orders", {}, 200, "3.0-beta"),
    ("all", "/v3.0-BETA/orders", {}, 200, "3.0-beta"),
    ("all", "/v3/orders", {}, 404, "unsupported"),
    ("all", "/v10/orders", {}, 404, "unsupported"),
    ("all", "/v1.2/orders", {}, 404, "unsupported"),
    ("all", "/v0.9/orders", {}, 410, "retired"),
    ("all", "/v01/orders", {}, 404, "malformed"),
    ("all", "/v1.2.3.4/orders", {}, 404, "malformed"),
    ("all", "/v1..0", {}, 404, "malformed"),
    ("all", "/v1.", {}, 404, "malformed"),
    ("all", "/v2-", {}, 404, "malformed"),
    ("all", "/v+1/orders", {}, 404, "malformed"),
    ("all", "/v1_0/orders", {}, 404, "malformed"),
    ("all", "/v 1/orders", {}, 404, "malformed"),
    ("all", "/v1\n", {}, 404, "malformed"),
    ("all", "/v\u0661/orders", {}, 404, "malformed"),
    ("all", "/v2026-02-30/orders", {}, 404, "malformed"),
    ("all", "/v9999999999/orders", {}, 404, "malformed"),
    ("all", "/v" + "1" * 5000, {}, 404, "malformed"),
    ("all", "/v1x", {}, 400, "unspecified"),
    ("all", "/videos", {}, 400, "unspecified"),
    ("all", "/V1/orders", {}, 400, "unspecified"),
    ("all", "//v1/orders", {}, 400, "unspecified"),
    ("all", "/orders/v1", {}, 400, "unspecified"),
    ("all", "http://h/v1/orders", {}, 400, "unspecified"),
    ("all", "", {}, 400, "unspecified"),
    ("path", "/api/v1/orders", {}, 200, "1"),
    ("path", "/api/v1.0/orders", {}, 200, "1"),
    ("path", "/api/orders", {}, 404, "unspecified"),
    ("path", "/v1/orders", {}, 404, "unspecified"),
    ("path", "/api/v01/orders", {}, 404, "malformed"),
    ("path", "/api/v0/orders", {}, 410, "retired"),
    ("path", "/api/v3/orders", {}, 404, "unsupported"),
    ("path", "/api/v1/orders", header("7"), 200, "1"),
    ("tenant", "/t/acme/v2/orders", {}, 200, "2"),
    ("tenant", "/t/acme/orders", {}, 404, "unspecified"),
    ("tenant", "/t/../v2/orders", {}, 404, "unspecified"),
    ("tenant", "/t/a/b/v2/orders", {}, 404, "unspecified"),
    # Header
    ("all", "/orders", header("1"), 200, "1.0"),
    ("all", "/orders", header("1.0.0"), 200, "1.0"),
    ("all", "/orders", header(" 2 "), 200, "2"),
    ("all", "/orders", header("2, 2.0"), 200, "2"),
    ("all", "/orders", header("2,,"), 200, "2"),
    ("all", "/orders", header(""), 400, "unspecified"),
    ("all", "/orders", header(" , "), 400, "unspecified"),
    ("all", "/orders", header("1, 2"), 400, "ambiguous"),
    ("all", "/orders", {"headers": [("API-Version", "1"), ("API-Version", "2")]}, 400, "ambiguous"),
    ("all", "/orders", {"headers": [("API-Version", "2"), ("api-version", "2.0")]}, 200, "2"),
    ("all", "/orders", header("v1"), 400, "malformed"),
    ("all", "/orders", header("1 0"), 400, "malformed"),
    ("all", "/orders", header("latest"), 400, "malformed"),
    ("all", "/orders", header("1;q=1"), 400, "malformed"),
    ("all", "/orders", header("<script>"), 400, "malformed"),
    ("all", "/orders", header("9"), 400, "unsupported"),
    ("all", "/orders", header("0.9"), 410, "retired"),
    ("all", "/orders", header("3"), 400, "unsupported"),
    ("all", "/orders", header("3.0-beta"), 200, "3.0-beta"),
    ("header", "/v1/orders", x("2"), 200, "2"),
    ("header", "/orders", {}, 400, "unspecified"),
    ("header", "/orders", header("1"), 400, "unspecified"),
    ("501", "/orders", v("9"), 501, "unsupported"),
    ("501", "/v9/orders", {}, 404, "unsupported"),
    ("501", "/orders", {}, 406, "unspecified"),
    # Query
    ("all", "/orders", query("api-version=2"), 200, "2"),
    ("all", "/orders", query("a=1&api-version=2.0&b"), 200, "2"),
    ("all", "/orders", query("api%2Dversion=2"), 200, "2"),
    ("all", "/orders", query("API-VERSION=2"), 400, "unspecified"),
    ("all", "/orders", query("api-version="), 400, "unspecified"),
    ("all", "/orders", query("api-version=1,2"), 400, "malformed"),
    ("all", "/orders", query("api-version=+1"), 400, "malformed"),
    ("all", "/orders", query("api-version=%ff"), 400, "malformed"),
    ("all", "/orders", query("api-version=1&api-version=2"), 400, "ambiguous"),
    ("all", "/orders", query("api-version=1&api-version=1.0"), 200, "1.0"),
    ("all", "/orders", query("api-version=9"), 400, "unsupported"),
    ("all", "/orders", query("api-version=0.9"), 410, "retired"),
    # Accept
    ("media", "/orders", accept(f"{JSON}; version=1"), 200, "1"),
    ("media", "/orders", accept(f'{JSON};Version="2"'), 200, "2"),
    ("media", "/orders", accept(f'{JSON};version="\\2"'), 200, "2"),
    ("media", "/orders", accept("APPLICATION/JSON;version=2"), 200, "2"),
    ("media", "/orders", accept("*/*;version=1"), 200, "1"),
    ("media", "/orders", accept("application/*;version=1"), 200, "1"),
    ("media", "/orders", accept("text/*;version=1"), 400, "unspecified"),
    ("media", "/orders", accept("application/problem+json;version=1"), 200, "1"),
    ("media", "/orders", accept("text/html;version=1"), 400, "unspecified"),
    ("media", "/orders", accept(JSON), 400, "unspecified"),
    ("media", "/orders", accept("*/*"), 400, "unspecified"),
    ("media", "/orders", accept("text/html,application/signed-exchange;version=b3;q=0.7,*/*;q=0.8"), 400, "unspecified"),
    ("media", "/orders", accept(f"{JSON};version=9"), 406, "unsupported"),
    ("media", "/orders", accept(f"{JSON};version=01"), 400, "malformed"),
    ("media", "/orders", accept(f"{JSON};version=1, {JSON};version=b"), 400, "malformed"),
    ("media", "/orders", accept(f"{JSON};version=1;q=0.5, {JSON};version=2;q=0.9"), 200, "2"),
    ("media", "/orders", accept(f"{JSON};version=1, {JSON};version=2;q=0.9"), 200, "1"),
    ("media", "/orders", accept(f"{JSON};version=9, {JSON};version=1;q=0.1"), 200, "1"),
    ("media", "/orders", accept(f"*/*;version=2, {JSON};version=1"), 200, "1"),
    ("media", "/orders", accept(f"{JSON};version=1, {JSON};version=2"), 200, "2"),
    ("media", "/orders", accept(f"{JSON};version=2;q=0, {JSON};version=1;q=0.1"), 200, "1"),
    ("media", "/orders", accept(f"*/*;version=2, {JSON};version=2.0;q=0"), 400, "unspecified"),
    ("media", "/orders", accept(f"{JSON};version=1;q=2"), 400, "unspecified"),
    ("media", "/orders", accept(f"{JSON};q=0.5;version=1"), 400, "unspecified"),
    ("media", "/orders", accept(f"{JSON};version=1;version=2"), 400, "malformed"),
    ("media", "/orders", accept(f"{JSON};version=1;version=1.0"), 200, "1"),
    ("media", "/orders", accept(f'text/plain;a="x,y", {JSON};version=1'), 200, "1"),
    ("media", "/orders", accept(f'text/plain;a="x, {JSON};version=1'), 400, "unspecified"),
    ("media", "/orders", accept(","), 400, "unspecified"),
    ("media", "/orders", accept(", ," + "text/plain, " * 63 + f"{JSON};version=1"), 200, "1"),
    ("media", "/orders", accept("text/plain, " * 64 + f"{JSON};version=1"), 400, "unspecified"),
    ("all", "/orders", accept(f"{JSON};version=0.9"), 410, "retired"),
    ("all", "/orders", accept(f"{JSON};version=0.9, {JSON};version=2;q=0.1"), 200, "2"),
    ("all", "/orders", accept(f"{JSON};version=1, {JSON};version=2"), 200, "2"),
    ("all", "/orders", accept(f"{JSON};version=3.0-beta, {JSON};version=2"), 200, "2"),
    ("reject", "/orders", accept(f"{JSON};version=1, {JSON};version=2"), 400, "ambiguous"),
    ("reject", "/orders", accept(f"{JSON};version=1, {JSON};version=1.0"), 200, "1"),
    ("reject", "/orders", accept(f"{JSON};version=9, {JSON};version=1"), 200, "1"),
    ("vendor", "/orders", accept("application/vnd.acme.v2+json"), 200, "2"),
    ("vendor", "/orders", accept("Application/Vnd.Acme.V2+Json"), 200, "2"),
    ("vendor", "/orders", accept("application/vnd.acme.v2+json;v=2.0"), 200, "2"),
    ("vendor", "/orders", accept("application/vnd.acme.v2+json;v=1"), 400, "malformed"),
    ("vendor", "/orders", accept("application/vnd.acme.v2+xml"), 400, "unspecified"),
    ("vendor", "/orders", accept("application/vnd.acme.v9+json"), 406, "unsupported"),
    ("vendor", "/orders", accept("application/vnd.acme.v01+json"), 400, "malformed"),
    ("vendor", "/orders", accept("application/vnd.acme.video+json"), 400, "unspecified"),
    ("vendor", "/orders", accept("application/vnd.acme+json;v=1"), 200, "1"),
    ("facet", "/orders", accept("application/vnd.acme.orders.v2+json"), 200, "2"),
    ("facet", "/orders", accept("application/vnd.acme.orders.v1"), 200, "1"),
    ("facet", "/orders", accept("application/vnd.acme.orders.v1.0+xml"), 200, "1"),
    # Content-Type
    ("media", "/orders", sent(f"{JSON};version=1"), 200, "1"),
    ("media", "/orders", sent(f"{JSON}; charset=utf-8; version=2"), 200, "2"),
    ("media", "/orders", sent(f"{JSON};version=9"), 415, "unsupported"),
    ("media", "/orders", sent(f"{JSON};version=x"), 400, "malformed"),
    ("media", "/orders", sent("text/csv;version=1"), 400, "unspecified"),
    ("media", "/orders", sent("*/*;version=1"), 400, "unspecified"),
    ("media", "/orders", sent("application/json;version"), 400, "unspecified"),
    ("media", "/orders", sent("multipart/form-data; boundary=version=1"), 400, "unspecified"),
    ("all", "/orders", sent(f"{JSON};version=0.9"), 410, "retired"),
    ("vendor", "/orders", sent("application/vnd.acme.v1+json"), 200, "1"),
    # Several sources
    ("all", "/v1/orders", header("1.0"), 200, "1.0"),
    ("all", "/v1/orders", header("2"), 400, "ambiguous"),
    ("all", "/v9/orders", header("9"), 404, "unsupported"),
    ("all", "/v9/orders", header("1"), 400, "ambiguous"),
    ("all", "/v01/orders", header("1"), 404, "malformed"),
    ("all", "/v01/orders", header("x"), 400, "malformed"),
    ("all", "/v1/orders", header("x"), 400, "malformed"),
    ("all", "/v1/orders", query("api-version=2"), 400, "ambiguous"),
    ("all", "/orders", {"query": "api-version=2", **header("2.0")}, 200, "2"),
    ("all", "/v2/orders", accept(f"{JSON};version=1, {JSON};version=2;q=0.5"), 400, "ambiguous"),
    ("all", "/v2/orders", accept(f"{JSON};version=9"), 400, "ambiguous"),
    ("all", "/orders", {"headers": [("Content-Type", f"{JSON};version=9"), ("Accept", f"{JSON};version=9")]}, 415, "unsupported"),
    ("all", "/orders", {"headers": [("Content-Type", f"{JSON};version=1"), ("Accept", f"{JSON};version=2")]}, 400, "ambiguous"),
    # Defaults
    ("default", "/orders", {}, 200, "2"),
    ("default", "/orders", header(""), 200, "2"),
    ("default", "/v1/orders", {}, 200, "1.0"),
    ("default", "/orders", header("9"), 400, "unsupported"),
    ("default", "/v9/orders", {}, 404, "unsupported"),
    ("default", "/orders", header("nonsense"), 400, "malformed"),
    ("default", "/orders", accept(f"{JSON};version=9"), 406, "unsupported"),
    ("default", "/videos", {}, 200, "2"),
    ("newest", "/orders", {}, 200, "2"),
    ("oldest", "/orders", {}, 200, "1.0"),
    ("all", "/orders", {}, 400, "unspecified"),
    # Methods, kinds, neutral paths
    ("all", "/v1/orders", {"method": "HEAD"}, 200, "1.0"),
    ("all", "/orders", {"method": "HEAD"}, 400, "unspecified"),
    ("all", "/v1/orders", {"method": "OPTIONS"}, 200, "1.0"),
    ("all", "/orders", {"method": "OPTIONS"}, 400, "unspecified"),
    ("all", "/orders", {"method": "OPTIONS", "headers": CORS}, 200, None),
    ("all", "/v9/orders", {"method": "OPTIONS", "headers": CORS}, 200, None),
    ("all", "/orders", {"method": "OPTIONS", "headers": CORS[:1]}, 400, "unspecified"),
    ("all", "/orders", {"method": "GET", "headers": CORS}, 400, "unspecified"),
    ("all", "*", {"method": "OPTIONS"}, 200, None),
    ("all", "/healthz", {}, 200, None),
    ("all", "/healthz", header("nonsense"), 200, None),
    ("all", "/healthz/x", {}, 400, "unspecified"),
    ("all", "/healthz\n", {}, 400, "unspecified"),
    ("all", "/static/css/site.css", header("9"), 200, None),
    ("all", "/static/../orders", {}, 400, "unspecified"),
    ("all", "/docs", {}, 200, None),
    ("all", "/openapi.json", {}, 200, None),
    ("all", "/favicon.ico", {}, 200, None),
    ("all", "/-/status", {}, 200, None),
    ("all", "/v1/healthz", {}, 200, "1.0"),
    ("all", "/v1/feed", {"kind": "websocket"}, 200, "1.0"),
    ("all", "/v9/feed", {"kind": "websocket"}, 404, "unsupported"),
    ("all", "/feed", {"kind": "websocket"}, 400, "unspecified"),
    # Dates
    ("days", "/", v("2025-01-01"), 200, "2025-01-01"),
    ("days", "/", v("2025-02-01"), 400, "unsupported"),
    ("days", "/", v("2024-01-01"), 410, "retired"),
    ("days", "/", v("2025-02-29"), 400, "malformed"),
    ("days", "/", v("2025-1-1"), 400, "malformed"),
    ("days", "/", v("2026-01-01-PREVIEW"), 200, "2026-01-01-preview"),
    ("days", "/", v("2026-01-01"), 400, "unsupported"),
    ("floor", "/", v("2025-01-01"), 200, "2025-01-01"),
    ("floor", "/", v("2025-05-31"), 200, "2025-01-01"),
    ("floor", "/", v("2025-06-01"), 200, "2025-06-01"),
    ("floor", "/", v("2025-06-02"), 400, "unsupported"),
    ("floor", "/", v("2099-01-01"), 400, "unsupported"),
    ("floor", "/", v("2023-12-31"), 400, "unsupported"),
    ("floor", "/", v("2024-07-01"), 410, "retired"),
    ("floor", "/", v("2025-03-01-preview"), 400, "unsupported"),
    ("floor", "/", v("2026-01-01-preview"), 200, "2026-01-01-preview"),
    ("floor", "/", v("1"), 400, "unsupported"),
    ("floor", "/", v("junk"), 400, "malformed"),
    ("future", "/", v("2099-01-01"), 200, "2025-06-01"),
    ("future", "/", v("2024-12-31"), 400, "unsupported"),
    ("stripe", "/", v("2026-02-25.clover"), 200, "2026-02-25.clover"),
    ("stripe", "/", v("2026-02-25.acacia"), 400, "unsupported"),
    ("stripe", "/", v("2026-02-25"), 400, "unsupported"),
    ("stripe", "/", v("2025-12-01.anything"), 200, "2025-03-31.basil"),
    # The keyword
    ("latest", "/orders", header("latest"), 200, "2"),
    ("latest", "/vlatest/orders", {}, 200, "2"),
    ("latest", "/vlatest/orders", header("2"), 200, "2"),
    ("latest", "/vlatest/orders", header("1"), 400, "ambiguous"),
    ("all", "/vlatest/orders", {}, 400, "unspecified"),
    # Stripping
    ("strip", "/v1/orders", {}, 200, "1"),
    ("strip", "/orders", {}, 200, "2"),
    ("strip", "/v1/../v2/orders", {}, 404, "not_found"),
    ("strip", "/v1/a/./b", {}, 404, "not_found"),
    ("strip", "/v1/a/..", {}, 404, "not_found"),
    ("strip", "/v1/a/..b/.c", {}, 200, "1"),
]  # fmt: skip


def test_the_table_is_as_large_as_promised() -> None:
    assert len(ROWS) >= 120
    assert len({repr(row[:3]) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(
    ("policy", "path", "request_", "status", "word"), ROWS, ids=[f"{i}-{row[0]}" for i, row in enumerate(ROWS)]
)
def test_decision(policy: str, path: str, request_: dict[str, Any], status: int, word: str | None) -> None:
    # Twice: what is remembered must not change the answer.
    for _ in range(2):
        assert ask(POLICIES[policy], path, **request_).verdict == (status, word)
