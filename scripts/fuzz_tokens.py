"""Fuzzes what reads hostile text: tokens, the Authorization field, certificates in headers. `make fuzz SECONDS=600`.

Whatever comes in, a refusal comes out and nothing else: no other exception, no token believed that was not minted here, nothing
slower than a second. Coverage-guided by atheris; what it finds is written to a file whose path it prints, and is run again by
giving that path.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import atheris

with atheris.instrument_imports(include=["interservice.tokens", "interservice.inbound", "json"]):
    from interservice.errors import InvalidToken, Rejection
    from interservice.exchange import Exchange
    from interservice.http import Request
    from interservice.inbound import certificates
    from interservice.inbound.auth import JWTAuth
    from interservice.inbound.rules import Rule, Rules, ambiguous
    from interservice.tokens import Issuers, Reason, StaticKeys, Verifier
    from interservice.tokens.parser import decode_base64url, parse, read_object

from interservice.testing import FakeClock, Issuer

if TYPE_CHECKING:
    from collections.abc import Callable

CLOCK = FakeClock()
ISSUER = Issuer("https://auth.test", algorithms=["ES256", "EdDSA"], clock=CLOCK)
VERIFIER = Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks), clock=CLOCK)
SEVERAL = Issuers(VERIFIER, Verifier("https://other.test", "orders", keys=StaticKeys(ISSUER.jwks), clock=CLOCK))
AUTH = JWTAuth(VERIFIER, rules=[Rule("*", "/**")])
RULES = Rules([Rule("GET", "/a/{b}/c"), Rule("*", "/open/**", public=True), Rule("*", "/**", roles=["x"])])
MINTED = frozenset(ISSUER.mint(sub="svc-a", aud="orders", alg=alg) for alg in ("ES256", "EdDSA"))
#: ECDSA signatures have a twin, which is as good; what was signed is what counts.
SIGNED = frozenset(token.rpartition(".")[0] for token in MINTED)


class Fields:
    """One Authorization field."""

    def __init__(self, value: str) -> None:
        self.value = value

    def get(self, name: str) -> str | None:
        """As joined."""
        return self.value if name == "authorization" else None

    def all(self, name: str) -> list[str]:
        """Each."""
        return [self.value] if name == "authorization" else []

    def items(self) -> list[tuple[str, str]]:
        """All of them."""
        return [("authorization", self.value)]


def token(text: str) -> None:
    """Any text as a token."""
    for look in (parse, VERIFIER.verify, SEVERAL.verify):
        try:
            look(text)
        except InvalidToken as refusal:
            Reason(refusal.reason)
        else:
            assert look is parse or text.rpartition(".")[0] in SIGNED


def parts(data: Any) -> None:
    """Any bytes as header and payload of a token of the right form."""
    header = data.ConsumeBytes(data.ConsumeIntInRange(0, 300))
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, data.ConsumeBytes(2000), b"x" * 64)]
    token(".".join(encoded))


def authorization(text: str) -> None:
    """Any text as an Authorization field."""
    exchange = Exchange(Request("GET", "/x", Fields(text)), 0.0, "orders", CLOCK)
    refused = None
    try:
        AUTH.prepare(exchange)
        AUTH.admit(exchange)
    except Rejection as refusal:
        refused = refusal
    if refused is None:
        assert exchange.token is not None
        assert exchange.token.rpartition(".")[0] in SIGNED
    else:
        assert refused.status in {400, 401}
        assert all(value.isprintable() and value.isascii() for _, value in refused.headers)


def certificate(text: str) -> None:
    """Any text as what servers and proxies say of a certificate."""
    readers: tuple[Callable[[str], str], ...] = (
        certificates.shown, certificates.client_cert, certificates.escaped_pem, certificates.forwarded_client_cert,
    )  # fmt: skip
    for read in readers:
        with contextlib.suppress(ValueError):
            assert len(read(text)) == len(base64.urlsafe_b64encode(hashlib.sha256().digest()).rstrip(b"="))


def small(data: Any) -> None:
    """Any bytes as JSON, as base64url and as a path."""
    raw = data.ConsumeBytes(4000)
    with contextlib.suppress(ValueError, RecursionError):
        assert isinstance(read_object(raw), dict)
    text = raw.decode("latin-1")
    with contextlib.suppress(ValueError):
        decoded = decode_base64url(text)
        assert base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() == text
    if not ambiguous(text):
        RULES.match("GET", text)


def one_input(raw: bytes) -> None:
    """Called by the fuzzer: the first byte says what the rest is."""
    data = atheris.FuzzedDataProvider(raw)
    kind = data.ConsumeIntInRange(0, 4)
    if kind == 0:
        parts(data)
    elif kind == 1:
        small(data)
    else:
        (token, authorization, certificate)[kind - 2](data.ConsumeUnicode(9000))


def seeds(folder: Path) -> None:
    """Good inputs to begin with."""
    for number, text in enumerate([*MINTED, *(f"Bearer {each}" for each in MINTED), "Hash=" + "0" * 64, ":MII=:"]):
        # The provider takes numbers from the end of the input.
        for kind in range(5):
            (folder / f"{number}-{kind}").write_bytes(b"\x01" + text.encode() + bytes([kind]))


def main() -> None:
    """Fuzz for some time."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=int, default=60, help="how long (60)")
    options.add_argument("--corpus", type=Path, help="a folder to keep what was found interesting in")
    options.add_argument("inputs", nargs="*", help="files to run again instead")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seeds(Path(folder))
        if given.corpus is not None:
            given.corpus.mkdir(parents=True, exist_ok=True)
        places = given.inputs or [*([str(given.corpus)] if given.corpus else []), folder]
        limits = ["-max_len=10000", "-timeout=1", "-print_final_stats=1"]
        time = [] if given.inputs else [f"-max_total_time={given.seconds}"]
        atheris.Setup([sys.argv[0], *limits, *time, *places], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
