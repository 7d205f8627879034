"""The same routes and shapes as Django views behind Django's own middleware, for servers to load as WSGI and as ASGI."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import path

from interservice import AccessLog, Deadlines, Gate, Tracing
from tests.servers.shapes import FILE, PART, broken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from django.http import HttpRequest

CHUNK = b"x" * 65536
CHUNKS = 2000

log = Path(os.environ["TEST_ACCESS_LOG"]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - as long as the process
gate = Gate(service="peer", policies=[Tracing(), Deadlines()], listeners=[AccessLog(stream=log)])

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests",
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["interservice.django"],
    MIDDLEWARE=["interservice.django.Middleware"],
    INTERSERVICE_GATE=gate,
    DATABASES={},
    USE_TZ=True,
    LOGGING_CONFIG=None,
    DEBUG=False,
)
django.setup()


async def _async(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(0)
        yield part


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"hello")


def _streaming(request: HttpRequest, parts: Iterator[bytes]) -> StreamingHttpResponse:
    return StreamingHttpResponse(_async(parts) if hasattr(request, "scope") else parts, content_type="text/plain")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return _streaming(request, (PART for _ in range(3)))


def endless(request: HttpRequest) -> StreamingHttpResponse:
    return _streaming(request, (CHUNK for _ in range(CHUNKS)))


def boom(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("boom")


def shape(request: HttpRequest, name: str) -> Any:
    if name == "early":
        raise RuntimeError("before the start")
    if name in ("nothing", "same"):
        return HttpResponse(status={"nothing": 204, "same": 304}[name])
    if name == "file":
        return FileResponse(FILE.open("rb"))
    if name in ("whole", "write", "release", "background"):
        return HttpResponse(PART * 3)
    return _streaming(request, broken() if name == "late" else (PART for _ in range(3)))


urlpatterns = [
    path("hello", hello),
    path("stream", stream),
    path("endless", endless),
    path("boom", boom),
    path("shapes/<str:name>", shape),
]

wsgi = get_wsgi_application()
asgi = get_asgi_application()
