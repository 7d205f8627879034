"""The parser is total: whatever comes in, a token comes out or `InvalidToken` does, and nothing else."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from interservice.errors import InvalidToken
from interservice.tokens import Issuers, Reason, StaticKeys, Verifier
from interservice.tokens.parser import Parsed, decode_base64url, parse, read_object

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
HEADER_NAMES = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "zip", "jwk", "x5c"])
CLAIM_NAMES = st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "jti", "client_id", "cnf", "nonce", "scope"])
LIKELY = st.sampled_from(["RS256", "none", "https://auth.test", "orders", 2_000_000_000, "JWT", ["orders"]])
SECRET = StaticKeys.secret(b"0123456789abcdef0123456789abcdef")
VERIFIER = Verifier("https://auth.test", "orders", keys=SECRET)
SEVERAL = Issuers(VERIFIER, Verifier("https://other.test", "orders", keys=SECRET))


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def loose(value: Any) -> bytes:
    return json.dumps(value).encode()


PARTS = st.binary(max_size=60) | JSON.map(loose)
HEADERS = st.dictionaries(HEADER_NAMES, LIKELY | JSON, max_size=4).map(loose) | PARTS
PAYLOADS = st.dictionaries(CLAIM_NAMES, LIKELY | JSON, max_size=6).map(loose) | PARTS
TOKENS = st.builds(lambda *parts: ".".join(map(encoded, parts)), HEADERS, PAYLOADS, st.binary(min_size=1, max_size=80))


def outcome(token: Any, look: Any = parse) -> Any:
    """What comes out, or the reason why nothing does; any other exception ends the test."""
    try:
        return look(token)
    except InvalidToken as refusal:
        return Reason(refusal.reason)


@given(st.text() | st.text("ey.-_AQ=") | st.binary() | st.none() | st.integers() | st.lists(st.text()))
@example("\ud800.a.b")
@example("a.b.c" * 3000)
def test_anything_at_all_is_parsed_or_refused(token: Any) -> None:
    outcome(token)


@given(TOKENS)
def test_anything_of_the_right_form_is_parsed_or_refused(token: str) -> None:
    parsed = outcome(token)
    if isinstance(parsed, Parsed):
        assert isinstance(parsed.claims, dict)
        assert isinstance(parsed.algorithm, str)
        assert parsed.signed.decode() == token.rpartition(".")[0]


@given(TOKENS)
def test_verifier_refuses_every_forged_token(token: str) -> None:
    for verifier in (VERIFIER, SEVERAL):
        assert isinstance(outcome(token, verifier.verify), Reason)


@given(st.integers(0, 12000), st.sampled_from(["[", "{", '{"a":', '["', '"]', "[[", "\\"]))
def test_depth_is_refused_and_never_recursed_into(count: int, opening: str) -> None:
    outcome(f"{encoded((opening * count).encode())}.e30.AA")
    outcome(f"{encoded(loose({'alg': 'RS256'}))}.{encoded((opening * count).encode())}.AA")


@given(st.binary())
def test_base64url_comes_back(raw: bytes) -> None:
    assert decode_base64url(encoded(raw)) == raw


@given(st.text("AQgwBEIM-_=+/ \n", max_size=12))
def test_base64url_has_one_encoding_for_each_value(text: str) -> None:
    try:
        raw = decode_base64url(text)
    except ValueError:
        return
    assert encoded(raw) == text
    assert urlsafe_b64decode(text + "=" * (-len(text) % 4)) == raw


@given(st.dictionaries(st.text(max_size=6), JSON.filter(lambda value: value == value), max_size=5))  # noqa: PLR0124 - not NaN
def test_object_that_is_read_is_what_was_written(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    try:
        read = read_object(text.encode())
    except ValueError:
        return
    assert read == value
