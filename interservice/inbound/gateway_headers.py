"""The header fields in which a gateway tells the services behind it who asks, as `forward_auth` found out.

A client may send any of them; only `IDENTITY`, which the gateway signs, is ever believed. Lower case, as looked up.
"""

from __future__ import annotations

from typing import Final

#: Signed by the gateway (a short-lived JWT): what `GatewayIdentity` verifies.
IDENTITY: Final = "x-auth-identity"
#: For people and logs: the same facts in the clear, to be believed by nobody.
SUBJECT: Final = "x-auth-subject"
CLIENT_ID: Final = "x-auth-client-id"
SCOPES: Final = "x-auth-scopes"
ISSUER: Final = "x-auth-issuer"
#: The version that the gate negotiated, for the gateway to route by.
VERSION: Final = "x-auth-version"

#: Whatever begins so, in this or the underscore spelling, a gateway takes off what clients send.
PREFIX: Final = "x-auth-"
ALL: Final = (IDENTITY, SUBJECT, CLIENT_ID, SCOPES, ISSUER, VERSION)
