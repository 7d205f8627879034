"""The list of revocations without a network: what covers a token, what is forgotten, and what is read."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.tokens.principal import Principal, principal_of
from interservice.tokens.revocation import Revocation, RevocationList

from .minting import ISSUER, NOW, claims, shown

UNTIL = NOW + 3600


def principal(**changes: Any) -> Principal:
    return principal_of(claims(**changes))


def listed(*entries: Revocation) -> RevocationList:
    made = RevocationList()
    for entry in entries:
        made.add(entry)
    return made


def test_token_is_known_by_issuer_and_id() -> None:
    revoked = listed(Revocation("token", ISSUER, "t-1", 0.0, UNTIL))
    assert revoked.covers(principal(jti="t-1"))
    assert not revoked.covers(principal(jti="t-2"))
    assert not revoked.covers(principal(jti="t-1", iss="https://other.test"))
    assert not revoked.covers(principal(jti=None))


@pytest.mark.parametrize(("kind", "claim"), [("subject", "sub"), ("client", "client_id")])
def test_all_of_a_subject_or_client_up_to_a_moment(kind: Any, claim: str) -> None:
    revoked = listed(Revocation(kind, ISSUER, "x", NOW, UNTIL))
    assert revoked.covers(principal(**{claim: "x", "iat": NOW - 1}))
    assert not revoked.covers(principal(**{claim: "x", "iat": NOW}))
    assert not revoked.covers(principal(**{claim: "y", "iat": NOW - 1}))
    assert not revoked.covers(principal(**{claim: "x", "iat": NOW - 1, "iss": "https://other.test"}))


@pytest.mark.parametrize("kind", ["subject", "client"])
def test_token_that_hides_its_age_counts_as_old(kind: Any) -> None:
    revoked = listed(Revocation(kind, ISSUER, "x", NOW, UNTIL))
    assert revoked.covers(principal(sub="x", client_id="x", iat=None))


def test_subject_and_client_of_one_name_are_not_confused() -> None:
    revoked = listed(Revocation("subject", ISSUER, "x", NOW, UNTIL))
    assert not revoked.covers(principal(sub="y", client_id="x", iat=NOW - 1))


def test_later_entry_never_weakens_an_earlier_one() -> None:
    revoked = listed(Revocation("subject", ISSUER, "x", NOW, UNTIL), Revocation("subject", ISSUER, "x", NOW - 100, NOW - 50))
    revoked.prune(NOW)
    assert revoked.covers(principal(sub="x", iat=NOW - 1))


def test_what_no_living_token_can_be_meant_by_is_forgotten() -> None:
    kinds: Any = ("token", "subject", "client")
    revoked = listed(*[Revocation(kind, ISSUER, "x", NOW, NOW + at) for kind in kinds for at in (10,)])
    revoked.prune(NOW + 10)
    assert len(revoked) == 3
    revoked.prune(NOW + 10.5)
    assert len(revoked) == 0


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
moments = st.floats(0, 1e12)


@given(st.builds(Revocation, st.sampled_from(["token", "subject", "client"]), names, names, moments, moments))
def test_entry_is_read_as_it_was_written(entry: Revocation) -> None:
    assert Revocation.read(entry.text().encode()) == entry


GOOD = Revocation("token", ISSUER, "t", 1.0, 2.0)._asdict()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"kind":NaN}',
        json.dumps({**GOOD, "kind": "user"}).encode(),
        json.dumps({**GOOD, "kind": ["token"]}).encode(),
        json.dumps({**GOOD, "name": 7}).encode(),
        json.dumps({**GOOD, "issuer": None}).encode(),
        json.dumps({**GOOD, "until": "soon"}).encode(),
        json.dumps({**GOOD, "before": True}).encode(),
    ],
    ids=shown,
)
def test_what_is_no_entry_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        Revocation.read(raw)


@given(st.binary(max_size=200))
def test_reading_never_fails_in_another_way(raw: bytes) -> None:
    with contextlib.suppress(ValueError):
        Revocation.read(raw)
