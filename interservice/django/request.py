"""Django's HttpRequest read as a Request. Translation only: no decision is taken here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from interservice.asgi.request import certificate_reader
from interservice.http import Request
from interservice.wsgi.request import EnvironHeaders, peer_certificate, raw_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest


def django_request(request: HttpRequest) -> Request:
    """The request that Django is about to route. `META` has the environ's names under ASGI too.

    A copy of it is read, also later: what middleware does to Django's own changes neither trace nor deadline.
    """
    meta: dict[str, Any] = dict(request.META)
    scope = getattr(request, "scope", None)
    raw = scope.get("raw_path") if scope is not None else raw_path(meta)
    port = str(meta.get("SERVER_PORT", ""))
    protocol = (
        scope.get("http_version") or "1.1" if scope is not None else meta.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2]
    )
    return Request(
        request.method or "GET",
        request.path_info or "/",
        EnvironHeaders(meta),
        mount_of(request),
        raw,
        meta.get("QUERY_STRING", ""),
        request.scheme or "http",
        meta.get("REMOTE_ADDR"),
        (str(meta.get("SERVER_NAME", "")), int(port) if port.isdecimal() else None),
        protocol,
        peer_certificate=certificate_reader(scope) if scope is not None else _from_environ(meta, request.scheme),
    )


def _from_environ(meta: dict[str, Any], scheme: str | None) -> Callable[[], bytes | str | None] | None:
    return partial(peer_certificate, meta) if scheme == "https" else None


def mount_of(request: HttpRequest) -> str:
    """The prefix above `path_info`: Django has worked it out, but keeps it only inside `path`."""
    return request.path[: len(request.path) - len(request.path_info)]
