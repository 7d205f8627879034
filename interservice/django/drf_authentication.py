"""Django REST framework: `request.user` and `request.auth` are the principal that the gate has verified.

Imported by nobody but `interservice.django.drf`. Nothing is verified here, and nothing is looked up in a database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from rest_framework.authentication import BaseAuthentication  # type: ignore[import-untyped]

from interservice.challenge import bearer

if TYPE_CHECKING:
    from interservice.exchange import Exchange, Identity


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """The user that a verified token makes: one that is authenticated and has no permission in Django.

    Attributes:
        principal: Who the token speaks for.
    """

    principal: Identity
    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_staff: ClassVar[bool] = False
    is_superuser: ClassVar[bool] = False

    @property
    def pk(self) -> str:
        """Issuer and subject, which together name one user (RFC 9700 section 4.15); throttles count by it."""
        return f"{self.principal.issuer} {self.principal.subject}"

    @property
    def username(self) -> str:
        """The token's subject, or the client it was issued to."""
        return self.principal.subject or self.principal.client_id or ""

    def get_username(self) -> str:
        """As `username`, for code that asks like this."""
        return self.username

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002 - Django's signature
        """False: what a token allows is in its scopes and roles."""
        return False

    def has_perms(self, perm_list: object, obj: object = None) -> bool:  # noqa: ARG002
        """False, as for `has_perm`."""
        return False

    def __str__(self) -> str:
        return self.username


class ExchangeAuthentication(BaseAuthentication):  # type: ignore[misc] # untyped
    """Takes the principal from the exchange; the gate has refused every token that is not to be believed.

    `request.user` is a `ServiceUser` and `request.auth` the principal. Where a public rule let a request in without a token there
    is no user, and `IsAuthenticated` answers 401 with the gate's challenge.

    Raises:
        ImproperlyConfigured: On a request, when interservice.django.Middleware is not installed.
    """

    def authenticate(self, request: Any) -> tuple[ServiceUser, Identity] | None:
        """The user and the principal, or None where nobody has been authenticated."""
        principal = _exchange(request).principal
        return None if principal is None else (ServiceUser(principal), principal)

    def authenticate_header(self, request: Any) -> str:
        """The challenge of a 401 (RFC 6750 section 3)."""
        exchange = _exchange(request)
        return bearer(exchange.realm or exchange.service, resource_metadata=exchange.resource_metadata)[1]


def _exchange(request: Any) -> Exchange:
    exchange: Exchange | None = getattr(request, "exchange", None)
    if exchange is None:
        raise ImproperlyConfigured("ExchangeAuthentication needs interservice.django.Middleware in MIDDLEWARE")
    return exchange
