"""Django REST framework: `request.version` is the version that the gate negotiated, and `reverse()` gives links that keep it.

`request.user` and `request.auth` are who the gate has verified.

    REST_FRAMEWORK = {
        "DEFAULT_VERSIONING_CLASS": "interservice.django.drf.ExchangeVersioning",
        "DEFAULT_AUTHENTICATION_CLASSES": ["interservice.django.drf.ExchangeAuthentication"],
    }

Imported by nobody but the framework: `interservice.django` does without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch
from rest_framework.versioning import BaseVersioning  # type: ignore[import-untyped]

from .drf_authentication import ExchangeAuthentication, ServiceUser

if TYPE_CHECKING:
    from interservice.exchange import Exchange

__all__ = ["ExchangeAuthentication", "ExchangeVersioning", "ServiceUser"]


class ExchangeVersioning(BaseVersioning):  # type: ignore[misc] # untyped
    """Takes the version from the exchange; the gate has refused whatever is not served.

    With `Versions(path="strip")`, or a version outside the path, URLs are reversed as ever: a prefix is part of the script name.
    With `path="keep"` and routes that have the version as an argument (`v<str:version>/orders`), that argument is filled in from
    the request, under the name VERSION_PARAM; with routes in one namespace for each version, names are looked up in the
    request's first.

    Raises:
        ImproperlyConfigured: On a request, when interservice.django.Middleware is not installed.
    """

    def determine_version(self, request: Any, *args: Any, **kwargs: Any) -> str | None:  # noqa: ARG002 - DRF passes the view's
        """The version as configured; None on neutral paths and preflights. DRF makes it `request.version`."""
        exchange: Exchange | None = getattr(request, "exchange", None)
        if exchange is None:
            raise ImproperlyConfigured("ExchangeVersioning needs interservice.django.Middleware in MIDDLEWARE")
        return None if exchange.version is None else str(exchange.version)

    def reverse(
        self,
        viewname: str,
        args: Any = None,
        kwargs: Any = None,
        request: Any = None,
        format: Any = None,  # noqa: A002 - DRF's name
        **extra: Any,
    ) -> str:
        """The URL of a view in the version of `request`.

        Raises:
            NoReverseMatch: There is no such view.
        """
        for name, words in self._candidates(viewname, args, kwargs, request):
            try:
                return str(super().reverse(name, args, words, request, format, **extra))
            except NoReverseMatch:
                continue
        return str(super().reverse(viewname, args, kwargs, request, format, **extra))

    def _candidates(self, viewname: str, args: Any, kwargs: Any, request: Any) -> list[tuple[str, Any]]:
        """Names and arguments that keep the request's version, to be tried before those given."""
        match = getattr(request, "resolver_match", None)
        if match is None:
            return []
        caught = match.kwargs.get(self.version_param)
        words = kwargs if caught is None or args else {self.version_param: caught, **(kwargs or {})}
        names = [viewname] if ":" in viewname or not match.namespace else [f"{match.namespace}:{viewname}", viewname]
        candidates = [(name, words) for name in names]
        return [*candidates, *((name, kwargs) for name in names[:-1])] if words is not kwargs else candidates
