"""The gate that the tests of gateways share, for the issuer whose URL is in TEST_ISSUER; and what may be asked of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from interservice import Gate, JWTAuth, Rule, Tracing, Versions
from interservice.tokens import Verifier

if TYPE_CHECKING:
    from interservice.tokens.source import KeySource

RULES = (
    Rule("GET", "/users/public/**", public=True),
    Rule("GET", "/users/{id}", scopes=["users:read"]),
    Rule("*", "/users/admin/**", roles=["admin"]),
    Rule("GET", "/orders/public/**", public=True),
    Rule("GET", "/orders/**", any_scopes=["orders:read", "orders:all"]),
    Rule(["POST", "PUT"], "/orders", scopes=["orders:write"]),
    Rule("DELETE", "/orders/{id}", clients=["janitor"]),
)


def gate(issuer: str, keys: KeySource | None = None) -> Gate:
    """Tracing, three versions of which one is gone, and rules."""
    return Gate(
        [
            Tracing(),
            Versions(["1", "2"], retired=["0"], default="1", path="strip"),
            JWTAuth(Verifier(issuer, "edge", keys=keys), rules=RULES),
        ],
        service="edge",
    )


def the_gate() -> Gate:
    """For the issuer of the environment, whose keys are found through its metadata."""
    return gate(os.environ["TEST_ISSUER"])
