"""The stack of `interservice demo`: nothing but Python. An issuer and a StatsD receiver in this process, a gateway of our own."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import requests

from interservice.clock import SYSTEM
from interservice.issuer import AuthorizationServer, Client, Server

from .ending import undisturbed
from .gateway import SNAPSHOT
from .process import free_port, gunicorn
from .receiver import Receiver
from .services import Services
from .stack import AUDIENCE, CLIENT, SCOPE, Balancing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from interservice.clock import Clock
    from interservice.issuer import SigningKey

    from .process import Process

#: What the gateway's StatsD listener counts retries under.
_RETRIES = "gateway.retry.orders"


class EmbeddedStack:
    """Everything, running; a context manager that leaves nothing behind.

    Args:
        examples: The folder of the example services.
        output: Where logs go.
        clock: For waiting.
    """

    balancing = Balancing(what="circuits", well="closed", out=frozenset({"open"}), slowness=0.8)

    def __init__(self, examples: Path, output: Path, clock: Clock = SYSTEM) -> None:
        self._secrets = {name: secrets.token_urlsafe(24) for name in (CLIENT, "orders")}
        self._parts = ExitStack()
        self.receiver = self._parts.enter_context(Receiver())
        self._issuer_port = free_port()
        self._authorization_server = self._make_authorization_server()
        self._issuer = Server(lambda _: self._authorization_server, port=self._issuer_port)
        self._services = Services(
            examples,
            output,
            {"ISSUER": self.issuer_url, "STATSD": self.receiver.address},
            {"CLIENT_ID": "orders", "CLIENT_SECRET": self._secrets["orders"]},
            clock,
        )
        port = free_port()
        self._gateway = self._services.process(
            "gateway",
            gunicorn(port, "interservice.cli.demo.gateway:load()", threads=64),
            port,
            "",
            ORDERS_ENDPOINTS=" ".join(instance.url for instance in self.orders),
            MAX_CONCURRENT="12",
        )

    def __enter__(self) -> Self:
        try:
            self._parts.callback(self.stop_issuer)
            self._issuer.start()
            self._services.migrate()
            for process in (self._services.invoices, *self.orders, self._gateway):
                self._parts.callback(process.stop)
                process.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with undisturbed():
            self._parts.close()

    @property
    def orders(self) -> Sequence[Process]:
        """The orders instances."""
        return self._services.orders

    @property
    def gateway_url(self) -> str:
        """Where clients send requests."""
        return self._gateway.url

    @property
    def issuer_url(self) -> str:
        """The issuer's identifier."""
        return f"http://127.0.0.1:{self._issuer_port}"

    @property
    def client_secret(self) -> str:
        """The secret of the demo's client, made for this run."""
        return self._secrets[CLIENT]

    def key(self) -> SigningKey:
        """What the issuer signs with now."""
        return self._authorization_server.keys.key()

    def rotate_keys(self) -> None:
        """Sign with new keys from now on."""
        self._authorization_server.rotate()

    def stop_issuer(self) -> None:
        """Take the issuer away."""
        self._issuer.stop()

    def start_issuer(self) -> None:
        """Bring the issuer back with the keys it had."""
        self._issuer = Server(lambda _: self._authorization_server, port=self._issuer_port).start()

    def slow_down(self, instance: Process, seconds: float) -> None:
        """Make an orders instance wait before each answer; 0 makes it well."""
        self._services.fault(instance, **({"delay": seconds} if seconds else {}))

    def burden(self, seconds: float) -> None:
        """Make every order take longer; 0 makes them light again."""
        for instance in self.orders:
            self.slow_down(instance, seconds)

    def states(self) -> Mapping[str, str]:
        """The state of the gateway's circuit to each orders instance."""
        try:
            snapshot = requests.get(self._gateway.url + SNAPSHOT, timeout=5).json()
        except requests.RequestException:
            return {}
        names = {instance.url: instance.name for instance in self.orders}
        return {names[url]: endpoint["state"] for url, endpoint in snapshot["endpoints"].items()}

    def retries(self) -> int:
        """How many second and third tries the gateway made, as StatsD was told."""
        return int(self.receiver.counters()[_RETRIES])

    def accounts(self, sent: int) -> tuple[list[str], list[str]]:  # noqa: ARG002 - the receiver is no monitoring to check
        """What is wrong with the metrics: lines that could not be read."""
        bad = self.receiver.bad_lines
        return [], [f"{bad} StatsD lines could not be read"] if bad else []

    def save(self, folder: Path) -> None:
        """Write the metrics that were received."""
        self.receiver.write(folder / "metrics.txt")

    def _make_authorization_server(self) -> AuthorizationServer:
        client = Client(client_id=CLIENT, secret=self._secrets[CLIENT], scopes=SCOPE.split(), audiences=[AUDIENCE])
        orders = Client(
            client_id="orders", secret=self._secrets["orders"], scopes=["invoices:read", "invoices:write"], audiences=["invoices"]
        )
        return AuthorizationServer(issuer=self.issuer_url, clients=[client, orders])
