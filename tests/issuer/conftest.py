"""One embedded issuer with clients of every kind, over a real loopback socket, on a clock that stands still."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import requests

from interservice.issuer import AuthorizationServer, Client, KeyRing, Server, serve
from interservice.issuer.keys import generate
from interservice.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = {alg: generate(alg) for alg in ("RS256", "PS256", "ES256", "EdDSA")}
SECRET = "s3cret +%:ü"


@dataclass
class Scene:
    """The server, its clock, and requests to it."""

    server: Server[AuthorizationServer]
    clock: FakeClock
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def app(self) -> AuthorizationServer:
        return self.server.app

    @property
    def issuer(self) -> str:
        return self.app.issuer

    def post(self, path: str, form: Any = None, **kwargs: Any) -> requests.Response:
        return self.session.post(self.issuer + path, form, timeout=10, allow_redirects=False, **kwargs)

    def token(self, form: dict[str, Any] | None = None, *, basic: tuple[str, str] | None = ("orders", "plain"), **kw: Any) -> Any:
        return self.post("/token", {"grant_type": "client_credentials"} | (form or {}), auth=basic, **kw)


@pytest.fixture(scope="session")
def ring() -> KeyRing:
    return KeyRing([generate("ES256")])


@pytest.fixture
def scene(ring: KeyRing) -> Iterator[Scene]:
    clock = FakeClock()
    clients = [
        Client(client_id="orders", secret="plain", scopes=["a", "b"], audiences=["invoices", "billing"]),
        Client(client_id="odd:id +%", secret=SECRET),
        Client(client_id="keyed", jwks={"keys": [key.jwk for key in KEYS.values()]}, scopes=["a"]),
        Client(client_id="resource", secret="plain", introspects=True),
        Client(client_id="exchanger", secret="plain", scopes=["a", "c"], audiences=["billing"], exchanges=True, lifetime=1000),
    ]
    keys = KeyRing(ring.current)
    with serve(clients=clients, keys=keys, clock=clock, admin_token="open sesame", out=io.StringIO()) as server:
        scene = Scene(server, clock)
        with scene.session:
            yield scene
