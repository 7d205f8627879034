"""Rules by method and path: the first match wins, nothing matches by accident, and the number of rules costs nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.errors import ConfigurationError
from interservice.http import Request
from interservice.inbound.rules import Rule, Rules, ambiguous

from .requests import Fields


def found(rules: list[Rule], method: str, path: str) -> int | None:
    rule = Rules(rules).match(method, path)
    return None if rule is None else next(position for position, each in enumerate(rules) if each is rule)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/", "/", True),
        ("/", "", True),
        ("/", "/a", False),
        ("/orders", "/orders", True),
        ("/orders", "/orders/", False),
        ("/orders", "/Orders", False),
        ("/orders", "/orders2", False),
        ("/orders", "orders", False),
        ("/orders/", "/orders/", True),
        ("/orders/", "/orders", False),
        ("/orders/{id}", "/orders/7", True),
        ("/orders/{id}", "/orders/", False),
        ("/orders/{id}", "/orders", False),
        ("/orders/{id}", "/orders/7/lines", False),
        ("/orders/{id}", "/orders/7/", False),
        ("/orders/{id}/lines/{line}", "/orders/7/lines/1", True),
        ("/{a}/{b}", "/x/y", True),
        ("/admin/**", "/admin", True),
        ("/admin/**", "/admin/", True),
        ("/admin/**", "/admin/a/b/c", True),
        ("/admin/**", "/administrator", False),
        ("/admin/**", "/", False),
        ("/**", "/", True),
        ("/**", "/a/b", True),
        ("/**", "*", False),
        ("/t/{x}/**", "/t/1", True),
        ("/t/{x}/**", "/t", False),
        ("/t/{x}/**", "/t/1/2/3", True),
        ("/{x}", "/**", True),
    ],
)
def test_pattern_matches_whole_segments(pattern: str, path: str, matches: bool) -> None:
    assert (found([Rule("GET", pattern)], "GET", path) is not None) is matches


@pytest.mark.parametrize(
    ("methods", "method", "matches"),
    [
        ("GET", "GET", True),
        ("GET", "HEAD", True),
        ("HEAD", "GET", False),
        ("HEAD", "HEAD", True),
        ("GET", "POST", False),
        ("GET", "get", False),
        ("get", "GET", True),
        (["GET", "PUT"], "PUT", True),
        (["GET", "PUT"], "HEAD", True),
        (["PUT"], "HEAD", False),
        ("*", "PURGE", True),
        ("*", "HEAD", True),
        ("POST", "OPTIONS", False),
    ],
)
def test_method_matches_and_head_goes_with_get(methods: Any, method: str, matches: bool) -> None:
    assert (found([Rule(methods, "/a")], method, "/a") is not None) is matches


def test_first_match_wins_whatever_its_shape() -> None:
    rules = [
        Rule("GET", "/a/{x}"),
        Rule("GET", "/a/b"),
        Rule("*", "/a/**"),
        Rule("POST", "/a/b"),
        Rule("DELETE", "/{x}/b"),
        Rule("*", "/**"),
        Rule("DELETE", "/c/b"),
    ]
    assert found(rules, "GET", "/a/b") == 0
    assert found(rules, "POST", "/a/b") == 2
    assert found(rules, "DELETE", "/a/b") == 2
    assert found(rules, "DELETE", "/c/b") == 4
    assert found(rules, "PUT", "/c/b") == 5
    assert found(rules, "GET", "/a/") == 2
    assert found(rules, "GET", "/z") == 5


def test_later_rule_for_the_same_place_is_found_for_other_methods() -> None:
    rules = [Rule("GET", "/a"), Rule("*", "/a"), Rule("HEAD", "/a")]
    assert found(rules, "GET", "/a") == 0
    assert found(rules, "HEAD", "/a") == 0
    assert found(rules, "POST", "/a") == 1


SEGMENTS = st.sampled_from(["a", "b", "c"])
PATTERNS = st.builds(
    lambda segments, rest: "/" + "/".join(segments + rest),
    st.lists(st.sampled_from(["a", "b", "{x}"]), min_size=1, max_size=3),
    st.sampled_from([[], ["**"]]),
)


def by_hand(pattern: str, path: str) -> bool:
    wanted, given_ = pattern.split("/")[1:], path.split("/")[1:]
    if wanted[-1] == "**":
        wanted = wanted[:-1]
        given_ = given_[: len(wanted)]
    return len(wanted) == len(given_) and all(w == g or (w == "{x}" and g) for w, g in zip(wanted, given_, strict=True))


@given(
    st.lists(st.tuples(st.sampled_from(["GET", "POST", "*"]), PATTERNS), max_size=8), st.lists(SEGMENTS, min_size=1, max_size=4)
)
def test_tree_finds_what_a_walk_through_the_list_finds(given_rules: list[tuple[str, str]], segments: list[str]) -> None:
    rules, path = [Rule(method, pattern) for method, pattern in given_rules], "/" + "/".join(segments)
    walk = next((n for n, (method, pattern) in enumerate(given_rules) if method in {"*", "GET"} and by_hand(pattern, path)), None)
    assert found(rules, "GET", path) == walk


@pytest.mark.parametrize(
    "path",
    [
        "//admin",
        "/a//b",
        "/a//",
        "/..",
        "/../admin",
        "/a/../b",
        "/a/.",
        "/./a",
        "/a/..",
        "/admin;a",
        "/a;x=1/b",
        "\\admin",
        "/a\\..\\b",
        "/a\0",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a%00",
    ],
)
def test_path_with_two_meanings_is_told(path: str) -> None:
    assert ambiguous(path)


@pytest.mark.parametrize(
    "path", ["/", "", "/a/b", "/.well-known/x", "/a..b", "/...", "/a/..b", "/b../c", "/100%", "/a%20b", "/caf\u00e9"]
)
def test_ordinary_path_is_left_alone(path: str) -> None:
    assert not ambiguous(path)


@pytest.mark.parametrize(
    ("raw", "told"),
    [(b"/a%2fb", True), (b"/a%2Fb?x=1", True), (b"/a/b", False), (b"/a/b?next=%2fx", False), (b"/a%20b", False), (None, False)],
)
def test_encoded_slash_is_told_where_the_raw_path_is_known(raw: bytes | None, told: bool) -> None:
    request = Request("GET", "/a/b", Fields(), raw_path=raw)
    assert ambiguous("/a/b", request) is told


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("", "/a"), {}),
        ((" GET", "/a"), {}),
        (([], "/a"), {}),
        ((["GET", ""], "/a"), {}),
        ((7, "/a"), {}),
        (("GET", ""), {}),
        (("GET", "a"), {}),
        (("GET", None), {}),
        (("GET", "/a/**/b"), {}),
        (("GET", "/a/*"), {}),
        (("GET", "/a*"), {}),
        (("GET", "/a/{id}.json"), {}),
        (("GET", "/a/{}"), {}),
        (("GET", "/a/{id"), {}),
        (("GET", "/a//b"), {}),
        (("GET", "/a/../b"), {}),
        (("GET", "/a;b"), {}),
        (("GET", "/a"), {"scopes": "orders:read"}),
        (("GET", "/a"), {"any_scopes": "orders:read"}),
        (("GET", "/a"), {"roles": "admin"}),
        (("GET", "/a"), {"clients": "svc"}),
        (("GET", "/a"), {"scopes": [7]}),
        (("GET", "/a"), {"scopes": [""]}),
        (("GET", "/a"), {"public": True, "scopes": ["x"]}),
        (("GET", "/a"), {"public": True, "max_auth_age": 0}),
        (("GET", "/a"), {"acr": "mfa"}),
        (("GET", "/a"), {"issuers": "https://auth.test"}),
        (("GET", "/a"), {"max_auth_age": -1}),
    ],
)
def test_nonsense_is_refused_when_it_is_made(arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="Rule"):
        Rule(*arguments, **options)


def test_what_is_no_rule_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"JWTAuth\.rules"):
        Rules(["GET /a"])  # type: ignore[list-item]


def test_long_path_is_walked_no_further_than_the_tree() -> None:
    rules, visited = Rules([Rule("GET", "/a/{x}")]), []

    class Counting(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            visited.append(name)
            return super().get(name, default)

    rules._root.literals = Counting(rules._root.literals)
    rules._root.literals["a"].literals = Counting()
    assert rules.match("GET", "/a" * 10_000) is None
    assert visited == ["a", "a"]
