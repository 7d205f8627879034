"""The fields in which a gateway tells the services who asks.

Values come out of tokens: each is made visible ASCII in a way that no two values share, so that it can neither end a header nor
be taken for another one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from interservice.inbound.gateway_headers import CLIENT_ID, IDENTITY, ISSUER, SCOPES, SUBJECT, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interservice.exchange import Exchange

    from .identity import Signer

#: Visible ASCII but "%", which escapes, and ",", by which fields that came twice are joined.
_PLAIN: Final = "!\"#$&'()*+-./:;<=>?@[\\]^_`{|}~"
_IS_PLAIN = re.compile(r"[!-$&-+\-.-~]*", re.ASCII)
#: A longer value is left out: headers have room for the signed one.
_MAX_VALUE = 2048


def identity_fields(exchange: Exchange, signer: Signer | None = None) -> list[tuple[str, str]]:
    """What the services are told of an exchange that the gate has let through.

    Args:
        exchange: It.
        signer: Signs the identity; without one there is nothing that a service could believe.
    """
    fields = [(_title(name), value) for name, value in _plain(exchange) if 0 < len(value) <= _MAX_VALUE]
    if signer is not None:
        fields.append((_title(IDENTITY), signer.sign(exchange)))
    return fields


def plain(value: str) -> str:
    """A value as these fields have it: percent-encoded UTF-8 but for visible ASCII without "%" and ","."""
    # Nearly always it is plain as it is, and a pattern knows that sooner.
    return value if _IS_PLAIN.fullmatch(value) else quote(value, safe=_PLAIN, errors="surrogatepass")


def _plain(exchange: Exchange) -> Iterator[tuple[str, str]]:
    principal = exchange.principal
    if principal is not None:
        yield SUBJECT, plain(principal.subject or "")
        yield CLIENT_ID, plain(principal.client_id or "")
        yield SCOPES, " ".join(plain(scope) for scope in sorted(principal.scopes))
        yield ISSUER, plain(principal.issuer)
    if exchange.version is not None:
        yield VERSION, plain(str(exchange.version))


def _title(name: str) -> str:
    return name.title()
