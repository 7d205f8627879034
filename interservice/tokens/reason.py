"""Why a token was refused: a closed set of words, safe in logs and metric names because nothing of the token is in them."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a token was not believed; `InvalidToken.reason` is one of these."""

    #: Not three base64url parts, or not a string at all.
    MALFORMED = "malformed"
    #: More bytes than are ever looked at.
    TOO_LARGE = "too_large"
    #: The header is no strict JSON object, or a member has the wrong form.
    HEADER = "header"
    #: The header asks for something that is not supported: `crit`, `b64`, `zip` or `enc`.
    CRITICAL = "critical"
    #: The algorithm is none of those allowed.
    ALGORITHM = "algorithm"
    #: The payload is no strict JSON object.
    PAYLOAD = "payload"
    #: `typ` says that this is another kind of token.
    TYPE = "type"
    #: An ID token, which speaks to its client and is no access token.
    ID_TOKEN = "id_token"  # noqa: S105 - a word for logs
    #: Issued by somebody else.
    ISSUER = "issuer"
    #: Meant for somebody else.
    AUDIENCE = "audience"
    #: Its time has passed.
    EXPIRED = "expired"
    #: Its time has not come.
    NOT_YET_VALID = "not_yet_valid"
    #: A time that is no number of seconds within the years 1970 to 9999.
    TIME = "time"
    #: Made to live for longer than is accepted.
    LIFETIME = "lifetime"
    #: A claim that must be there is not.
    MISSING_CLAIM = "missing_claim"
    #: A claim has the wrong type.
    CLAIM = "claim"
    #: Bound (`cnf`) to a certificate that was not shown, or to something that cannot be checked.
    BINDING = "binding"
    #: No usable key of the issuer fits the key id and the algorithm.
    UNKNOWN_KEY = "unknown_key"
    #: The signature was not made with the issuer's key.
    SIGNATURE = "signature"
    #: Its issuer says that it is not, or no longer, to be believed (RFC 7662).
    INACTIVE = "inactive"
    #: On the list of what was revoked.
    REVOKED = "revoked"
