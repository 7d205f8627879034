"""The list of revocations against the plainest model there is: every entry kept, every entry asked."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from interservice.tokens.principal import principal_of
from interservice.tokens.revocation import Revocation, RevocationList

issuers, names = st.sampled_from(["i-1", "i-2"]), st.sampled_from(["a", "b"])
moments = st.integers(0, 20).map(float)
entries = st.builds(Revocation, st.sampled_from(["token", "subject", "client"]), issuers, names, moments, moments)
tokens = st.fixed_dictionaries({"iss": issuers}, optional={"jti": names, "sub": names, "client_id": names, "iat": moments})


def covered(claims: dict[str, Any], entry: Revocation) -> bool:
    if claims["iss"] != entry.issuer:
        return False
    if entry.kind == "token":
        return claims.get("jti") == entry.name
    who = claims.get("sub" if entry.kind == "subject" else "client_id")
    return who == entry.name and claims.get("iat", float("-inf")) < entry.before


@given(st.lists(entries, max_size=12), tokens)
def test_list_covers_what_one_of_its_entries_covers(given_entries: list[Revocation], claims: dict[str, Any]) -> None:
    revoked = RevocationList()
    for entry in given_entries:
        revoked.add(entry)
    assert revoked.covers(principal_of(claims)) == any(covered(claims, entry) for entry in given_entries)


@given(st.lists(entries, max_size=12), tokens, moments)
def test_forgetting_the_past_keeps_what_still_matters(
    given_entries: list[Revocation], claims: dict[str, Any], now: float
) -> None:
    revoked = RevocationList()
    for entry in given_entries:
        revoked.add(entry)
    revoked.prune(now)
    if any(covered(claims, entry) for entry in given_entries if entry.until >= now):
        assert revoked.covers(principal_of(claims))
