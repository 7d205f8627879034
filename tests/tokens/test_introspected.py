"""What an introspection endpoint's answers are worth, the hostile ones first."""

from __future__ import annotations

from typing import Any

import pytest

from interservice.tokens import Principal, Reason
from interservice.tokens.claims import Expectations
from interservice.tokens.fetch import Posted
from interservice.tokens.introspected import Failed, Refused, opinion

from .minting import AUDIENCE, ISSUER, NOW, shown

EXPECTED = Expectations(
    issuers=frozenset({ISSUER}),
    audiences=frozenset({AUDIENCE}),
    leeway=30.0,
    rfc9068=False,
    require=(),
    reject_id_tokens=False,
)
GOOD: dict[str, Any] = {"active": True, "aud": AUDIENCE, "sub": "svc-a", "client_id": "c-1", "scope": "a b", "exp": NOW + 60}


def judged(status: int = 200, /, **changes: Any) -> Any:
    document = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    return opinion(Posted(status, document, None), EXPECTED, ISSUER, NOW)


def test_active_token_is_its_principal() -> None:
    principal = judged()
    assert isinstance(principal, Principal)
    assert (principal.subject, principal.client_id, set(principal.scopes)) == ("svc-a", "c-1", {"a", "b"})
    assert principal.issuer == ISSUER
    assert "active" not in principal.claims


@pytest.mark.parametrize("active", [False, "true", "True", 1, 1.0, None, [True], {"active": True}, "", ...], ids=shown)
def test_active_is_true_only_when_it_is_true(active: object) -> None:
    assert judged(active=active) == Refused(Reason.INACTIVE)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://evil.test"}, Reason.ISSUER),
        ({"iss": ISSUER + "/"}, Reason.ISSUER),
        ({"iss": None}, Reason.ISSUER),
        ({"aud": "billing"}, Reason.AUDIENCE),
        ({"aud": ...}, Reason.AUDIENCE),
        ({"aud": [AUDIENCE, 1]}, Reason.AUDIENCE),
        ({"exp": NOW - 31}, Reason.EXPIRED),
        ({"exp": str(int(NOW))}, Reason.TIME),
        ({"nbf": NOW + 31}, Reason.NOT_YET_VALID),
        ({"iat": True}, Reason.TIME),
        ({"sub": 7}, Reason.CLAIM),
        ({"jti": ["x"]}, Reason.CLAIM),
        ({"cnf": {"jkt": "x"}}, Reason.BINDING),
        ({"token_type": "DPoP"}, Reason.TYPE),
        ({"token_type": "refresh_token"}, Reason.TYPE),
        ({"token_use": "refresh_token"}, Reason.TYPE),
        ({"token_type": 1}, Reason.TYPE),
    ],
    ids=shown,
)
def test_what_is_active_may_still_not_be_for_us(changes: dict[str, Any], reason: Reason) -> None:
    refused = judged(**changes)
    assert isinstance(refused, Refused)
    assert refused.reason is reason


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "access_token", "N_A", None, ...], ids=shown)
def test_access_tokens_have_several_names(token_type: object) -> None:
    assert isinstance(judged(token_type=token_type), Principal)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 400, 401, 403, 404, 429, 500, 503])
def test_status_other_than_200_says_nothing_of_the_token(status: int) -> None:
    assert isinstance(judged(status), Failed)


def test_no_json_object_says_nothing_of_the_token() -> None:
    assert isinstance(opinion(Posted(200, None, 7.0), EXPECTED, ISSUER, NOW), Failed)


def test_server_that_introspects_no_such_token_has_said_that_it_is_not_active() -> None:
    assert judged(400, error="unsupported_token_type") == Refused(Reason.INACTIVE)


def test_token_without_exp_lasts_as_long_as_its_issuer_says() -> None:
    assert isinstance(judged(exp=...), Principal)
