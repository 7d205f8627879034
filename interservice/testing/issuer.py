"""An issuer of tokens for tests: in memory, or on a real loopback port, with rotation and faults.

Needs the core dependencies alone. It believes every client: authentication is what `interservice.issuer` is for.
"""

from __future__ import annotations

import base64
import json
import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote_plus

from interservice import options
from interservice.clock import SYSTEM
from interservice.issuer.keys import KeyRing
from interservice.issuer.minting import access_token_claims, sign
from interservice.issuer.serving import Server

from .faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from interservice.clock import Clock
    from interservice.issuer.keys import SigningKey

_MAX_FORM = 65536


class Issuer:
    """Mints tokens and publishes the keys that verify them.

    Example::

        issuer = Issuer()
        verifier = Verifier(issuer=issuer.issuer, audience="orders", keys=StaticKeys(issuer.jwks))
        verifier.verify(issuer.mint(sub="svc-a", aud="orders", scope="orders:read"))

        with issuer.serve() as url:                 # the same over a socket: discovery, keys and tokens
            Verifier(issuer=url, audience="orders")

    Args:
        issuer: The identifier in `iss`. By default the URL it is (or was last) served at, and https://issuer.test before that.
        algorithms: One key is made for each; the first signs where no `alg` is asked for.
        keys: Keys to start with instead of new ones, such as the `published` of another issuer.
        clock: Its `time()` gives iat and exp; a `FakeClock` freezes them.
        expires_in: The default lifetime of tokens, in seconds.

    Attributes:
        requests: Method and path of every request served, oldest first.
    """

    def __init__(
        self,
        issuer: str | None = None,
        *,
        algorithms: Sequence[str] = ("RS256", "ES256", "EdDSA"),
        keys: Sequence[SigningKey] | None = None,
        clock: Clock = SYSTEM,
        expires_in: float = 300.0,
    ) -> None:
        options.text("Issuer.issuer", issuer, optional=True)
        options.number("Issuer.expires_in", expires_in, above=0)
        self.keys = KeyRing.generate(algorithms) if keys is None else KeyRing(keys)
        self.clock = clock
        self.expires_in = expires_in
        self.requests: list[tuple[str, str]] = []
        self._issuer = issuer
        self._served: Server[WSGIApplication] | None = None
        self._port = 0
        self._url: str | None = None
        self._lock = threading.Lock()
        self._faults: tuple[Fault, ...] = ()

    @property
    def issuer(self) -> str:
        """The identifier in `iss` (RFC 8414 section 2)."""
        return self._issuer or self._url or "https://issuer.test"

    @property
    def url(self) -> str:
        """Where it is served; RuntimeError outside `with issuer.serve():`."""
        if self._served is None:
            msg = "the issuer is not served: use it inside `with issuer.serve():`"
            raise RuntimeError(msg)
        return self._served.url

    @property
    def jwks(self) -> dict[str, Any]:
        """The published public keys, a JWK Set (RFC 7517)."""
        return self.keys.jwks

    def mint(
        self,
        *,
        sub: str | None = "test-client",
        aud: str | list[str] | None = None,
        scope: str | Iterable[str] | None = None,
        expires_in: float | None = None,
        alg: str | None = None,
        headers: Mapping[str, Any] | None = None,
        key: SigningKey | None = None,
        **claims: Any,
    ) -> str:
        """A signed access token (RFC 9068), good unless asked otherwise.

        Args:
            sub: The subject, and the client unless `client_id` is given.
            aud: The audience, one or several.
            scope: Scopes, in one string or a list.
            expires_in: Seconds until exp; negative for a token that has expired.
            alg: The algorithm, one the issuer has a key for.
            headers: Put over the JOSE header as they are; None takes a member out.
            key: Another key to sign with, for a forged token; its kid is sent unless `headers` say otherwise.
            claims: Put over the claims as they are; None takes a claim out.
        """
        signing = key or self.keys.key(alg)
        base = access_token_claims(
            issuer=self.issuer,
            subject=sub or "",
            audience=aud,
            client_id=sub or "test-client",
            scope=scope if scope is None or isinstance(scope, str) else " ".join(scope),
            now=self.clock.time(),
            lifetime=self.expires_in if expires_in is None else expires_in,
            token_id=str(uuid.uuid4()),
        )
        if sub is None:
            del base["sub"]
        return sign(signing, {**base, **claims}, alg=alg, headers=headers)

    def rotate(self, *, keep: int = 1) -> None:
        """Sign with new keys, and go on publishing the last `keep` generations; 0 drops the old keys at once."""
        self.keys.rotate(keep=keep)

    def fail(self, kind: str, **details: Any) -> Fault:
        """Answer wrongly until `heal()`: unavailable, error, slow, redirect, huge, html or refused; see `Fault` for details."""
        fault = Fault(kind=kind, **details)
        with self._lock:
            self._faults = (*self._faults, fault)
        return fault

    def heal(self) -> None:
        """Answer rightly again; slow answers under way come at once."""
        with self._lock:
            over, self._faults = self._faults, ()
        for fault in over:
            fault.ended.set()

    def hits(self, path: str) -> int:
        """How many requests for `path` were served."""
        return sum(1 for _, seen in list(self.requests) if seen == path)

    @contextmanager
    def serve(self, *, port: int | None = None) -> Iterator[str]:
        """Serve on 127.0.0.1 and give the URL; again on the same port when it was served before and none is named."""
        server = Server(lambda _url: self.wsgi, port=self._port if port is None else port)
        self._served, self._port, self._url = server, server.port, server.url
        try:
            with server:
                yield server.url
        finally:
            self._served = None
            self.heal()

    @property
    def wsgi(self) -> WSGIApplication:
        """The WSGI application: both discovery documents, /jwks, and a /token that believes every client."""
        return self._respond

    def _respond(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        self.requests.append((environ["REQUEST_METHOD"], path))
        for fault in self._faults:
            if fault.path in {None, path}:
                return fault.answer(self._answer, environ, start_response)
        return self._answer(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, cache = environ.get("PATH_INFO", ""), "no-store"
        if path == "/jwks":
            status, document, cache = "200 OK", self.jwks, "max-age=300"
        elif path in {"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"}:
            status, document = "200 OK", self._metadata(environ)
        elif path == "/token" and environ["REQUEST_METHOD"] == "POST":
            status, document = self._token(environ)
        else:
            status, document = "404 Not Found", {"error": "not_found"}
        body = json.dumps(document).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", cache)]
        start_response(status, headers)
        return [body]

    def _metadata(self, environ: WSGIEnvironment) -> dict[str, Any]:
        root = self._url or f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}"
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{root}/jwks",
            "token_endpoint": f"{root}/token",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        }

    def _token(self, environ: WSGIEnvironment) -> tuple[str, dict[str, Any]]:
        length = min(int(environ.get("CONTENT_LENGTH") or 0), _MAX_FORM)
        form = {name: values[0] for name, values in parse_qs(environ["wsgi.input"].read(length).decode()).items()}
        if form.get("grant_type") != "client_credentials":
            return "400 Bad Request", {"error": "unsupported_grant_type"}
        scope, audience = form.get("scope"), form.get("audience") or form.get("resource")
        token = self.mint(sub=_claimed_client(environ, form), aud=audience or self.issuer, scope=scope)
        granted = {} if scope is None else {"scope": scope}
        return "200 OK", {"access_token": token, "token_type": "Bearer", "expires_in": int(self.expires_in), **granted}

    def __repr__(self) -> str:
        return f"Issuer({self.issuer!r})"


def _claimed_client(environ: WSGIEnvironment, form: Mapping[str, str]) -> str:
    """Whoever the client says it is: Basic, the form, or an assertion's subject, in that order."""
    scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    try:
        if scheme.lower() == "basic":
            return unquote_plus(base64.b64decode(value).decode().partition(":")[0])
        if "client_assertion" in form:
            payload = form["client_assertion"].split(".")[1]
            return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"])
    except (ValueError, LookupError):
        pass
    return form.get("client_id", "test-client")
