"""Django REST framework behind the gate: who asks is the principal, and refusals are challenges."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test.utils import override_settings

from interservice.inbound.auth import JWTAuth
from interservice.inbound.gate import Gate
from interservice.inbound.rules import Rule
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier

from . import asgi_side, wsgi_side
from .django_side import Urls

ISSUER = Issuer("https://auth.test", algorithms=["ES256"])
METADATA = "https://orders.test/.well-known/oauth-protected-resource"


def view(permission: Any = None) -> Any:
    from rest_framework.permissions import AllowAny  # type: ignore[import-untyped]
    from rest_framework.response import Response  # type: ignore[import-untyped]
    from rest_framework.views import APIView  # type: ignore[import-untyped]

    from interservice.django.drf import ExchangeAuthentication
    from interservice.exchange import current

    class Orders(APIView):  # type: ignore[misc]
        authentication_classes = (ExchangeAuthentication,)
        permission_classes = (permission or AllowAny,)

        def get(self, request: Any) -> Any:
            user = request.user
            known = request.auth
            return Response({"user": str(user), "pk": getattr(user, "pk", None), "auth": known and known.subject})

        def post(self, request: Any) -> Any:
            exchange = current()
            assert exchange is not None
            exchange.require("orders:write")
            return Response({"done": True})

        def delete(self, request: Any) -> Any:
            return Response(
                {"staff": request.user.is_staff, "may": request.user.has_perm("x"), "all": request.user.has_perms([])}
            )

    return Orders.as_view()


@pytest.fixture(params=["wsgi", "asgi"])
def ask(request: pytest.FixtureRequest) -> Any:
    verifier = Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks))
    rules = [Rule("*", "/open", public=True), Rule("*", "/**")]
    gate = Gate([JWTAuth(verifier, rules=rules, resource_metadata=METADATA)], service="orders")

    def asking(path: str, method: str = "GET", token: str | None = None, permission: Any = None) -> Any:
        settings = {"UNAUTHENTICATED_USER": None}
        with override_settings(INTERSERVICE_GATE=gate, ROOT_URLCONF=Urls(view(permission)), REST_FRAMEWORK=settings):
            side: Any = wsgi_side if request.param == "wsgi" else asgi_side
            app = WSGIHandler() if request.param == "wsgi" else ASGIHandler()
            return side.ask(app, method, path, {} if token is None else {"Authorization": f"Bearer {token}"})

    return asking


def mint(scope: str = "orders:read", **claims: Any) -> str:
    return ISSUER.mint(sub="svc-a", aud="orders", scope=scope, **claims)


def test_user_is_who_the_token_speaks_for(ask: Any) -> None:
    answer = ask("/", token=mint())
    assert json.loads(answer.body) == {"user": "svc-a", "pk": "https://auth.test svc-a", "auth": "svc-a"}


def test_user_of_a_token_without_a_subject_is_its_client(ask: Any) -> None:
    answer = ask("/", token=ISSUER.mint(sub=None, aud="orders", client_id="batch"))
    assert json.loads(answer.body)["user"] == "batch"


def test_user_has_no_permissions_in_django(ask: Any) -> None:
    answer = ask("/", "DELETE", token=mint())
    assert json.loads(answer.body) == {"staff": False, "may": False, "all": False}


def test_nobody_is_asked_for_where_the_rule_is_public(ask: Any) -> None:
    assert json.loads(ask("/open").body) == {"user": "None", "pk": None, "auth": None}
    assert json.loads(ask("/open", token="junk").body)["auth"] is None


def test_view_that_wants_a_user_answers_401_with_the_gates_challenge(ask: Any) -> None:
    from rest_framework.permissions import IsAuthenticated

    answer = ask("/open", permission=IsAuthenticated)
    assert answer.status == 401
    assert answer.header("WWW-Authenticate") == f'Bearer realm="orders", resource_metadata="{METADATA}"'
    assert ask("/open", token=mint(), permission=IsAuthenticated).status == 200


def test_scope_that_a_view_requires_is_refused_as_by_a_rule(ask: Any) -> None:
    answer = ask("/", "POST", token=mint())
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "insufficient_scope")
    assert 'scope="orders:write"' in answer.header("WWW-Authenticate")
    assert ask("/", "POST", token=mint("orders:write")).status == 200


def test_refused_token_never_reaches_a_view(ask: Any) -> None:
    answer = ask("/", token="junk")
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "invalid_token")


def test_missing_middleware_is_told() -> None:
    from interservice.django.drf import ExchangeAuthentication

    with pytest.raises(ImproperlyConfigured, match="MIDDLEWARE"):
        ExchangeAuthentication().authenticate(object())
