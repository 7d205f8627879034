"""The embedded issuer on a socket of its own, saying at start what it is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from interservice.clock import SYSTEM

from .server import AuthorizationServer
from .serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from interservice.clock import Clock

    from .clients import Client
    from .keys import KeyRing


def serve(
    *,
    clients: Iterable[Client] = (),
    host: str = "127.0.0.1",
    port: int = 0,
    issuer: str | None = None,
    keys: KeyRing | None = None,
    lifetime: float = 300.0,
    admin_token: str | None = None,
    allow_remote: bool = False,
    clock: Clock = SYSTEM,
    out: TextIO | None = None,
) -> Server[AuthorizationServer]:
    """An `AuthorizationServer` bound to a port, which serves inside `with`.

    Example::

        with serve(clients=[Client(client_id="orders", secret="...", scopes=["invoices:read"])]) as server:
            server.url            # also the issuer's identifier
            server.app.rotate()

    Args:
        clients: The registered clients.
        host: An address or name to listen on.
        port: 0 takes a free one.
        issuer: The identifier, where it is not the URL it is served at.
        keys: The signing keys; new ones by default.
        lifetime: Seconds that tokens live.
        admin_token: Turns on the admin endpoint.
        allow_remote: Whether it may be reached from other machines, and its identifier be plain http beyond loopback.
        clock: Gives the tokens' times.
        out: Where the notice that this is for development goes; standard error by default.

    Raises:
        ConfigurationError: `host` is not loopback and `allow_remote` is not set, or another option cannot work.
        OSError: The port is taken.
    """

    def make_app(url: str) -> AuthorizationServer:
        return AuthorizationServer(
            issuer=issuer or url,
            clients=clients,
            keys=keys,
            lifetime=lifetime,
            admin_token=admin_token,
            allow_http=allow_remote,
            clock=clock,
        )

    server = Server(make_app, host=host, port=port, allow_remote=allow_remote)
    notice = f"interservice issuer at {server.url}: for development only, keys and clients are in memory, nothing is rate-limited"
    print(notice, file=out or sys.stderr, flush=True)
    return server
