"""The middleware: Django's sync and async requests through the same gate. Every step but the await is shared.

Mount it first in MIDDLEWARE, so that it sees every response. Under `interservice.wsgi` or `interservice.asgi` with the same
gate it does nothing but set `request.exchange`.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpResponse
from django.urls import get_script_prefix, set_script_prefix

from interservice.errors import Rejection
from interservice.exchange import enter
from interservice.http import Head, problem
from interservice.wsgi.request import encoded

from .ending import follow
from .request import django_request
from .setting import configured_gate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from interservice.exchange import Exchange
    from interservice.http import Reply


class Middleware:
    """Put the gate of INTERSERVICE_GATE in front of a Django project; `request.exchange` is the exchange.

    `request.api_version` is `request.exchange.version`.

    Raises:
        ImproperlyConfigured: At start, when the setting does not lead to a Gate.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> None:
        self.get_response: Any = get_response
        self.gate = configured_gate()
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request, or give the awaitable that will."""
        outer = self._outer_exchange(request)
        if outer is not None:
            request.exchange = outer  # type: ignore[attr-defined]
            request.api_version = outer.version  # type: ignore[attr-defined]
            return self.get_response(request)  # type: ignore[no-any-return]
        return self._answer_async(request) if self._is_async else self._answer(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Django's hook for what a view raised: a Rejection is answered as one, anything else is noted and left to Django."""
        exchange: Exchange = request.exchange  # type: ignore[attr-defined]
        if isinstance(exception, Rejection):
            exchange.refusal = exception
            return plain_response(problem(exception, exchange.request_id))
        exchange.error = exception
        return None

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        exchange = self._open(request)
        before = enter(exchange)
        try:
            while (work := self.gate.prepare(exchange)) is not None:
                work()
            reply = self.gate.admit(exchange)
            if reply is not None:
                return self._follow(request, exchange, plain_response(reply))
            with _shown(request, exchange):
                response = self.get_response(request)
            return self._follow(request, exchange, self._amend(request, exchange, response))
        except BaseException as error:
            self._fail(exchange, error)
            raise
        finally:
            enter(before)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        exchange = self._open(request)
        before = enter(exchange)
        try:
            while (work := self.gate.prepare(exchange)) is not None:
                await sync_to_async(work, thread_sensitive=False)()
            reply = self.gate.admit(exchange)
            if reply is not None:
                return self._follow(request, exchange, plain_response(reply))
            with _shown(request, exchange):
                response = await self.get_response(request)
            return self._follow(request, exchange, self._amend(request, exchange, response))
        except BaseException as error:
            self._fail(exchange, error)
            raise
        finally:
            enter(before)

    def _outer_exchange(self, request: HttpRequest) -> Exchange | None:
        """The exchange that our WSGI or ASGI middleware has opened around Django with the same gate."""
        carrier = getattr(request, "scope", None) or request.META
        return carrier.get("interservice.exchange") if carrier.get("interservice.gate") is self.gate else None

    def _open(self, request: HttpRequest) -> Exchange:
        exchange = self.gate.open(django_request(request))
        request.exchange = exchange  # type: ignore[attr-defined]
        return exchange

    def _amend(self, request: HttpRequest, exchange: Exchange, response: HttpResponseBase) -> HttpResponseBase:
        """Let the policies amend the response's head; Django keeps one value to a name, so repeated fields are joined."""
        match = request.resolver_match
        if match is not None and match.route is not None:
            exchange.route = "/" + match.route
        head = Head(response.status_code, list(response.items()))
        self.gate.respond(exchange, head)
        response.status_code = head.status
        joined = _joined(head.headers)
        for name in [name for name in response.headers if name.lower() not in joined]:
            del response.headers[name]
        for name, value in joined.values():
            if response.headers.get(name) != value:
                response.headers[name] = value
        return response

    def _follow(self, request: HttpRequest, exchange: Exchange, response: HttpResponseBase) -> HttpResponseBase:
        if exchange.quiet:  # else Django logs each failing probe as an error, and by default mails it to the admins
            response._has_been_logged = True  # type: ignore[attr-defined] # noqa: SLF001
        follow(self.gate, exchange, request, response)
        return response

    def _fail(self, exchange: Exchange, error: BaseException) -> None:
        """End an exchange that gets no response: Django cancels the task of a client that has gone."""
        if isinstance(error, Exception):
            self.gate.finish(exchange, error=error)
        else:
            self.gate.finish(exchange, "client_disconnect" if isinstance(error, asyncio.CancelledError) else "aborted", error)


@contextmanager
def _shown(request: HttpRequest, exchange: Exchange) -> Iterator[None]:
    """Show Django what policies found out: the version, fields with other values, and the prefix that one took off the path."""
    request.api_version = exchange.version  # type: ignore[attr-defined]
    if exchange.rewritten is not None:
        for name, value in exchange.rewritten.items():
            request.META["HTTP_" + name.upper().replace("-", "_")] = value
        for cached in ("headers", "accepted_types", "accepted_types_by_precedence"):
            vars(request).pop(cached, None)
    if exchange.mount == exchange.request.mount:
        yield
        return
    # As its script name, so that reversed URLs keep it.
    prefix = get_script_prefix()
    request.path_info = exchange.path
    request.META["PATH_INFO"] = encoded(exchange.path)
    request.META["SCRIPT_NAME"] = encoded(exchange.mount)
    set_script_prefix(exchange.mount)
    try:
        yield
    finally:
        set_script_prefix(prefix)


def plain_response(reply: Reply) -> HttpResponse:
    """A policy's reply as Django has responses."""
    response = HttpResponse(reply.body, status=reply.status)
    for name, value in _joined(reply.headers).values():
        response.headers[name] = value
    return response


def _joined(headers: list[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Each field once, by lower-case name, repeated values joined (RFC 9110 section 5.3)."""
    joined: dict[str, tuple[str, str]] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = (name, f"{joined[key][1]}, {value}") if key in joined else (name, value)
    return joined
