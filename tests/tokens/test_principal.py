"""Scopes, roles and clients, from every claim that the common servers write them to."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, astuple, replace
from typing import Any

import pytest

from interservice.tokens import Principal
from interservice.tokens.principal import principal_of

from .minting import claims, shown


def made(**changes: Any) -> Any:
    return principal_of(claims(**{"scope": None, "client_id": None, **changes}), ("orders",))


@pytest.mark.parametrize(
    ("changes", "scopes"),
    [
        ({"scope": "a b"}, {"a", "b"}),
        ({"scope": "  a  b "}, {"a", "b"}),
        ({"scope": ["a", "b"]}, {"a", "b"}),
        ({"scp": "a b"}, {"a", "b"}),
        ({"scp": ["a", "b"]}, {"a", "b"}),
        ({"permissions": ["a"]}, {"a"}),
        ({"scope": "a", "scp": ["b"], "permissions": ["c"]}, {"a", "b", "c"}),
        ({"scope": 7}, set()),
        ({"scope": ["a", 7, None, ""]}, {"a"}),
        ({"scope": {"a": 1}}, set()),
        ({"scope": ""}, set()),
    ],
    ids=shown,
)
def test_scopes_are_read_from_every_shape(changes: dict[str, Any], scopes: set[str]) -> None:
    assert made(**changes).scopes == scopes


@pytest.mark.parametrize(
    ("changes", "roles"),
    [
        ({"roles": ["a", "b"]}, {"a", "b"}),
        ({"roles": "site admin"}, {"site admin"}),
        ({"groups": ["a"], "entitlements": ["b"], "cognito:groups": ["c"]}, {"a", "b", "c"}),
        ({"realm_access": {"roles": ["a"]}}, {"a"}),
        ({"realm_access": ["a"]}, set()),
        ({"realm_access": {"roles": {"a": 1}}}, set()),
        ({"resource_access": {"orders": {"roles": ["a"]}, "billing": {"roles": ["b"]}}}, {"a"}),
        ({"resource_access": {"orders": ["a"]}}, set()),
        ({"resource_access": "orders"}, set()),
        ({"roles": 7}, set()),
    ],
    ids=shown,
)
def test_roles_are_read_from_every_shape(changes: dict[str, Any], roles: set[str]) -> None:
    assert made(**changes).roles == roles


@pytest.mark.parametrize("name", ["client_id", "azp", "appid", "cid"])
def test_client_is_read_from_every_name(name: str) -> None:
    assert made(**{name: "c"}).client_id == "c"


def test_client_of_another_type_is_nobody() -> None:
    assert made(azp=7).client_id is None


def test_principal_is_like_one_made_by_hand_and_cannot_be_changed() -> None:
    principal = made(scope="a")
    assert type(principal) is Principal
    assert principal == Principal(*astuple(principal)) == replace(principal) == copy.copy(principal)
    assert pickle.loads(pickle.dumps(principal)) == principal
    with pytest.raises(FrozenInstanceError):
        made().subject = "admin"
    with pytest.raises(FrozenInstanceError):
        del made().subject
