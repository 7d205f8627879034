"""A client's certificate, read from what servers and proxies write: strict, pure and total.

Every reader gives the SHA-256 thumbprint by which tokens are bound (`x5t#S256`, RFC 8705 section 3.1), or raises ValueError and
nothing else. Whether the writer is to be believed is not decided here.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Longer values are not looked at; a chain of large certificates, percent-encoded, is shorter.
MAX_FIELD = 65536
#: RFC 8941 section 3.3.5, as RFC 9440 section 2.2 uses it.
_BYTE_SEQUENCE = re.compile(r":([A-Za-z0-9+/]+={0,2}):", re.ASCII)
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----", re.ASCII)
_ESCAPED = re.compile(r"(?:[A-Za-z0-9\-._~+/=:*!'()]|%[0-9A-Fa-f]{2})+", re.ASCII)
_SPACE = re.compile(rb"\s+", re.ASCII)
#: A pair of an element of x-forwarded-client-cert and what follows it; in quotes, a quote is escaped by a backslash.
_PAIR = re.compile(r'([A-Za-z]{1,32})=(?:"((?:[^"\\]|\\.)*)"|([^",;=\\]*))([,;]|$)', re.DOTALL)
_SHA256_HEX = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
#: The least a certificate is: a DER sequence whose length takes two bytes.
_DER_SEQUENCE = b"\x30\x82"


def thumbprint(der: bytes) -> str:
    """The thumbprint of a certificate: base64url of the SHA-256 of its DER encoding (RFC 8705 section 3.1)."""
    if not der.startswith(_DER_SEQUENCE):
        raise ValueError("not a certificate")
    return _encoded(sha256(der).digest())


def shown(certificate: bytes | str) -> str:
    """Of a certificate as a server gives it: PEM as text, DER as bytes."""
    return (
        thumbprint(certificate) if isinstance(certificate, bytes) else thumbprint(_der(certificate.encode("latin-1", "replace")))
    )


def client_cert(value: str) -> str:
    """Of the `Client-Cert` field (RFC 9440): one byte sequence."""
    match = _BYTE_SEQUENCE.fullmatch(value) if len(value) <= MAX_FIELD else None
    if match is None:
        raise ValueError("not one byte sequence")
    return thumbprint(a2b_base64(match[1], strict_mode=True))


def escaped_pem(value: str) -> str:
    """Of percent-encoded PEM: NGINX's `$ssl_client_escaped_cert`, and what Amazon's load balancer sends."""
    if len(value) > MAX_FIELD or _ESCAPED.fullmatch(value) is None:
        raise ValueError("not percent-encoded PEM")
    return thumbprint(_der(unquote_to_bytes(value)))


def forwarded_client_cert(value: str, *, several: bool = False) -> str:
    """Of Envoy's `x-forwarded-client-cert`: its one element; of `several`, the last, which the nearest proxy wrote."""
    elements = list(_elements(value))
    if len(elements) != 1 and not several:
        raise ValueError("more than one element")
    element = elements[-1]
    digest, pem = element.get("hash"), element.get("cert")
    if digest is None:
        if pem is None:
            raise ValueError("an element without Hash and Cert")
        return escaped_pem(pem)
    if _SHA256_HEX.fullmatch(digest) is None:
        raise ValueError("not a SHA-256 hash")
    found = _encoded(bytes.fromhex(digest))
    if pem is not None and escaped_pem(pem) != found:
        raise ValueError("Hash and Cert are of different certificates")
    return found


def _elements(value: str) -> Iterator[dict[str, str]]:
    """Each element's pairs, keys in lower case. What identifies a certificate stands once; names (URI, DNS, By) may repeat."""
    if len(value) > MAX_FIELD:
        raise ValueError("too long")
    position, element = 0, dict[str, str]()
    while True:
        match = _PAIR.match(value, position)
        if match is None:
            raise ValueError("not key=value pairs")
        key = match[1].lower()
        if key in element and key in {"hash", "cert"}:
            raise ValueError(f"{key} occurs twice")
        element[key] = match[3] if match[2] is None else match[2].replace('\\"', '"')
        position = match.end()
        if match[4] != ";":
            yield element
            element = {}
        if not match[4]:
            return
        while match[4] == "," and value[position : position + 1] == " ":
            position += 1


def _der(pem: bytes) -> bytes:
    match = _PEM.fullmatch(pem.strip())
    if match is None:
        raise ValueError("not one PEM certificate")
    return a2b_base64(_SPACE.sub(b"", match[1]), strict_mode=True)


def _encoded(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
