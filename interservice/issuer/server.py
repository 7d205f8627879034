"""The authorization server's decisions, for development, demonstrations and tests: tokens, introspection, rotation.

Everything is in memory and gone with the process. HTTP is in `endpoints`; locks are held around look-ups only.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from interservice import options
from interservice.clock import SYSTEM
from interservice.errors import ConfigurationError
from interservice.hosts import check_url

from . import endpoints, grants
from .authentication import Authentication
from .clients import matches
from .errors import OAuthError
from .keys import KeyRing
from .minting import ACCESS_TOKEN_TYPE, access_token_claims, sign

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import ModuleType

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from interservice.clock import Clock

    from .clients import Client
    from .grants import Grant
    from .jose import Keys
    from .keys import SigningKey

METHODS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt")
#: What introspection tells of a token (RFC 7662 section 2.2, RFC 8693 section 4.1).
_TOLD: Final = ("scope", "client_id", "exp", "iat", "nbf", "sub", "aud", "iss", "jti", "act")


class AuthorizationServer:
    """Issues access tokens (RFC 9068) to registered services, and publishes the keys that verify them; a WSGI application.

    Serves RFC 8414 and OpenID discovery, /jwks, /token (client credentials, token exchange), /introspect (RFC 7662), and, where
    an admin token was given, POST /admin/rotate. Paths are below the issuer's own path.

    Args:
        issuer: The identifier, an https URL (http on loopback) without query, fragment or slash at its end.
        clients: The registered clients.
        keys: The signing keys; by default new ones for RS256, ES256 and EdDSA, of which the first signs.
        lifetime: Seconds that tokens live, unless a client has its own.
        jwks_max_age: Seconds that verifiers may cache the keys.
        admin_token: Turns on the admin endpoint for who presents it as a bearer token; only its digest is kept.
        allow_http: Whether the identifier may be http beyond loopback, as between containers of one machine.
        clock: Gives iat and exp.

    Raises:
        ConfigurationError: An option cannot work, or the extra `issuer` is not installed.
    """

    def __init__(
        self,
        *,
        issuer: str,
        clients: Iterable[Client] = (),
        keys: KeyRing | None = None,
        lifetime: float = 300.0,
        jwks_max_age: int = 300,
        admin_token: str | None = None,
        allow_http: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        _check_issuer(issuer, allow_http=allow_http)
        options.number("AuthorizationServer.lifetime", lifetime, at_least=1)
        options.number("AuthorizationServer.jwks_max_age", jwks_max_age, at_least=0, integer=True)
        options.check(admin_token is None or bool(admin_token), "AuthorizationServer.admin_token", "a non-empty string", "")
        self.issuer = issuer
        self.keys = keys or KeyRing.generate(("RS256", "ES256", "EdDSA"))
        self.lifetime = lifetime
        self.jwks_max_age = jwks_max_age
        self._clock = clock
        self._jose = _jose()
        self._admin = None if admin_token is None else hashlib.sha256(admin_token.encode()).digest()
        self._clients = _by_id(clients)
        client_keys = {
            client.client_id: self._jose.Keys(client.jwks, option=f"Client({client.client_id!r}).jwks")
            for client in self._clients.values()
            if client.jwks is not None
        }
        self._authentication = Authentication(issuer, self._clients, client_keys, clock)
        self._verifying: tuple[tuple[SigningKey, ...], Keys] | None = None
        self._revoked: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        return endpoints.respond(self, environ)(environ, start_response)

    @property
    def base_path(self) -> str:
        """The path of the issuer's URL, below which everything is."""
        return urlsplit(self.issuer).path

    @property
    def has_admin(self) -> bool:
        """Whether the admin endpoint is there."""
        return self._admin is not None

    def is_admin(self, token: str) -> bool:
        """Whether `token` opens the admin endpoint."""
        return matches(self._admin, token)

    def metadata(self) -> dict[str, Any]:
        """The discovery document (RFC 8414 section 2)."""
        algorithms = list(self._jose.ALGORITHMS)
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/jwks",
            "token_endpoint": f"{self.issuer}/token",
            "introspection_endpoint": f"{self.issuer}/introspect",
            "grant_types_supported": [grants.CLIENT_CREDENTIALS, grants.TOKEN_EXCHANGE],
            "response_types_supported": [],
            "scopes_supported": sorted({scope for client in self._clients.values() for scope in client.scopes}),
            "token_endpoint_auth_methods_supported": list(METHODS),
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "introspection_endpoint_auth_methods_supported": list(METHODS),
            "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        }

    def rotate(self, *, keep: int = 1) -> None:
        """Sign with new keys, and go on publishing the last `keep` generations; 0 drops the old keys at once."""
        self.keys.rotate(keep=keep)

    def token(self, authorization: str | None, form: Mapping[str, str], targets: Sequence[str] = ()) -> dict[str, Any]:
        """The response to a token request (RFC 6749 section 5.1).

        Args:
            authorization: The Authorization header, or None.
            form: The parameters that occur once.
            targets: The values of `resource` and `audience`.

        Raises:
            OAuthError: The request is refused (RFC 6749 section 5.2).
        """
        kind = form.get("grant_type")
        if kind is None:
            raise OAuthError.invalid_request("grant_type is missing")
        client = self._authentication.client(authorization, form)
        if kind == grants.CLIENT_CREDENTIALS:
            grant = grants.client_credentials(client, form, targets, issuer=self.issuer)
        elif kind == grants.TOKEN_EXCHANGE:
            grant = grants.token_exchange(client, form, targets, issuer=self.issuer, read=self.active)
        else:
            raise OAuthError("unsupported_grant_type", "Only client credentials and token exchange are supported")
        return self._issue(client, grant)

    def introspect(self, authorization: str | None, form: Mapping[str, str]) -> dict[str, Any]:
        """The response to an introspection request (RFC 7662 section 2.2).

        A client that may not introspect every token learns of its own tokens only; any other is inactive to it.

        Raises:
            OAuthError: The client is not authenticated, or `token` is missing.
        """
        client = self._authentication.client(authorization, form)
        if "token" not in form:
            raise OAuthError.invalid_request("token is missing")
        claims = self.active(form["token"])
        if claims is None or not (client.introspects or claims.get("client_id") == client.client_id):
            return {"active": False}
        return {"active": True, "token_type": "Bearer", **{name: claims[name] for name in _TOLD if name in claims}}

    def revoke(self, token: str) -> bool:
        """Make introspection call `token` inactive from now on; False when it is not an active token of this issuer."""
        claims = self.active(token)
        if claims is None:
            return False
        now = self._clock.time()
        with self._lock:
            live = {token_id: end for token_id, end in self._revoked.items() if end > now}
            self._revoked = {**live, str(claims["jti"]): float(claims["exp"])}
        return True

    def active(self, token: str) -> Mapping[str, Any] | None:
        """The claims of an access token of this issuer that is good now; None for anything else."""
        try:
            claims = self._keys().verify(token, types=(ACCESS_TOKEN_TYPE,))
        except self._jose.BadToken:
            return None
        good = (
            claims.get("iss") == self.issuer
            and self._clock.time() < float(claims.get("exp", 0))
            and str(claims.get("jti")) not in self._revoked
        )
        return claims if good else None

    def _issue(self, client: Client, grant: Grant) -> dict[str, Any]:
        now = self._clock.time()
        lifetime = client.lifetime or self.lifetime
        if grant.expires_by is not None:
            lifetime = min(lifetime, grant.expires_by - int(now))
        claims = access_token_claims(
            issuer=self.issuer,
            subject=grant.subject,
            audience=grant.audience[0] if len(grant.audience) == 1 else list(grant.audience),
            client_id=client.client_id,
            scope=" ".join(grant.scopes) or None,
            now=now,
            lifetime=lifetime,
            token_id=str(uuid.uuid4()),
        )
        response = {
            "access_token": sign(self.keys.key(), {**claims, **grant.claims}),
            "token_type": "Bearer",
            "expires_in": claims["exp"] - claims["iat"],
            **grant.response,
        }
        return {**response, "scope": claims["scope"]} if "scope" in claims else response

    def _keys(self) -> Keys:
        """The published keys as joserfc has them; made again after a rotation. Two threads may both make them, to no harm."""
        published, known = self.keys.published, self._verifying
        if known is None or known[0] is not published:
            known = (published, self._jose.Keys({"keys": [key.jwk for key in published]}, option="keys"))
            self._verifying = known
        return known[1]

    def __repr__(self) -> str:
        return f"AuthorizationServer({self.issuer!r}, {len(self._clients)} clients)"


def _jose() -> ModuleType:
    try:
        from . import jose  # noqa: PLC0415 - joserfc is an extra
    except ImportError as error:
        msg = "the embedded issuer needs joserfc: pip install 'interservice[issuer]'"
        raise ConfigurationError(msg) from error
    return jose


def _check_issuer(issuer: str, *, allow_http: bool) -> None:
    check_url("AuthorizationServer.issuer", issuer, allow_http=allow_http)
    plain = "?" not in issuer and "#" not in issuer and not issuer.endswith("/")
    options.check(
        plain, "AuthorizationServer.issuer", "a URL without query, fragment or slash at its end (RFC 8414 section 2)", issuer
    )


def _by_id(clients: Iterable[Client]) -> dict[str, Client]:
    found: dict[str, Client] = {}
    for client in clients:
        if client.client_id in found:
            msg = f"AuthorizationServer.clients must have ids of their own; {client.client_id!r} occurs twice"
            raise ConfigurationError(msg)
        found[client.client_id] = client
    return found
