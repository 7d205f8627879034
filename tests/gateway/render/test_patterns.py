"""Patterns mean what the gate's own code means: compared with it, on paths and versions that nobody has thought of."""

from __future__ import annotations

import re
from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st

from interservice import PathVersion, Rule
from interservice.gateway.render.native import before
from interservice.gateway.render.patterns import AMBIGUOUS, below, literal, rule_path, spellings, template
from interservice.http import Request
from interservice.inbound.rules import Rules, ambiguous
from interservice.inbound.versions.version import parse

SEGMENTS = st.sampled_from(["a", "b", "orders", "7", "", "a.b", "{x}"])
PATHS = st.lists(SEGMENTS.filter(lambda segment: segment != "{x}"), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
RULE_PATHS = st.builds(
    lambda parts, tail: "/" + "/".join(parts) + tail,
    st.lists(SEGMENTS.filter(bool), min_size=1, max_size=3),
    st.sampled_from(["", "/", "/**"]),
) | st.just("/**")
METHODS = st.sampled_from(["GET", "HEAD", "POST", "*"])
RULES = st.lists(st.builds(Rule, METHODS, RULE_PATHS), min_size=1, max_size=5)
RAW = st.text(alphabet="/.;\\%abA2fFcC05e3B4e1 _-", min_size=1, max_size=12).map(lambda text: "/" + text)


class _NoFields:
    def get(self, name: str) -> str | None:
        return None

    def all(self, name: str) -> list[str]:
        return []

    def items(self) -> list[tuple[str, str]]:
        return []


@given(RULE_PATHS, PATHS)
@example("/a/**", "/a")
@example("/**", "/")
@example("/a/{x}", "/a/")
def test_rules_pattern_matches_what_the_rule_matches(rule: str, path: str) -> None:
    matches = Rules([Rule("*", rule)]).match("GET", path) is not None
    assert (re.fullmatch(rule_path(rule), path) is not None) == matches


@given(RULES, st.sampled_from(["GET", "HEAD", "POST", "PUT"]), PATHS)
def test_exceptions_of_a_rule_hold_every_earlier_rule_that_matches(rules: list[Rule], method: str, path: str) -> None:
    matching = [position for position, rule in enumerate(rules) if Rules([rule]).match(method, path)]
    for position in matching:
        exceptions = before(rules, position)
        assert all(any(rules[earlier] is rule for rule in exceptions) for earlier in matching if earlier < position)


@given(RAW)
@example("/a%252fb")
@example("/a%3bb")
@example("/%2e%2e/a")
@example("/a/..")
@example("/a\\b")
def test_no_path_that_the_gate_finds_ambiguous_goes_unnoticed(path: str) -> None:
    request = Request("GET", unquote(path), _NoFields(), raw_path=path.encode())
    if ambiguous(unquote(path), request):
        assert re.fullmatch(AMBIGUOUS, path)


@given(RAW)
def test_path_that_is_not_ambiguous_means_what_it_says(path: str) -> None:
    """So that a pattern, which sees it as it was sent, and the gate, which sees it decoded, speak of the same path."""
    if re.fullmatch(AMBIGUOUS, path) is None:
        plain = unquote(path, errors="strict") if re.search("%[89A-Fa-f]", path) is None else path
        kept = re.sub("%[0-9A-Fa-f]{2}", "", path)
        assert re.sub(r"[^A-Za-z0-9._~/\-]", "", kept) == re.sub(r"[^A-Za-z0-9._~/\-]", "", plain) or "%" in plain


@given(st.text(max_size=20).filter(lambda text: "/" not in text))
def test_literal_matches_its_text_however_it_is_encoded_and_nothing_else(text: str) -> None:
    from urllib.parse import quote

    pattern = literal(text)
    encoded = quote(text, safe="", errors="surrogatepass") if text.isascii() else quote(text, safe="")
    assert re.fullmatch(pattern, encoded)
    assert re.fullmatch(pattern, encoded + "x") is None
    assert not set(pattern) & set('\n\r`"{}<> ')


VERSIONS = st.from_regex(r"(0|[1-9][0-9]?)(\.(0|[1-9]))?(\.(0|1))?(-(beta|BETA|rc\.1|Rc\.1))?", fullmatch=True) | st.sampled_from(
    ["2026-01-31", "2026-01-31.0", "2026-01-31.1", "2026-01-31-beta", "2026-01-31.clover", "2026-01-31.Clover", "2026-02-01"]
)


@given(VERSIONS, VERSIONS)
@example("1", "1.0.0")
@example("1.0", "1")
@example("10", "1")
@example("2.0-beta", "2-BETA")
def test_spellings_are_the_texts_that_mean_the_same(one: str, other: str) -> None:
    number = parse(one)
    assert number is not None
    assert (re.fullmatch(spellings(number), other) is not None) == (parse(other) == number)


def test_prefix_is_whole_segments_behind_a_version_or_not() -> None:
    pattern = below("/orders", [template(PathVersion("/api/v{version}"))])
    matching = ["/orders", "/orders/", "/orders/7", "/api/v1/orders", "/api/v2.0/orders/7"]
    others = ["/ordersx", "/api/orders", "/api/vx/orders", "/x/orders", "/api/v1", "/orders2/7"]
    assert [path for path in (*matching, *others) if re.fullmatch(pattern, path)] == matching


def test_root_prefix_matches_everything_below_it() -> None:
    assert re.fullmatch(below("/"), "/anything/at/all")
    assert re.fullmatch(below("/"), "/")
