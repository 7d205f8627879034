"""The parser of Accept and Content-Type."""

from __future__ import annotations

import pytest

from interservice.inbound.versions import MediaTypeVersion, Versions
from interservice.inbound.versions.accept import MAX_CHARACTERS, MediaRange, parse_accept, parse_media_type

from .asking import ask


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" , ,", []),
        ("*/*", [("*/*", 1.0)]),
        ("text/html, application/json;q=0.5", [("text/html", 1.0), ("application/json", 0.5)]),
        ("text/html;q=0.333;level=1,a/b", [("text/html", 0.333), ("a/b", 1.0)]),
        ("a/b;q=1.000, c/d;q=0., e/f;Q=1.", [("a/b", 1.0), ("c/d", 0.0), ("e/f", 1.0)]),
        ("a/b;q=1.001, c/d;q=.5, e/f;q=0.1234, g/h;q=-1, i/j;q=1_0, k/l;q=", []),
        ("*/json, a/*, /b, a/, a, a/b/c", [("a/*", 1.0)]),
        ("a/b ; x=1 ; q=0.1, c/d;;, e/f; x = 1", [("a/b", 0.1), ("c/d", 1.0)]),
        ("a/b;x, c/d", [("c/d", 1.0)]),
        ("a/b;q=0.1;x, c/d", [("a/b", 0.1), ("c/d", 1.0)]),
    ],
)  # fmt: skip
def test_members(text: str, expected: list[tuple[str, float]]) -> None:
    assert [(f"{found.type}/{found.subtype}", found.q) for found in parse_accept(text)] == expected


def test_quoted_strings_may_hold_commas_quotes_and_semicolons() -> None:
    (found,) = parse_accept(r'a/b;X="1,2;\"3\"\\"')
    assert found == MediaRange("a", "b", (("x", r'1,2;"3"\ '.rstrip()),))


def test_unclosed_quote_spoils_its_member_alone() -> None:
    assert [found.type for found in parse_accept('x/y, a/b;x="1, c/d')] == ["x"]


def test_what_is_beyond_the_caps_is_not_read() -> None:
    assert len(parse_accept("a/b," * 100)) == 64
    assert len(parse_accept("a/b;x=" + "1" * MAX_CHARACTERS)) == 0
    assert [found.subtype for found in parse_accept("a/b, a/" + "c" * MAX_CHARACTERS)] == ["b"]


def test_specificity() -> None:
    ranges = parse_accept("*/*, a/*, a/b, a/b;x=1")
    assert [found.specificity for found in ranges] == sorted(found.specificity for found in ranges)


@pytest.mark.parametrize("text", ["", "*/*", "a/*", "a", "a/b, c/d", "a/b;x", "a/b;" + "x" * MAX_CHARACTERS])
def test_malformed_content_types_are_none(text: str) -> None:
    assert parse_media_type(text) is None


def test_q_is_a_plain_parameter_of_a_content_type() -> None:
    assert parse_media_type("a/b;q=7") == MediaRange("a", "b", (("q", "7"),))


@pytest.mark.parametrize(
    ("sent", "plain"),
    [
        ("application/json; version=2", "application/json"),
        ('application/json;version="2";x="a \\"b";q=0.50, b/c ;q=0.1', 'application/json;x="a \\"b";q=0.5, b/c ;q=0.1'),
        ("application/vnd.acme.v2+json;q=0.3", "application/json;q=0.3"),
        ("application/vnd.acme.video+json", "application/vnd.acme.video+json"),
        ('*/*;version=1, , text/*;a="x,y"', '*/*, text/*;a="x,y"'),
        ("bogus, application/json;version=1", "bogus, application/json"),
        ("text/html;version=1", "text/html;version=1"),
        ("", ""),
    ],
)  # fmt: skip
def test_accept_without_versions(sent: str, plain: str) -> None:
    reader = MediaTypeVersion("version", template="application/vnd.acme.v{version}+json")
    assert reader.without_versions(sent) == plain
    assert reader.without_versions(sent) == plain


def test_accept_without_versions_says_none() -> None:
    policy = Versions(["1", "2"], rewrite_accept=True)
    exchange = ask(policy, "/", headers=[("Accept", "application/json;version=2")]).exchange
    assert (str(exchange.version), exchange.rewritten) == ("2", {"accept": "application/json"})
    assert ask(policy, "/v1", headers=[("Accept", "application/json")]).exchange.rewritten is None
    assert ask(policy, "/v1").exchange.rewritten is None
