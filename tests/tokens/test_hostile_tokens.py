"""Every attack on a token ends in one InvalidToken with a reason, and never in anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interservice.errors import InvalidToken
from interservice.testing import FakeClock
from interservice.tokens import Reason, StaticKeys, Verifier

from .minting import AUDIENCE, ISSUER, NOW, b64u, claims, compact, jwk, jwks, mint, payload_of, private_key, shown, signature

HEADER = {"alg": "RS256", "kid": "rsa"}


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    keys = StaticKeys(jwks(jwk("rsa"), jwk("p256"), jwk("ed"), jwk("p384")))
    return Verifier(ISSUER, AUDIENCE, keys=keys, clock=FakeClock())


def refused(verifier: Any, token: Any) -> Reason:
    with pytest.raises(InvalidToken) as caught:
        verifier.verify(token)
    assert isinstance(caught.value.reason, Reason)
    assert caught.value.status == 401
    return caught.value.reason


@pytest.mark.parametrize(
    ("key", "alg"), [("rsa", "RS256"), ("rsa", "PS256"), ("p256", "ES256"), ("ed", "EdDSA"), ("ed", "Ed25519")], ids=shown
)
def test_good_token_is_accepted_with_every_default_algorithm(verifier: Verifier, key: str, alg: str) -> None:
    assert verifier.verify(mint(key, alg)).subject == "svc-a"


@pytest.mark.parametrize(
    "alg",
    [
        "none",
        "None",
        "NONE",
        "nOnE",
        " none",
        "",
        "null",
        None,
        [],
        ["RS256"],
        {},
        0,
        256,
        True,
        "rs256",
        "RS256\0",
        "RS256 ",
        "RS384",
        "HS256",
        "ES256K",
        "RSA-OAEP",
        "dir",
        "ES512",
        "\u0420S256",
    ],
    ids=shown,
)
def test_algorithm_that_is_not_allowed_is_refused(verifier: Verifier, alg: Any) -> None:
    assert refused(verifier, compact({"alg": alg, "kid": "rsa"}, claims())) is Reason.ALGORITHM


def test_missing_algorithm_is_refused(verifier: Verifier) -> None:
    assert refused(verifier, compact({"kid": "rsa"}, claims())) is Reason.ALGORITHM


@pytest.mark.parametrize("tail", ["", ".", ".AA"], ids=shown)
def test_none_without_a_signature_is_refused(verifier: Verifier, tail: str) -> None:
    unsigned = ".".join(compact({"alg": "none"}, claims()).split(".")[:2])
    refused(verifier, unsigned + tail)


@pytest.mark.parametrize(
    ("key", "alg", "says"),
    [
        ("rsa", "PS256", "RS256"),
        ("rsa", "RS256", "PS256"),
        ("rsa", "RS512", "RS256"),
        ("p384", "ES384", "ES256"),
        ("ed", "EdDSA", "RS256"),
        ("p256", "ES256", "EdDSA"),
        ("ed", "EdDSA", "ES256"),
        ("rsa", "RS256", "ES256"),
    ],
    ids=shown,
)
def test_signature_of_another_algorithm_than_the_header_says_is_refused(
    verifier: Verifier, key: str, alg: str, says: str
) -> None:
    token = compact({"alg": says, "kid": key}, claims(), private_key(key), alg)
    assert refused(verifier, token) in {Reason.SIGNATURE, Reason.UNKNOWN_KEY}


@pytest.mark.parametrize("key", ["rsa2", "p256b", "ed2"], ids=shown)
def test_key_of_somebody_else_under_our_kid_is_refused(verifier: Verifier, key: str) -> None:
    alg = {"r": "RS256", "p": "ES256", "e": "EdDSA"}[key[0]]
    assert refused(verifier, compact({"alg": alg, "kid": key[:-1]}, claims(), private_key(key), alg)) is Reason.SIGNATURE


@pytest.mark.parametrize(
    "members",
    [
        {"jwk": jwk("rsa2")},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"jku": "http://127.0.0.1:9/jwks"},
        {"jku": "file:///etc/passwd"},
        {"x5u": "https://evil.test/cert"},
        {"x5c": ["junk"]},
        {"x5c": 7},
    ],
    ids=shown,
)
def test_key_material_in_the_header_is_never_used(verifier: Verifier, members: dict[str, Any]) -> None:
    token = compact({**HEADER, **members}, claims(), private_key("rsa2"))
    assert refused(verifier, token) is Reason.SIGNATURE


@pytest.mark.parametrize(
    ("kid", "reason"),
    [
        ("../../etc/passwd", Reason.UNKNOWN_KEY),
        ("' OR 1=1 --", Reason.UNKNOWN_KEY),
        ("{0.__class__}%s", Reason.UNKNOWN_KEY),
        ("RSA", Reason.UNKNOWN_KEY),
        ("rsa ", Reason.UNKNOWN_KEY),
        ("rsa\0", Reason.HEADER),
        ("rsa\r\nX: y", Reason.HEADER),
        ("r\u015ba", Reason.HEADER),
        ("", Reason.HEADER),
        (0, Reason.HEADER),
        (None, Reason.HEADER),
        (["rsa"], Reason.HEADER),
        ({"kid": "rsa"}, Reason.HEADER),
        ("k" * 257, Reason.HEADER),
        ("k" * 100_000, Reason.TOO_LARGE),
    ],
    ids=shown,
)
def test_hostile_kid_is_refused(verifier: Verifier, kid: Any, reason: Reason) -> None:
    assert refused(verifier, compact({"alg": "RS256", "kid": kid}, claims())) is reason


@pytest.mark.parametrize("name", ["crit", "b64", "zip", "enc"], ids=shown)
@pytest.mark.parametrize(
    "value", [["exp"], ["b64"], [], "b64", None, ["x", "x"], 0, False, True, "false", "DEF", ["cnf"], {}], ids=shown
)
def test_header_that_changes_the_meaning_of_the_rest_is_refused(verifier: Verifier, name: str, value: Any) -> None:
    assert refused(verifier, compact({**HEADER, name: value}, claims())) is Reason.CRITICAL


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none","alg":"RS256","kid":"rsa"}',
        b'{"alg":"RS256","kid":"x","kid":"rsa"}',
        b'{"alg":"RS256","\\u0061lg":"RS256","kid":"rsa"}',
        b'\xef\xbb\xbf{"alg":"RS256","kid":"rsa"}',
        '{"alg":"RS256","kid":"rsa"}'.encode("utf-16"),
        '{"alg":"RS256","kid":"rsa"}'.encode("utf-32-le"),
        b'{"alg":"RS256","kid":"rsa","x":"\xe9"}',
        b'{"alg":"RS256","kid":"rsa","x":NaN}',
        b'{"alg":"RS256","kid":"rsa","x":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"alg":"RS256","kid":"rsa","x":' + b"9" * 500 + b"}",
        b'{"alg":"RS256","kid":"rsa"} x',
        b'{"alg":"RS256","kid":"rsa"',
        b"{'alg':'RS256'}",
        b'["RS256"]',
        b'"RS256"',
        b"null",
        b"",
        b"\x00",
    ],
    ids=shown,
)
def test_header_that_is_no_strict_json_object_is_refused(verifier: Verifier, header: bytes) -> None:
    assert refused(verifier, compact(header, claims())) in {Reason.HEADER, Reason.MALFORMED}


GOOD = json.dumps(claims())


@pytest.mark.parametrize(
    "payload",
    [
        payload_of('"exp":1,'),
        payload_of('"sub":"admin",'),
        payload_of('"aud":"x",'),
        payload_of('"iss":"x",'),
        payload_of('"\\u0073ub":"admin",'),
        payload_of('"x":{"a":1,"a":2},'),
        payload_of('"x":[{"a":1,"a":2}],'),
        payload_of('"x":NaN,'),
        payload_of('"x":Infinity,'),
        payload_of('"x":[-Infinity],'),
        payload_of('"x":1e999,'),
        payload_of('"x":' + "[" * 17 + "]" * 17 + ","),
        payload_of('"x":' + "[" * 2000 + "]" * 2000 + ","),
        payload_of('"x":' + '{"a":' * 500 + "1" + "}" * 500 + ","),
        payload_of('"x":' + "9" * 5000 + ","),
        payload_of('"x":-' + "9" * 21 + ","),
        payload_of('"sub2":"\\ud800",'),
        payload_of('"x":"\t",'),
        b"[" + GOOD.encode() + b"]",
        b'"' + b"x" * 8 + b'"',
        b"7",
        b"null",
        b"{}x",
        GOOD.encode() + b" {}",
        GOOD.encode() + b"// comment",
        GOOD.replace('"', "'").encode(),
        GOOD[:-1].encode() + b",}",
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode("utf-16"),
        GOOD.encode("utf-16-be"),
        GOOD.encode("utf-32"),
        b'{"x":"\xff",' + GOOD[1:].encode(),
        b'{"x":"\xed\xa0\x80",' + GOOD[1:].encode(),
    ],
    ids=shown,
)
def test_payload_that_is_no_strict_json_object_is_refused(verifier: Verifier, payload: bytes) -> None:
    assert refused(verifier, compact(HEADER, payload)) is Reason.PAYLOAD


@pytest.mark.parametrize("depth", [4, 15], ids=shown)
def test_nesting_that_real_tokens_have_is_accepted(verifier: Verifier, depth: int) -> None:
    deep = payload_of('"x":' + "[" * depth + "]" * depth + ',"y":' + json.dumps([{"roles": ["[{["]}] * 20) + ",")
    assert verifier.verify(compact(HEADER, deep)).subject == "svc-a"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"], ids=shown)
@pytest.mark.parametrize(
    "text",
    [
        '"1800003600"',
        '" 1800003600 "',
        '"9_999"',
        '"\u0661\u0668"',
        "true",
        "false",
        "null",
        "[]",
        "{}",
        "[1800003600]",
        "1e308",
        "-1",
        "9" * 20,
        "253402300800",
        '""',
        "-0.5",
    ],
    ids=shown,
)
def test_time_that_is_no_numeric_date_is_refused(verifier: Verifier, name: str, text: str) -> None:
    rest = json.dumps(claims(**{name: None}))
    token = compact(HEADER, f'{{"{name}":{text},{rest[1:]}'.encode())
    assert refused(verifier, token) is Reason.TIME


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 50], ids=shown)
def test_time_that_is_no_json_number_is_refused(verifier: Verifier, text: str) -> None:
    rest = json.dumps(claims(exp=None))
    assert refused(verifier, compact(HEADER, f'{{"exp":{text},{rest[1:]}'.encode())) is Reason.PAYLOAD


def test_missing_expiry_is_refused(verifier: Verifier) -> None:
    assert refused(verifier, mint(exp=None)) is Reason.MISSING_CLAIM


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": 0}, Reason.EXPIRED),
        ({"exp": int(NOW) - 31}, Reason.EXPIRED),
        ({"exp": NOW - 30}, Reason.EXPIRED),
        ({"nbf": int(NOW) + 31}, Reason.NOT_YET_VALID),
        ({"iat": int(NOW) + 31}, Reason.NOT_YET_VALID),
    ],
    ids=shown,
)
def test_token_out_of_its_time_is_refused(verifier: Verifier, changes: dict[str, Any], reason: Reason) -> None:
    assert refused(verifier, mint(**changes)) is reason


@pytest.mark.parametrize("changes", [{"exp": NOW - 29.5}, {"nbf": NOW + 30}, {"iat": NOW + 30}, {"exp": NOW + 0.25}], ids=shown)
def test_clocks_may_differ_by_the_leeway(verifier: Verifier, changes: dict[str, Any]) -> None:
    assert verifier.verify(mint(**changes)).subject == "svc-a"


@pytest.mark.parametrize(
    "text",
    [
        '"other"',
        '"order"',
        '"orders2"',
        '"xorders"',
        '"orders/"',
        '"Orders"',
        '" orders"',
        '"orders "',
        '""',
        "[]",
        "null",
        "1",
        "{}",
        "true",
        '["orders",null]',
        '["orders",1]',
        '[["orders"]]',
        '["other"]',
        '{"orders":1}',
        '"orders other"',
    ],
    ids=shown,
)
def test_token_for_somebody_else_is_refused(verifier: Verifier, text: str) -> None:
    rest = json.dumps(claims(aud=None))
    assert refused(verifier, compact(HEADER, f'{{"aud":{text},{rest[1:]}'.encode())) is Reason.AUDIENCE


def test_missing_audience_is_refused(verifier: Verifier) -> None:
    assert refused(verifier, mint(aud=None)) is Reason.AUDIENCE


@pytest.mark.parametrize(
    "text",
    [
        '"https://auth.test/"',
        '"HTTPS://auth.test"',
        '["https://auth.test"]',
        "{}",
        "null",
        '"https://auth.tes"',
        '"https://auth.test.evil"',
        '"https://evil@auth.test"',
        '""',
        "1",
        '"auth.test"',
        '"https://auth.test "',
    ],
    ids=shown,
)
def test_token_of_another_issuer_is_refused(verifier: Verifier, text: str) -> None:
    rest = json.dumps(claims(iss=None))
    assert refused(verifier, compact(HEADER, f'{{"iss":{text},{rest[1:]}'.encode())) is Reason.ISSUER


def test_missing_issuer_is_refused(verifier: Verifier) -> None:
    assert refused(verifier, mint(iss=None)) is Reason.ISSUER


@pytest.mark.parametrize("name", ["sub", "jti", "client_id"], ids=shown)
@pytest.mark.parametrize("value", [1, None, [], {}, True], ids=shown)
def test_identifier_that_is_no_string_is_refused(verifier: Verifier, name: str, value: Any) -> None:
    assert refused(verifier, compact(HEADER, {**claims(), name: value})) is Reason.CLAIM


@pytest.mark.parametrize("typ", ["dpop+jwt", "secevent+jwt", "logout+jwt", "client-authentication+jwt", "DPOP+JWT"], ids=shown)
def test_token_of_another_kind_is_refused(verifier: Verifier, typ: str) -> None:
    assert refused(verifier, mint(header={"typ": typ})) is Reason.TYPE


@pytest.mark.parametrize("typ", [1, None, ["JWT"], {}], ids=shown)
def test_type_that_is_no_string_is_refused(verifier: Verifier, typ: Any) -> None:
    assert refused(verifier, compact({**HEADER, "typ": typ}, claims())) is Reason.TYPE


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"], ids=shown)
def test_usual_types_are_accepted(verifier: Verifier, typ: str) -> None:
    assert verifier.verify(mint(header={"typ": typ})).subject == "svc-a"


@pytest.mark.parametrize("name", ["nonce", "at_hash", "c_hash"], ids=shown)
def test_id_token_is_refused(verifier: Verifier, name: str) -> None:
    assert refused(verifier, mint(**dict[str, Any]({name: "x"}))) is Reason.ID_TOKEN


@pytest.mark.parametrize("cnf", [{"x5t#S256": "x"}, {"jkt": "x"}, {}, "x", None], ids=shown)
def test_token_bound_to_a_key_that_cannot_be_checked_is_refused(verifier: Verifier, cnf: Any) -> None:
    assert refused(verifier, compact(HEADER, {**claims(), "cnf": cnf})) is Reason.BINDING


T = mint()
H, P, S = T.split(".")


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "....",
        H,
        f"{H}.{P}",
        f"{H}.{P}.",
        f"{H}..{S}",
        f".{P}.{S}",
        f"{T}.x",
        f"{H}.{P}.{S}.{P}.{S}",
        f" {T}",
        f"{T} ",
        f"{T}\n",
        f"\n{T}",
        f"{T}\0",
        f'"{T}"',
        f"{T},{T}",
        f"{T} {T}",
        f"{T}{T}",
        f"{T}\u00e9",
        f"{T}\ud800",
        f"{T}=",
        f"{H}=.{P}.{S}",
        f"{H}.{P}=.{S}",
        f"{H}.{P}.{S}==",
        f"{H}.{P}.+{S[1:]}",
        f"{H}.{P}./{S[1:]}",
        f"{H}.{P}.!!!!{S}",
        f"{H}.!!!!{P}.{S}",
        f"{H}.{P}.{S}AAA",
        f"{H}.{P}.AAAAA",
        json.dumps({"protected": H, "payload": P, "signature": S}),
        json.dumps({"payload": P, "signatures": [{"protected": H, "signature": S}]}),
        '{"payload":"a.b.c"}',
        "Bearer x",
        f"Bearer {T}",
    ],
    ids=shown,
)
def test_token_that_is_no_compact_jws_is_refused(verifier: Verifier, token: str) -> None:
    assert refused(verifier, token) is Reason.MALFORMED


@pytest.mark.parametrize("token", [None, 7, T.encode(), [T], {}, object(), True], ids=shown)
def test_token_that_is_no_string_is_refused(verifier: Verifier, token: Any) -> None:
    assert refused(verifier, token) is Reason.MALFORMED


@pytest.mark.parametrize("part", [0, 1], ids=shown)
def test_encoding_that_is_not_canonical_is_refused(verifier: Verifier, part: int) -> None:
    # The same bytes with stray bits set in the last character, under a signature over exactly this text.
    raw = [json.dumps(HEADER).encode(), json.dumps(claims()).encode()]
    while len(raw[part]) % 3 != 1:
        raw[part] += b" "
    parts = [b64u(raw[0]), b64u(raw[1])]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    parts[part] = parts[part][:-1] + alphabet[alphabet.index(parts[part][-1]) + 1]
    signed = ".".join(parts)
    token = f"{signed}.{b64u(signature(signed.encode(), private_key('rsa'), 'RS256'))}"
    assert refused(verifier, token) is (Reason.HEADER, Reason.PAYLOAD)[part]


@pytest.mark.parametrize("size", [8193, 65_536, 8_000_000], ids=shown)
def test_large_token_is_refused_unread(verifier: Verifier, size: int) -> None:
    assert refused(verifier, f"{H}.{'A' * size}.{S}") is Reason.TOO_LARGE
    assert refused(verifier, "A" * size) is Reason.TOO_LARGE


def test_large_header_is_refused_unread(verifier: Verifier) -> None:
    assert refused(verifier, compact({**HEADER, "x": "y" * 3000}, claims())) is Reason.TOO_LARGE


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize(
    ("r", "s"),
    [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
        (P256_ORDER, P256_ORDER),
        (P256_ORDER - 1, P256_ORDER - 1),
        (P256_ORDER, 1),
        (2**256 - 1, 2**256 - 1),
    ],
    ids=shown,
)
def test_psychic_ecdsa_signature_is_refused(verifier: Verifier, r: int, s: int) -> None:
    signed = ".".join(mint("p256", "ES256").split(".")[:2])
    assert refused(verifier, f"{signed}.{b64u(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}") is Reason.SIGNATURE


CHANGES: dict[str, Any] = {
    "short": lambda sig: sig[:-1],
    "long": lambda sig: sig + b"\0",
    "shifted": lambda sig: b"\0" + sig,
    "zero": lambda sig: bytes(len(sig)),
    "reversed": lambda sig: sig[::-1],
    "der": lambda sig: b"\x30\x44\x02\x20" + sig[:32] + b"\x02\x20" + sig[32:64],
    "huge": lambda sig: sig * (960 // len(sig)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("key", "alg"), [("p256", "ES256"), ("rsa", "RS256"), ("rsa", "PS256"), ("ed", "EdDSA")])
def test_signature_of_another_size_or_value_is_refused(verifier: Verifier, key: str, alg: str, change: str) -> None:
    signed = ".".join(mint(key, alg).split(".")[:2])
    good = signature(signed.encode(), private_key(key), alg)
    assert refused(verifier, f"{signed}.{b64u(CHANGES[change](good))}") is Reason.SIGNATURE


def test_oversized_signature_is_refused_unread(verifier: Verifier) -> None:
    assert refused(verifier, f"{H}.{P}.{'A' * 4000}") is Reason.TOO_LARGE


def test_every_bit_of_the_signed_text_counts(verifier: Verifier) -> None:
    other = b64u(json.dumps(claims(sub="admin")).encode())
    assert refused(verifier, f"{H}.{other}.{S}") is Reason.SIGNATURE


@pytest.mark.parametrize("missing", ["sub", "client_id", "iat", "jti", "exp"], ids=shown)
def test_profile_wants_every_claim_of_rfc9068(missing: str) -> None:
    strict = Verifier(ISSUER, AUDIENCE, keys=StaticKeys(jwks(jwk("rsa"))), profile="rfc9068", clock=FakeClock())
    assert strict.verify(mint(header={"typ": "at+jwt"})).client_id == "svc-a"
    assert refused(strict, mint(header={"typ": "at+jwt"}, **dict[str, Any]({missing: None}))) is Reason.MISSING_CLAIM


@pytest.mark.parametrize("typ", ["JWT", None, "dpop+jwt", "at+jwt2", "at", "application/jwt", "x/at+jwt", ""], ids=shown)
def test_profile_wants_the_type_of_an_access_token(typ: str | None) -> None:
    strict = Verifier(ISSUER, AUDIENCE, keys=StaticKeys(jwks(jwk("rsa"))), profile="rfc9068", clock=FakeClock())
    assert refused(strict, mint(header={"typ": typ})) is Reason.TYPE
