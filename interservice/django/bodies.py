"""Migrations in Django: the bodies of older clients carried forward to the views, and the views' answers back.

The module is not called `migrations`, which is Django's word for something else.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import ImproperlyConfigured

from interservice.errors import Rejection
from interservice.http import Head, problem
from interservice.inbound.versions.migrations import restate

from .middleware import plain_response
from .setting import configured_migrations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from interservice.inbound.versions.migrations import Passage


class Migrations:
    """Let a Django project speak its newest version alone: older clients' JSON is carried forward and back.

    The list of `Migration` is INTERSERVICE_MIGRATIONS, or at the dotted path in it; bodies up to
    INTERSERVICE_MIGRATIONS_MAX_BYTES (a megabyte) are migrated, larger ones refused. Stands behind
    `interservice.django.Middleware` in MIDDLEWARE, and behind whatever compresses. Streaming responses and what is not JSON pass
    untouched.

    Raises:
        ImproperlyConfigured: At start, when the setting leads to no list of `Migration`.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> None:
        self.get_response: Any = get_response
        self._chain = configured_migrations()
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request, or give the awaitable that will."""
        return self._answer_async(request) if self._is_async else self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        passage = self._passage(request)
        if passage is None:
            return self.get_response(request)  # type: ignore[no-any-return]
        try:
            _forward(passage, request)
            return _back(passage, self.get_response(request))
        except Rejection as rejection:
            return _refused(request, rejection)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        passage = self._passage(request)
        if passage is None:
            return await self.get_response(request)  # type: ignore[no-any-return]
        try:
            _forward(passage, request)
            return _back(passage, await self.get_response(request))
        except Rejection as rejection:
            return _refused(request, rejection)

    def _passage(self, request: HttpRequest) -> Passage | None:
        if not hasattr(request, "exchange"):
            raise ImproperlyConfigured("interservice.django.Migrations must stand behind interservice.django.Middleware")
        return self._chain.of(request.exchange)


def _forward(passage: Passage, request: Any) -> None:
    """Put the carried body in the place of the one that came."""
    if not passage.wants_request():
        return
    body = passage.forward(request.body)
    request._body = body  # noqa: SLF001 - where Django keeps what it has read
    request._stream = io.BytesIO(body)  # noqa: SLF001
    request.META["CONTENT_LENGTH"] = str(len(body))
    vars(request).pop("headers", None)


def _back(passage: Passage, response: Any) -> HttpResponseBase:
    """The response with its body carried back. Django makes HEAD's body too, so that the length is GET's."""
    if response.streaming or not passage.responds:
        return response  # type: ignore[no-any-return]
    head = Head(response.status_code, list(response.items()))
    if not passage.wants_response(head):
        return response  # type: ignore[no-any-return]
    response.content = passage.back(head.status, response.content)
    restate(head, len(response.content))
    kept = {name.lower() for name, _ in head.headers}
    for name in [name for name in response.headers if name.lower() not in kept]:
        del response.headers[name]
    response.headers["Content-Length"] = str(len(response.content))
    return response  # type: ignore[no-any-return]


def _refused(request: HttpRequest, rejection: Rejection) -> HttpResponseBase:
    """Django would make a 500 of what is raised here."""
    exchange = request.exchange  # type: ignore[attr-defined]
    exchange.refusal = rejection
    return plain_response(problem(rejection, exchange.request_id))
