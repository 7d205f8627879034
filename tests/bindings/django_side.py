"""Plays a script as Django views, sync and async, behind Django's own WSGI and ASGI handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test.utils import override_settings
from django.urls import re_path

from .script import Script

if not settings.configured:
    settings.configure(
        ROOT_URLCONF=__name__,
        SECRET_KEY="for tests",
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["interservice.django"],
        MIDDLEWARE=["interservice.django.Middleware"],
        DATABASES={},
        USE_TZ=True,
        LOGGING_CONFIG=None,
        DEBUG=False,
    )
    django.setup()

_PLAYING: list[Script] = []


def _respond(script: Script, request: HttpRequest, *, is_async: bool) -> Any:
    mount = request.path[: len(request.path) - len(request.path_info)] if request.path.endswith(request.path_info) else ""
    parts = script.begin(request.META["SCRIPT_NAME"] or mount, request.path_info, request.headers.get("Accept"))
    response: Any
    if script.stream:
        streamed = script.streamed()
        response = StreamingHttpResponse(
            _async(streamed) if is_async else streamed, status=script.status, content_type="text/plain"
        )
    else:
        response = HttpResponse(b"".join(parts), status=script.status, content_type="text/plain")
    if script.status in (204, 304):
        del response.headers["Content-Type"]
    for name, value in script.headers:
        response.headers[name] = value
    return response


async def _async(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def sync_view(request: HttpRequest) -> Any:
    return _respond(_PLAYING[-1], request, is_async=False)


async def async_view(request: HttpRequest) -> Any:
    return _respond(_PLAYING[-1], request, is_async=True)


class Urls:
    """A URL configuration with one view for every path."""

    def __init__(self, view: Any) -> None:
        self.urlpatterns = [re_path(r"^(?s:.*)$", view)]


@contextmanager
def django_app(script: Script, gate: Any, *, is_async: bool) -> Iterator[Any]:
    """Django's handler with the script behind the middleware."""
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler

    _PLAYING.append(script)
    try:
        with override_settings(INTERSERVICE_GATE=gate, ROOT_URLCONF=Urls(async_view if is_async else sync_view)):
            yield ASGIHandler() if is_async else WSGIHandler()
    finally:
        _PLAYING.pop()
