"""What was revoked, as a list that knows no network: single tokens, and all tokens of a subject or a client up to a moment.

A token is known by its issuer and `jti`, never by its text: signatures can be rewritten without breaking them, so that one token
has many texts. What reaches past a token's own life is forgotten.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from .parser import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .principal import Principal

Kind: TypeAlias = Literal["token", "subject", "client"]
_KINDS = ("token", "subject", "client")
_Name: TypeAlias = "tuple[str, str]"


class Revocation(NamedTuple):
    """One entry of the list.

    Attributes:
        kind: Whether one token, all of a subject or all of a client are meant.
        issuer: Whose tokens: their `iss`.
        name: The token's `jti`, the `sub`, or the client's id.
        before: For subjects and clients: tokens issued (`iat`) before this are meant; seconds since the epoch.
        until: When every token that is meant has expired; seconds since the epoch.
    """

    kind: Kind
    issuer: str
    name: str
    before: float
    until: float

    def text(self) -> str:
        """The entry as JSON."""
        return json.dumps(self._asdict())

    @classmethod
    def read(cls, raw: bytes) -> Revocation:
        """The entry in a JSON text.

        Raises:
            ValueError: There is none.
        """
        members = read_object(raw)
        kind, issuer, name = members.get("kind"), members.get("issuer"), members.get("name")
        if kind not in _KINDS or not isinstance(issuer, str) or not isinstance(name, str):
            raise ValueError("no revocation")
        return cls(kind, issuer, name, _moment(members, "before"), _moment(members, "until"))


class RevocationList:
    """All entries that still matter, for look-ups that cost the same for one and for a million. One thread at a time may add."""

    __slots__ = ("_clients", "_subjects", "_tokens")

    def __init__(self) -> None:
        self._tokens: dict[_Name, float] = {}
        self._subjects: dict[_Name, tuple[float, float]] = {}
        self._clients: dict[_Name, tuple[float, float]] = {}

    def add(self, entry: Revocation) -> None:
        """Add an entry; what is there is never weakened by it."""
        name = entry.issuer, entry.name
        if entry.kind == "token":
            self._tokens[name] = max(entry.until, self._tokens.get(name, -math.inf))
            return
        group = self._subjects if entry.kind == "subject" else self._clients
        before, until = group.get(name, (-math.inf, -math.inf))
        group[name] = max(entry.before, before), max(entry.until, until)

    def covers(self, principal: Principal) -> bool:
        """Whether the token behind `principal` was revoked. One that does not say when it was issued counts as issued before."""
        issuer, token_id = principal.issuer, principal.token_id
        if token_id is not None and (issuer, token_id) in self._tokens:
            return True
        return (bool(self._subjects) and _issued_before(principal, self._subjects.get((issuer, principal.subject or "")))) or (
            bool(self._clients) and _issued_before(principal, self._clients.get((issuer, principal.client_id or "")))
        )

    def prune(self, now: float) -> None:
        """Forget what no living token can be meant by; `now` in seconds since the epoch."""
        for name, until in list(self._tokens.items()):
            if until < now:
                self._tokens.pop(name, None)
        for group in (self._subjects, self._clients):
            for name, (_, until) in list(group.items()):
                if until < now:
                    group.pop(name, None)

    def __len__(self) -> int:
        return len(self._tokens) + len(self._subjects) + len(self._clients)


def _issued_before(principal: Principal, entry: tuple[float, float] | None) -> bool:
    if entry is None:
        return False
    issued: float = principal.claims.get("iat", -math.inf)
    return issued < entry[0]


def _moment(members: Mapping[str, Any], name: str) -> float:
    value = members.get(name)
    if type(value) is int or type(value) is float:
        return float(value)
    raise ValueError(f"no {name}")
