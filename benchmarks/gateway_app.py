"""The embedded gateway that `benchmarks.gateway` measures: as little as there can be, and with what a gateway is there for."""

from __future__ import annotations

import json
import os

from interservice import Deadlines, Gate, JWTAuth, Rule, Tracing, Versions
from interservice.gateway import Edge, Service, embedded
from interservice.tokens import StaticKeys, Verifier

_ORDERS = Service(name="orders", prefix="/orders", endpoints=[os.environ["SERVICE"]])
_VERIFIER = Verifier("https://auth.test", "orders", keys=StaticKeys(json.loads(os.environ["JWKS"])))

open = embedded(Edge(gate=Gate([Tracing(), Deadlines()]), services=[_ORDERS]))  # noqa: A001
closed = embedded(
    Edge(
        gate=Gate([
            Tracing(),
            Deadlines(default=10.0),
            Versions(["1", "2"], default="2"),
            JWTAuth(_VERIFIER, rules=[Rule("GET", "/orders/{id}", scopes=["orders:read"])]),
        ]),
        services=[_ORDERS],
    )
)  # fmt: skip
