"""FastAPI behind the gate: dependencies over `current()`, as the documentation has them."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from interservice import asgi, current
from interservice.inbound.auth import JWTAuth
from interservice.inbound.gate import Gate
from interservice.inbound.rules import Rule
from interservice.testing import Issuer
from interservice.tokens import Principal, StaticKeys, Verifier

ISSUER = Issuer("https://auth.test", algorithms=["ES256"])


def principal() -> Principal:
    """As in docs/authorization.md."""
    exchange = current()
    assert exchange is not None
    exchange.require()
    return exchange.principal  # type: ignore[return-value]


def requires(*scopes: str) -> Any:
    def check() -> None:
        exchange = current()
        assert exchange is not None
        exchange.require(*scopes)

    return Depends(check)


Caller = Annotated[Principal, Depends(principal)]


def application() -> Any:
    api = FastAPI()

    @api.get("/orders/{order_id}")
    async def show(order_id: str, caller: Caller) -> Any:
        return {"id": order_id, "asked_by": caller.subject}

    @api.get("/open/{order_id}")
    def sync_show(order_id: str, caller: Caller) -> Any:
        return {"id": order_id, "asked_by": caller.subject}

    @api.post("/orders", dependencies=[requires("orders:write")])
    async def create() -> Any:
        return {"done": True}

    @api.put("/orders")
    async def replace() -> Any:
        exchange = current()
        assert exchange is not None
        exchange.require("orders:write")
        return {"done": True}

    verifier = Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks))
    rules = [Rule("*", "/open/**", public=True), Rule("*", "/**")]
    return api, Gate([JWTAuth(verifier, rules=rules)], service="orders")


@pytest.fixture(params=["outside", "inside"])
def ask(request: pytest.FixtureRequest) -> Any:
    api, gate = application()
    if request.param == "inside":
        api.add_middleware(asgi.Middleware, gate=gate)
        app: Any = api
    else:
        app = asgi.Middleware(api, gate)

    async def asking(method: str, path: str, token: str | None) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(app, raise_app_exceptions=outside)
        async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
            return await client.request(method, path, headers=headers)

    # Outside of everything, the gate also sees to it that the server has no exception to log.
    outside = request.param == "outside"
    return lambda method, path, token=None: asyncio.run(asking(method, path, token))


def mint(scope: str = "orders:read") -> str:
    return ISSUER.mint(sub="svc-a", aud="orders", scope=scope)


@pytest.mark.parametrize("path", ["/orders/7", "/open/7"])
def test_dependency_gives_the_principal(ask: Any, path: str) -> None:
    assert ask("GET", path, mint()).json() == {"id": "7", "asked_by": "svc-a"}


def test_dependency_that_wants_a_principal_is_a_401_where_the_rule_is_public(ask: Any) -> None:
    answer = ask("GET", "/open/7")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="orders"')
    assert json.loads(answer.content)["code"] == "unauthenticated"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_scope_that_a_route_requires_is_refused_as_by_a_rule(ask: Any, method: str) -> None:
    answer = ask(method, "/orders", mint())
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="orders:write"' in answer.headers["WWW-Authenticate"]
    assert ask(method, "/orders", mint("orders:write")).json() == {"done": True}
