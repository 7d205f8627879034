"""Key material that must not be trusted: weak RSA keys, and things that are no secret though somebody passes them as one."""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
#: ROCA (CVE-2017-15361): Infineon's moduli are powers of 65537 modulo each of these primes; a random modulus is so with chance
#: 2^-27.
_ROCA_PRIMES = (
    11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
)  # fmt: skip


def weak_rsa(n: int, e: int) -> str | None:
    """What makes an RSA public key unfit, or None."""
    bits = n.bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        return f"an RSA key of {bits} bits is not within {MIN_RSA_BITS} to {MAX_RSA_BITS}"
    if e < 3 or e % 2 == 0 or e.bit_length() > 64:  # noqa: PLR2004 - RFC 8017 section 3.1: odd, at least 3
        return "an RSA exponent that is not odd and at least 3"
    if n % 2 == 0 or _from_infineon(n):
        return "an RSA key with a known weakness"
    return None


def _from_infineon(n: int) -> bool:
    return all(n % prime in _powers(prime) for prime in _ROCA_PRIMES)


def _powers(prime: int) -> set[int]:
    """The subgroup that 65537 generates modulo a prime."""
    found, power = {1}, 65537 % prime
    while power not in found:
        found.add(power)
        power = power * 65537 % prime
    return found


def no_secret(secret: bytes) -> str | None:
    """What a would-be HMAC secret is instead (a public key in some wrapping: CVE-2022-29217 and its kin), or None."""
    for unwrapped in _unwrapped(secret):
        text = unwrapped.strip()
        if b"-----BEGIN" in text:
            return "a PEM block"
        if re.match(rb"(?:ssh-|ecdsa-sha2-|sk-)", text):
            return "an SSH key"
        if text.startswith((b"{", b"[")) and b'"kty"' in text:
            return "a JWK"
        if _is_der(unwrapped):
            return "a DER structure"
    return None


def _unwrapped(secret: bytes) -> Iterator[bytes]:
    """The bytes themselves, and what they are in base64, base64url and hexadecimal."""
    yield secret
    compact = b"".join(secret.split())
    padded = compact + b"=" * (-len(compact) % 4)
    for decode in (b64decode, urlsafe_b64decode):
        try:
            yield decode(padded)
        except (Base64Error, ValueError):
            continue
    if re.fullmatch(rb"(?:[0-9a-fA-F]{2})+", compact):
        yield bytes.fromhex(compact.decode())


def _is_der(raw: bytes) -> bool:
    """Whether the bytes are one ASN.1 SEQUENCE of exactly their length, as every DER key is."""
    if len(raw) < 8 or raw[0] != 0x30:  # noqa: PLR2004 - 0x30 is SEQUENCE
        return False
    if raw[1] < 0x80:  # noqa: PLR2004 - the short form of a length
        return len(raw) == raw[1] + 2
    size = raw[1] & 0x7F
    return 1 <= size <= 4 and len(raw) == int.from_bytes(raw[2 : 2 + size], "big") + 2 + size  # noqa: PLR2004
