"""Tokens, and what is asked with them: the table over which everything that decides must agree."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from interservice.testing import Issuer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.servers.edges import Answered

Fields = list[tuple[str, str]]


class Asked(NamedTuple):
    """One request, without its token."""

    method: str
    target: str
    headers: Fields = []  # noqa: RUF012 - never changed

    @property
    def name(self) -> str:
        """For the table."""
        return " ".join([self.method, self.target, *(f"[{name}: {value}]" for name, value in self.headers)])


class Verdict(NamedTuple):
    """What became of it."""

    status: int
    code: str | None

    def __str__(self) -> str:
        return f"{self.status} {self.code or ''}".strip()


ALL = "users:read orders:read orders:write"
PREFLIGHT = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "PUT")]
_METHODS = ("GET", "POST", "HEAD", "OPTIONS")
_TARGETS = ("/users/public/x", "/users/7", "/users/admin/x", "/orders", "/orders/7", "/orders/7/lines?x=1", "/nothing")
#: A plain request for each thing that versions and paths can do.
_PLAIN = (
    Asked("GET", "/v1/orders/7"),
    Asked("GET", "/v2/orders/7"),
    Asked("GET", "/v2.0/orders/7"),
    Asked("GET", "/v0/orders/7"),
    Asked("GET", "/v3/orders/7"),
    Asked("GET", "/v01/orders/7"),
    Asked("GET", "/v2"),
    Asked("GET", "/orders/7", [("API-Version", "2")]),
    Asked("GET", "/orders/7", [("API-Version", "9")]),
    Asked("GET", "/orders/7", [("API-Version", "x")]),
    Asked("GET", "/v1/orders/7", [("API-Version", "2")]),
    Asked("GET", "/orders/7", [("Accept", "application/json; version=2")]),
    Asked("GET", "/orders/7", [("Accept", "application/json; version=9")]),
    Asked("GET", "/orders//7"),
    Asked("GET", "//orders/7"),
    Asked("GET", "/orders/../users/7"),
    Asked("GET", "/orders/./7"),
    Asked("GET", "/orders/7;x=1"),
    Asked("GET", "/orders%2F7"),
    Asked("GET", "/orders/%2e%2e/users/7"),
    Asked("GET", "/users%5C7"),
    Asked("GET", "/%75sers/7"),
    Asked("GET", "/users/caf%C3%A9"),
    Asked("GET", "/users/"),
    Asked("GET", "/users/7/"),
    Asked("GET", "/USERS/7"),
    Asked("GET", "/usersx/7"),
    Asked("OPTIONS", "/orders/7", PREFLIGHT),
    Asked("OPTIONS", "/v2/orders/7", PREFLIGHT),
    Asked("OPTIONS", "/nothing", PREFLIGHT),
    Asked("DELETE", "/orders/7"),
    Asked("PUT", "/orders"),
    Asked("PATCH", "/users/admin/x"),
)


def everything() -> list[Asked]:
    """Every request of the table."""
    return [*(Asked(method, target) for target in _TARGETS for method in _METHODS), *_PLAIN]


def tokens(issuer: Issuer, stranger: Issuer) -> dict[str, Fields]:
    """Fields by what is right or wrong with them.

    Args:
        issuer: Whom the gate believes.
        stranger: Somebody who says to be the same.
    """
    good = issuer.mint(sub="svc-a", aud="edge", scope=ALL)
    head, claims, signature = good.split(".")
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode()).rstrip(b"=").decode()
    flipped = signature[:-4] + ("AAAA" if signature[-4:] != "AAAA" else "BBBB")
    values: Mapping[str, str | Sequence[str] | None] = {
        "none": None,
        "good": f"Bearer {good}",
        "janitor": f"Bearer {issuer.mint(sub='janitor', aud='edge', scope=ALL)}",
        "admin": f"Bearer {issuer.mint(sub='svc-a', aud='edge', scope='x', roles=['admin'])}",
        "wrong scope": f"Bearer {issuer.mint(sub='svc-a', aud='edge', scope='users:reader xusers:read')}",
        "scope list": f"Bearer {issuer.mint(sub='svc-a', aud='edge', scope=None, scp=ALL.split())}",
        "aud list": f"Bearer {issuer.mint(sub='svc-a', aud=['other', 'edge'], scope=ALL)}",
        "expired": f"Bearer {issuer.mint(sub='svc-a', aud='edge', scope=ALL, expires_in=-300)}",
        "not yet": f"Bearer {issuer.mint(sub='svc-a', aud='edge', scope=ALL, nbf=4_000_000_000)}",
        "issued later": f"Bearer {issuer.mint(sub='svc-a', aud='edge', scope=ALL, iat=4_000_000_000, exp=4_000_000_300)}",
        "no exp": f"Bearer {issuer.mint(sub='svc-a', aud='edge', scope=ALL, exp=None)}",
        "wrong aud": f"Bearer {issuer.mint(sub='svc-a', aud='other', scope=ALL)}",
        "wrong iss": f"Bearer {issuer.mint(sub='svc-a', aud='edge', scope=ALL, iss='https://evil.example')}",
        "bound": f"Bearer {issuer.mint(sub='svc-a', aud='edge', scope=ALL, cnf={'x5t#S256': 'x' * 43})}",
        "id token": f"Bearer {issuer.mint(sub='svc-a', aud='edge', scope=ALL, nonce='n', headers={'typ': 'JWT'})}",
        "other typ": f"Bearer {issuer.mint(sub='svc-a', aud='edge', scope=ALL, headers={'typ': 'dpop+jwt'})}",
        "bad signature": f"Bearer {head}.{claims}.{flipped}",
        "alg none": f"Bearer {unsigned}.{claims}.",
        "unknown kid": f"Bearer {stranger.mint(sub='svc-a', aud='edge', scope=ALL)}",
        "malformed": "Bearer a b",
        "empty": "Bearer ",
        "not base64": "Bearer !!!",
        "opaque": "Bearer 2YotnFZFEjr1zCsicMWpAA",
        "basic": "Basic YTpi",
        "behind basic": f"Basic YTpi Bearer {good}",
        "lower case": f"bearer {good}",
        "two fields": [f"Bearer {good}", f"Bearer {good}"],
        "two in one": f"Bearer {good}, Bearer {good}",
    }
    return {
        name: [("Authorization", each) for each in ([value] if isinstance(value, str) else value or [])]
        for name, value in values.items()
    }


def pairs(issuer: Issuer, stranger: Issuer) -> list[tuple[str, Fields, Asked]]:
    """The whole table's rows: every token with the plain targets, and a few with everything."""
    found = []
    for name, fields in tokens(issuer, stranger).items():
        chosen = everything() if name in {"none", "good", "wrong scope", "expired"} else [*everything()[:28:4], *_PLAIN[::6]]
        found += [(name, fields, asked) for asked in chosen]
    return found


def verdict(answer: Answered) -> Verdict:
    """What an answer says. Bodies of HEAD are not sent, and so tell no code."""
    return Verdict(answer.status, answer.code)


def table(rows: Sequence[tuple[str, Asked, Mapping[str, Verdict]]]) -> str:
    """In Markdown: a digest by token, then every row; one cell where all agree."""
    names = list(rows[0][2])
    lines = ["| token | requests | the same everywhere | verdicts |", "|--|--|--|--|"]
    for token in dict.fromkeys(row[0] for row in rows):
        mine = [row[2] for row in rows if row[0] == token]
        agreed = sum(len(set(found.values())) == 1 for found in mine)
        counts = Counter(str(found[names[0]].status) for found in mine)
        verdicts = ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))
        lines.append(f"| {token} | {len(mine)} | {agreed} | {verdicts} |")
    lines += ["", f"| token | request | {', '.join(names)} |", "|--|--|--|"]
    for token, asked, found in rows:
        same = len(set(found.values())) == 1
        cell = str(found[names[0]]) if same else ", ".join(f"{name}: {each}" for name, each in found.items())
        lines.append(f"| {token} | `{asked.name}` | {cell} |")
    return "\n".join([*lines, ""])
