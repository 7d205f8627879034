"""The attacks on a token, by class: what is sent, and the reasons for which it must be refused.

`CLASSES` is data for tests of the verifier, for tests of every binding, and for docs/threats.md. Each attack is one token that is
good but for what its class is about.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from interservice.tokens import Reason

from .minting import NOW, b64u, claims, compact, jwk, mint, payload_of, private_key, signature

HEADER = {"alg": "RS256", "kid": "rsa"}
GOOD = json.dumps(claims())
T = mint()
H, P, S = T.split(".")


class AttackClass(NamedTuple):
    """Attacks of one kind.

    Attributes:
        title: As docs/threats.md has it.
        tokens: What is sent.
        reasons: Every token is refused for one of these.
    """

    title: str
    tokens: tuple[str, ...]
    reasons: frozenset[Reason]


def _class(title: str, tokens: Iterable[str], *reasons: Reason) -> AttackClass:
    return AttackClass(title, tuple(tokens), frozenset(reasons))


def _claim(name: str, text: str) -> str:
    """A token whose claim `name` is this JSON."""
    return compact(HEADER, f'{{"{name}":{text},{json.dumps(claims(**{name: None}))[1:]}'.encode())


def _unsigned() -> Iterable[str]:
    for alg in ("none", "RS256"):
        head = ".".join(compact({"alg": alg, "kid": "rsa"}, claims()).split(".")[:2])
        yield from (head, f"{head}.", f"{head}.AA")


ALGORITHMS: list[Any] = [
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
]


def _confused() -> Iterable[str]:
    """HMAC with what everybody knows as its key."""
    rsa = private_key("rsa").public_key()
    pem = rsa.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secrets = [
        pem,
        pem.strip(),
        rsa.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        rsa.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        rsa.public_bytes(Encoding.DER, PublicFormat.PKCS1),
        rsa.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        json.dumps(jwk("rsa")).encode(),
        json.dumps({"keys": [jwk("rsa")]}, separators=(",", ":")).encode(),
        jwk("rsa")["n"].encode(),
        jwk("p256")["x"].encode(),
        jwk("ed")["x"].encode(),
        b"rsa",
        b"",
    ]
    for alg in ("HS256", "HS512"):
        signed = ".".join(compact({"alg": alg, "kid": "rsa"}, claims()).split(".")[:2])
        yield from (f"{signed}.{b64u(_hmac(signed, secret, alg))}" for secret in secrets)


def _hmac(signed: str, secret: bytes, alg: str) -> bytes:

    return hmac.digest(secret, signed.encode(), {"HS256": "sha256", "HS512": "sha512"}[alg])


OTHERS = [
    ("rsa", "PS256", "RS256"), ("rsa", "RS256", "PS256"), ("rsa", "RS512", "RS256"), ("p384", "ES384", "ES256"),
    ("ed", "EdDSA", "RS256"), ("p256", "ES256", "EdDSA"), ("ed", "EdDSA", "ES256"), ("rsa", "RS256", "ES256"),
]  # fmt: skip
MATERIAL: list[dict[str, Any]] = [
    {"jwk": jwk("rsa2")},
    {"jwk": {"kty": "oct", "k": "AAAA"}},
    {"jku": "http://127.0.0.1:9/jwks"},
    {"jku": "file:///etc/passwd"},
    {"x5u": "https://evil.test/cert"},
    {"x5c": ["junk"]},
    {"x5c": 7},
]
KIDS: list[Any] = [
    "../../etc/passwd", "' OR 1=1 --", "{0.__class__}%s", "RSA", "rsa ", "rsa\0", "rsa\r\nX: y", "r\u015ba", "", 0, None, ["rsa"],
    {"kid": "rsa"}, "k" * 257, "k" * 100_000,
]  # fmt: skip
CRITICAL: list[Any] = [["exp"], ["b64"], [], "b64", None, ["x", "x"], 0, False, True, "false", "DEF", ["cnf"], {}]
HEADERS = [
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
]
TWICE = [
    '"exp":1,',
    '"sub":"admin",',
    '"aud":"x",',
    '"iss":"x",',
    '"\\u0073ub":"admin",',
    '"x":{"a":1,"a":2},',
    '"x":[{"a":1,"a":2}],',
]
NUMBERS = [
    '"x":NaN,', '"x":Infinity,', '"x":[-Infinity],', '"x":1e999,', '"x":' + "9" * 5000 + ",", '"x":-' + "9" * 21 + ",",
]  # fmt: skip
DEEP = [
    '"x":' + "[" * 17 + "]" * 17 + ",", '"x":' + "[" * 2000 + "]" * 2000 + ",", '"x":' + '{"a":' * 500 + "1" + "}" * 500 + ",",
]  # fmt: skip
PAYLOADS = [
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
]
TIMES = [
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
]
NO_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 50]
OUT_OF_TIME: list[dict[str, Any]] = [
    {"exp": 0}, {"exp": int(NOW) - 31}, {"exp": NOW - 30}, {"nbf": int(NOW) + 31}, {"iat": int(NOW) + 31},
]  # fmt: skip
AUDIENCES = [
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
]
ISSUERS = [
    '"https://auth.test/"', '"HTTPS://auth.test"', '["https://auth.test"]', "{}", "null", '"https://auth.tes"',
    '"https://auth.test.evil"', '"https://evil@auth.test"', '""', "1", '"auth.test"', '"https://auth.test "',
]  # fmt: skip
CONFIRMATIONS: list[Any] = [{"x5t#S256": "x"}, {"x5t#S256": b64u(bytes(32))}, {"jkt": "x"}, {}, "x", None]
NO_STRINGS: list[Any] = [1, None, [], {}, True]
KINDS = ["dpop+jwt", "secevent+jwt", "logout+jwt", "client-authentication+jwt", "DPOP+JWT"]
NO_TYPES: list[Any] = [1, None, ["JWT"], {}]
SHAPES = [
    "", ".", "..", "...", "....", H, f"{H}.{P}", f"{H}.{P}.", f"{H}..{S}", f".{P}.{S}", f"{T}.x", f"{H}.{P}.{S}.{P}.{S}", f" {T}",
    f"{T} ", f"{T}\n", f"\n{T}", f"{T}\0", f'"{T}"', f"{T},{T}", f"{T} {T}", f"{T}{T}", f"{T}\u00e9", f"{T}\ud800",
    json.dumps({"protected": H, "payload": P, "signature": S}),
    json.dumps({"payload": P, "signatures": [{"protected": H, "signature": S}]}),
    '{"payload":"a.b.c"}', "Bearer x", f"Bearer {T}",
]  # fmt: skip
ENCODINGS = [
    f"{T}=", f"{H}=.{P}.{S}", f"{H}.{P}=.{S}", f"{H}.{P}.{S}==", f"{H}.{P}.+{S[1:]}", f"{H}.{P}./{S[1:]}", f"{H}.{P}.!!!!{S}",
    f"{H}.!!!!{P}.{S}", f"{H}.{P}.{S}AAA", f"{H}.{P}.AAAAA",
]  # fmt: skip
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _stray_bits(part: int) -> str:
    """The same bytes with stray bits set in a part's last character, under a signature over exactly this text."""
    raw = [json.dumps(HEADER).encode(), json.dumps(claims()).encode()]
    while len(raw[part]) % 3 != 1:
        raw[part] += b" "
    parts = [b64u(raw[0]), b64u(raw[1])]
    parts[part] = parts[part][:-1] + _ALPHABET[_ALPHABET.index(parts[part][-1]) + 1]
    signed = ".".join(parts)
    return f"{signed}.{b64u(signature(signed.encode(), private_key('rsa'), 'RS256'))}"


LARGE = [
    *(f"{H}.{'A' * size}.{S}" for size in (8193, 65_536, 8_000_000)),
    "A" * 8193,
    compact({**HEADER, "x": "y" * 3000}, claims()),
    f"{H}.{P}.{'A' * 4000}",
]
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
POINTS = [
    (0, 0), (0, 1), (1, 0), (1, 1), (_ORDER, _ORDER), (_ORDER - 1, _ORDER - 1), (_ORDER, 1), (2**256 - 1, 2**256 - 1),
]  # fmt: skip
CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "short": lambda sig: sig[:-1],
    "long": lambda sig: sig + b"\0",
    "shifted": lambda sig: b"\0" + sig,
    "zero": lambda sig: bytes(len(sig)),
    "reversed": lambda sig: sig[::-1],
    "der": lambda sig: b"\x30\x44\x02\x20" + sig[:32] + b"\x02\x20" + sig[32:64],
    "huge": lambda sig: sig * (960 // len(sig)),
}


def _signatures() -> Iterable[str]:
    signed = ".".join(mint("p256", "ES256").split(".")[:2])
    for r, s in POINTS:
        yield f"{signed}.{b64u(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
    for key, alg in (("p256", "ES256"), ("rsa", "RS256"), ("rsa", "PS256"), ("ed", "EdDSA")):
        signed = ".".join(mint(key, alg).split(".")[:2])
        good = signature(signed.encode(), private_key(key), alg)
        yield from (f"{signed}.{b64u(change(good))}" for change in CHANGES.values())


def _somebody_elses() -> Iterable[str]:
    for key, alg in (("rsa2", "RS256"), ("p256b", "ES256"), ("ed2", "EdDSA")):
        yield compact({"alg": alg, "kid": key[:-1]}, claims(), private_key(key), alg)
    yield f"{H}.{b64u(json.dumps(claims(sub='admin')).encode())}.{S}"


CLASSES = (
    _class("Algorithm `none`, or any that is not allowed", (compact({"alg": alg, "kid": "rsa"}, claims()) for alg in ALGORITHMS),
           Reason.ALGORITHM),
    _class("Missing algorithm", [compact({"kid": "rsa"}, claims())], Reason.ALGORITHM),
    _class("No signature", _unsigned(), Reason.MALFORMED, Reason.ALGORITHM, Reason.SIGNATURE),
    _class("Public key used as HMAC secret", _confused(), Reason.ALGORITHM),
    _class("Algorithm of the header is not that of the signature, or of the key",
           (compact({"alg": says, "kid": key}, claims(), private_key(key), alg) for key, alg, says in OTHERS),
           Reason.SIGNATURE, Reason.UNKNOWN_KEY),
    _class("Signed by somebody else, or changed after signing", _somebody_elses(), Reason.SIGNATURE),
    _class("Key material in the header (`jwk`, `jku`, `x5u`, `x5c`)",
           (compact({**HEADER, **members}, claims(), private_key("rsa2")) for members in MATERIAL), Reason.SIGNATURE),
    _class("Hostile key id: paths, SQL, NUL, line breaks, other types, 100 kB",
           (compact({"alg": "RS256", "kid": kid}, claims()) for kid in KIDS),
           Reason.UNKNOWN_KEY, Reason.HEADER, Reason.TOO_LARGE),
    _class("`crit`, `b64`, `zip`, `enc` in the header",
           (compact({**HEADER, name: value}, claims()) for name in ("crit", "b64", "zip", "enc") for value in CRITICAL),
           Reason.CRITICAL),
    _class("Header that is no strict JSON object", (compact(header, claims()) for header in HEADERS),
           Reason.HEADER, Reason.MALFORMED),
    _class("Member that occurs twice", (compact(HEADER, payload_of(text)) for text in TWICE), Reason.PAYLOAD),
    _class("Number out of range, `NaN`, `Infinity`", (compact(HEADER, payload_of(text)) for text in NUMBERS), Reason.PAYLOAD),
    _class("Nested too deeply", (compact(HEADER, payload_of(text)) for text in DEEP), Reason.PAYLOAD),
    _class("Payload that is no strict JSON object, or not UTF-8", (compact(HEADER, payload) for payload in PAYLOADS),
           Reason.PAYLOAD),
    _class("Time that is no number of seconds",
           (_claim(name, text) for name in ("exp", "nbf", "iat") for text in (*TIMES, *NO_NUMBERS)),
           Reason.TIME, Reason.PAYLOAD),
    _class("Expired, or not yet valid", (mint(**changes) for changes in OUT_OF_TIME), Reason.EXPIRED, Reason.NOT_YET_VALID),
    _class("No expiry", [mint(exp=None)], Reason.MISSING_CLAIM),
    _class("Meant for somebody else: other, similar, missing or malformed `aud`",
           [*(_claim("aud", text) for text in AUDIENCES), mint(aud=None)], Reason.AUDIENCE),
    _class("Another issuer: other, similar, missing or malformed `iss`",
           [*(_claim("iss", text) for text in ISSUERS), mint(iss=None)], Reason.ISSUER),
    _class("`sub`, `jti`, `client_id` that is no string",
           (compact(HEADER, {**claims(), name: value}) for name in ("sub", "jti", "client_id") for value in NO_STRINGS),
           Reason.CLAIM),
    _class("Another kind of token, by its `typ`",
           [
               *(mint(header={"typ": typ}) for typ in KINDS),
               *(compact({**HEADER, "typ": typ}, claims()) for typ in NO_TYPES),
           ], Reason.TYPE),
    _class("ID token used as access token", (mint(**dict[str, Any]({name: "x"})) for name in ("nonce", "at_hash", "c_hash")),
           Reason.ID_TOKEN),
    _class("Bound to a key or certificate (`cnf`) that was not shown",
           (compact(HEADER, {**claims(), "cnf": cnf}) for cnf in CONFIRMATIONS), Reason.BINDING),
    _class("No compact JWS: too few or too many parts, JWE, JSON, spaces, NUL", SHAPES, Reason.MALFORMED),
    _class("Encoding that is not canonical base64url", [*ENCODINGS, _stray_bits(0), _stray_bits(1)],
           Reason.MALFORMED, Reason.HEADER, Reason.PAYLOAD),
    _class("Too large", LARGE, Reason.TOO_LARGE),
    _class("Signature of impossible value or size", _signatures(), Reason.SIGNATURE),
)  # fmt: skip
