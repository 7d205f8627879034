"""Versions under hostile input: parsers are total, equal spellings agree, and no request gets what it did not ask for."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.errors import Rejection
from interservice.exchange import Exchange
from interservice.http import Head, Request
from interservice.inbound.versions import HeaderVersion, MediaTypeVersion, PathVersion, QueryVersion, Versions, parse
from interservice.inbound.versions.accept import parse_accept, parse_media_type

NUMBERS = st.lists(st.integers(0, 999_999_999), min_size=1, max_size=3)
STATUSES = st.from_regex(r"[A-Za-z][A-Za-z0-9.]{0,31}", fullmatch=True)
PLAIN = NUMBERS.map(lambda parts: ".".join(map(str, parts)))
VERSIONS = st.one_of(
    PLAIN,
    st.builds("{}-{}".format, PLAIN, STATUSES).filter(lambda text: len(text) <= 64),
    st.dates(min_value=date(1, 1, 1)).map(lambda day: day.isoformat()),
    st.builds("{}.{}".format, st.dates().map(lambda day: day.isoformat()), STATUSES),
)
HOSTILE = st.one_of(st.text(), st.text(alphabet='1.-v+_ ,;="\\/*aq0{}%\n\u0661', max_size=60), VERSIONS)
EVERY_READER = (
    PathVersion("/v{version}"),
    HeaderVersion("V"),
    QueryVersion("v"),
    MediaTypeVersion("v", template="a/x.v{version}+j"),
)
POLICIES = [
    Versions(["1", "2", "3-rc"], retired=["0"], readers=EVERY_READER),
    Versions(["1", "2"], readers=EVERY_READER, default="1", path="strip", latest=True, on_equal_rank="reject"),
    Versions(["2024-01-01", "2025-01-01"], readers=EVERY_READER, match="floor", default="newest"),
]
CODES = {f"api-version-{word}" for word in ("unspecified", "malformed", "unsupported", "retired", "ambiguous")} | {"not_found"}


class Fields:
    """Request headers, one field each."""

    def __init__(self, **fields: str) -> None:
        self.fields = {name.replace("_", "-"): value for name, value in fields.items()}

    def get(self, name: str) -> str | None:
        return self.fields.get(name)

    def all(self, name: str) -> list[str]:
        return [self.fields[name]] if name in self.fields else []

    def items(self) -> list[tuple[str, str]]:
        return list(self.fields.items())


def admitted(policy: Versions, request: Request) -> Exchange | Rejection:
    exchange = Exchange(request, 0.0)
    try:
        policy.admit(exchange)
    except Rejection as rejection:
        return rejection
    finally:
        head = Head(200, [])
        policy.respond(exchange, head)
        assert not any("\r" in value or "\n" in value for _, value in head.headers)
    return exchange


@given(HOSTILE)
def test_parsers_are_total(text: str) -> None:
    parse(text)
    parse_media_type(text)
    for found in parse_accept(text):
        assert 0 <= found.q <= 1
        assert "*" not in found.type or found.subtype == "*" or found.type != "*"


@given(VERSIONS)
def test_what_the_grammar_makes_is_parsed(text: str) -> None:
    assert parse(text) is not None
    assert parse(text.upper()) == parse(text.lower())


@given(NUMBERS)
def test_equal_spellings_agree(parts: list[int]) -> None:
    texts = {".".join(map(str, [*parts, *[0] * zeros])) for zeros in range(4 - len(parts))}
    assert len({parse(text) for text in texts}) == 1


@given(NUMBERS, NUMBERS)
def test_numbers_are_ordered_as_numbers(one: list[int], other: list[int]) -> None:
    first, second = (parse(".".join(map(str, parts))) for parts in (one, other))
    assert first is not None
    assert second is not None
    assert (first < second) == ([*one, 0, 0][:3] < [*other, 0, 0][:3])


@given(st.dates(), st.dates())
def test_dates_are_ordered_as_dates(one: date, other: date) -> None:
    first, second = parse(one.isoformat()), parse(other.isoformat())
    assert first is not None
    assert second is not None
    assert (first < second) == (one < other)


@pytest.mark.parametrize("policy", POLICIES, ids=["exact", "strip", "floor"])
@given(path=HOSTILE, query=HOSTILE, fields=st.builds(Fields, v=HOSTILE, accept=HOSTILE, content_type=HOSTILE))
def test_every_request_is_admitted_or_refused_by_the_table(policy: Versions, path: str, query: str, fields: Fields) -> None:
    result = admitted(policy, Request("GET", "/" + path, fields, query=query))
    if isinstance(result, Rejection):
        assert result.code in CODES
        assert result.status in {400, 404, 406, 410, 415}
        assert (result.detail or "").isprintable()
    else:
        assert result.mount + result.path == "/" + path
        assert result.version is None or str(result.version) in policy.supported


@pytest.mark.parametrize("policy", POLICIES, ids=["exact", "strip", "floor"])
@given(asked=VERSIONS)
def test_all_readers_decide_alike(policy: Versions, asked: str) -> None:
    requests = [
        Request("GET", f"/v{asked}", Fields()),
        Request("GET", "/x", Fields(v=asked)),
        Request("GET", "/x", Fields(), query=f"v={asked}"),
        Request("GET", "/x", Fields(accept=f'application/json; v="{asked}"')),
        Request("GET", "/x", Fields(content_type=f"application/json; v={asked}")),
    ]
    results = [admitted(policy, request) for request in requests]
    words = {result.code if isinstance(result, Rejection) else str(result.version) for result in results}
    assert len(words) == 1


@given(asked=VERSIONS)
def test_an_explicit_version_is_never_replaced(asked: str) -> None:
    result = admitted(POLICIES[1], Request("GET", "/x", Fields(v=asked)))
    if isinstance(result, Exchange):
        assert parse(str(result.version)) == parse(asked)


@given(st.dates())
def test_floor_never_goes_up(day: date) -> None:
    result = admitted(POLICIES[2], Request("GET", "/x", Fields(v=day.isoformat())))
    if isinstance(result, Exchange):
        assert str(result.version) <= day.isoformat() <= "2025-01-01"


@given(st.lists(st.sampled_from(["application/json;v=1", "*/*;v=2", "text/html", "application/json;v=9;q=0.5", "a/b;q=x"])))
def test_order_of_accept_members_does_not_matter(members: list[str]) -> None:
    policy = Versions(["1", "2"], readers=[MediaTypeVersion("v")])
    words = set()
    for order in (members, members[::-1], sorted(members)):
        result = admitted(policy, Request("GET", "/x", Fields(accept=", ".join(order))))
        words.add(result.code if isinstance(result, Rejection) else str(result.version))
    assert len(words) == 1
