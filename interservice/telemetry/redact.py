"""What must not be written: values of query parameters, fields and headers whose names say that they are secrets.

Names compare without case and percent-encoding; the name is kept and the value becomes REDACTED, as OpenTelemetry's `url.query`
asks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from interservice.options import strings

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED = "REDACTED"

#: Whole names: OpenTelemetry's list for `url.query` (semantic conventions 1.44) and OAuth's parameters.
_NAMES = frozenset({
    "awsaccesskeyid", "signature", "sig", "x-amz-signature", "x-amz-credential", "x-amz-security-token", "x-goog-signature",
    "code",
    "assertion", "client_assertion", "authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key", "auth", "key",
    "pin", "otp",
    "session", "sessionid", "session_id", "sid",
})  # fmt: skip
#: Secrets in a query, where OAuth and signed URLs put them, and common words elsewhere.
_QUERY_ONLY = frozenset({"code", "key", "auth", "sig", "pin", "session"})
#: Ends of names: access_token, user[password], clientSecret.
_ENDS = ("token", "secret", "password", "passwd", "pwd", "passphrase", "apikey", "api_key", "api-key", "privatekey",
         "private_key", "private-key", "credential", "credentials", "jwt", "signature")  # fmt: skip
#: Distinct parameter names whose judgement is remembered; clients choose names, so the number is bounded.
_REMEMBERED = 1024

#: Headers whose values are never logged, whatever the options say.
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})

_IN_TEXT = re.compile(
    r"(?P<jwt>\beyJ[\w-]{8,}\.[\w-]*\.?[\w-]*)"
    r"|(?P<scheme>\b(?:bearer|basic|dpop)\s+)[\w.~+/=-]{6,}"
    r"|(?P<userinfo>(?<=://)[^/\s@:]*:[^/\s@]*@)"
    r"|(?P<param>(?:token|secret|password|passwd|api_?key|signature)[\"']?\s{0,8}[=:]\s{0,8}[\"']?)[^\s&\"',;]+",
    re.IGNORECASE,
)


class Secrets:
    """Which names are secrets.

    Args:
        names: Further names, besides the usual ones.
        option: What the names are called in a ConfigurationError.
    """

    __slots__ = ("_fields", "_judged", "_names")

    def __init__(self, names: Iterable[str] = (), *, option: str = "AccessLog.redact") -> None:
        more = frozenset(name.lower() for name in strings(option, names))
        self._names = _NAMES | more
        self._fields = (_NAMES - _QUERY_ONLY) | more
        self._judged: dict[str, bool] = {}

    def hides(self, name: str) -> bool:
        """Whether a field called `name` holds a secret."""
        name = name.lower()
        return name in self._fields or name.endswith(_ENDS)

    def query(self, query: str) -> str:
        """A query string (RFC 3986 section 3.4, without "?") with the values of secret parameters replaced."""
        judged = self._judged
        parts = re.split("([&;])", query) if ";" in query else query.split("&")
        hidden = False
        for position, part in enumerate(parts):
            name, equals, _ = part.partition("=")
            hides = judged.get(name)
            if hides is None:
                hides = self._judge(name)
            if hides and equals:
                parts[position] = f"{name}={REDACTED}"
                hidden = True
        return query if not hidden else ("" if ";" in query else "&").join(parts)

    def _judge(self, name: str) -> bool:
        plain = unquote_plus(name).strip().rstrip("]").lower()
        hides = plain in self._names or plain.endswith(_ENDS)
        if len(self._judged) < _REMEMBERED and len(name) < _REMEMBERED:
            self._judged[name] = hides
        return hides


def redact_text(text: str) -> str:
    """Free text, such as an exception's message, without JWTs, credentials of headers and URLs, and secret parameters."""
    return _IN_TEXT.sub(_replace, text)


def _replace(match: re.Match[str]) -> str:
    if match.lastgroup == "userinfo":
        return REDACTED + "@"
    return (match["scheme"] or match["param"] or "") + REDACTED
