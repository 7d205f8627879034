"""Django REST framework behind the gate: the version is the negotiated one, and links keep it; Django's own access too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, JsonResponse
from django.test.utils import override_settings
from django.urls import include, path, reverse

from interservice import Gate, HeaderVersion, MediaTypeVersion, PathVersion, Versions

from . import asgi_side, wsgi_side


class Routes:
    """A URL configuration."""

    def __init__(self, *patterns: Any) -> None:
        self.urlpatterns = list(patterns)


def api() -> Any:
    from rest_framework.response import Response  # type: ignore[import-untyped]
    from rest_framework.reverse import reverse as rest_reverse  # type: ignore[import-untyped]
    from rest_framework.views import APIView  # type: ignore[import-untyped]

    from interservice.django.drf import ExchangeVersioning

    class Orders(APIView):  # type: ignore[misc]
        versioning_class = ExchangeVersioning
        authentication_classes = ()
        permission_classes = ()

        def get(self, request: Any, **kwargs: Any) -> Any:
            name = kwargs.get("other", "orders")
            return Response({"version": request.version, "link": rest_reverse(name, request=request)})

    return Orders.as_view()


def plain(request: HttpRequest) -> JsonResponse:
    version: Any = request.api_version  # type: ignore[attr-defined]
    return JsonResponse({"version": version and str(version), "link": reverse("orders")})


def ask(versions: Versions, routes: Routes, asked: str, headers: dict[str, str] | None = None, *, is_async: bool) -> Any:
    rest = {"UNAUTHENTICATED_USER": None}  # there is no database
    with override_settings(INTERSERVICE_GATE=Gate([versions]), ROOT_URLCONF=routes, REST_FRAMEWORK=rest):
        app: Any = ASGIHandler() if is_async else WSGIHandler()
        side: Any = asgi_side if is_async else wsgi_side
        answer = side.ask(app, "GET", asked, {"Host": "shop.test", **(headers or {})})
    return json.loads(answer.body) if answer.status == 200 else answer.status


STRIP = Versions(["1", "2"], path="strip")
KEEP = Versions(["1", "2.0"], readers=[PathVersion("/v{version}")])
HEADER = Versions(["1", "2"], readers=[HeaderVersion("API-Version")])
MEDIA = Versions(["1", "2"], readers=[MediaTypeVersion("version")], default="1")
both = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@both
def test_a_stripped_prefix_is_in_links(is_async: bool) -> None:
    routes = Routes(path("orders", api(), name="orders"))
    got = ask(STRIP, routes, "/v1/orders", is_async=is_async)
    assert got == {"version": "1", "link": "http://shop.test/v1/orders"}


@both
def test_a_version_that_is_a_routes_argument_is_filled_in_as_it_was_asked_for(is_async: bool) -> None:
    routes = Routes(path("v<str:version>/orders", api(), name="orders"))
    got = ask(KEEP, routes, "/v2/orders", is_async=is_async)
    assert got == {"version": "2.0", "link": "http://shop.test/v2/orders"}


def test_routes_without_the_argument_can_be_linked_from_routes_with_it() -> None:
    routes = Routes(
        path("v<str:version>/<str:other>", api(), name="orders"), path("about", lambda request: JsonResponse({}), name="about")
    )
    assert ask(KEEP, routes, "/v2/about", is_async=False)["link"] == "http://shop.test/about"


@both
def test_a_namespace_for_each_version_is_looked_in_first(is_async: bool) -> None:
    patterns = [path("orders", api(), name="orders")]
    routes = Routes(
        path("v1/", include((patterns, "shop"), namespace="v1")), path("v2/", include((patterns, "shop"), namespace="v2"))
    )
    got = ask(KEEP, routes, "/v1/orders", is_async=is_async)
    assert got == {"version": "1", "link": "http://shop.test/v1/orders"}


@both
def test_a_version_outside_the_path_leaves_links_alone(is_async: bool) -> None:
    routes = Routes(path("orders", api(), name="orders"))
    got = ask(HEADER, routes, "/orders", {"API-Version": "2"}, is_async=is_async)
    assert got == {"version": "2", "link": "http://shop.test/orders"}


@both
def test_accept_with_a_version_is_rendered(is_async: bool) -> None:
    routes = Routes(path("orders", api(), name="orders"))
    got = ask(MEDIA, routes, "/orders", {"Accept": "application/json; version=2"}, is_async=is_async)
    assert got["version"] == "2"


def test_a_neutral_path_has_no_version() -> None:
    routes = Routes(path("healthz", api(), name="orders"))
    assert ask(STRIP, routes, "/healthz", is_async=False)["version"] is None


def test_what_is_not_served_never_reaches_the_view() -> None:
    assert ask(STRIP, Routes(path("orders", api(), name="orders")), "/v3/orders", is_async=False) == 404


def test_the_middleware_is_needed() -> None:
    from rest_framework.test import APIRequestFactory  # type: ignore[import-untyped]

    request, view = APIRequestFactory().get("/orders"), api()
    with pytest.raises(ImproperlyConfigured, match="ExchangeVersioning needs"):
        view(request)


@both
def test_django_itself_has_the_version_on_the_request(is_async: bool) -> None:
    routes = Routes(path("orders", plain, name="orders"), path("healthz", plain))
    assert ask(STRIP, routes, "/v2/orders", is_async=is_async) == {"version": "2", "link": "/v2/orders"}
    assert ask(STRIP, routes, "/healthz", is_async=is_async)["version"] is None
