"""The reference architecture on real servers: NGINX or Envoy, forward-auth, HAProxy, oidc-provider, Redis, collectd, Prometheus.

Every server runs in a folder and a process group of its own, on free ports of 127.0.0.1, and ends with the stack.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import requests

from interservice.cli.demo.ending import undisturbed
from interservice.cli.demo.process import free_port, gunicorn
from interservice.cli.demo.services import Services
from interservice.cli.demo.stack import AUDIENCE, CLIENT, SCOPE, Balancing
from interservice.clock import SYSTEM
from interservice.issuer import KeyRing
from interservice.tokens import Revocations

from . import balancer, monitoring, parts
from .authority import make_edge, make_gate, make_verifier
from .place import Place
from .programs import find_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from interservice.cli.demo.process import Process
    from interservice.clock import Clock
    from interservice.issuer import SigningKey

    from .parts import Gateway

_ROTATED_WITHIN = 20.0
_OUT_WITHIN = 10.0
_LOOK_EVERY = 0.05


class ServersStack:
    """Everything, running; a context manager that leaves nothing behind.

    Args:
        examples: The folder of the example services, in a checkout where `make servers` was run.
        output: Where configurations, logs and data go.
        gateway: Which server stands in front.
        admitted: Requests under way in one orders instance, above which it sheds load.
        clock: For waiting.

    Raises:
        ConfigurationError: A server is not installed; the message says how to get it.
    """

    balancing = Balancing(what="HAProxy", well="UP", out=frozenset({"DOWN", "NOLB", "MAINT"}), slowness=1.5)

    def __init__(
        self, examples: Path, output: Path, gateway: Gateway = "nginx", *, admitted: int = 64, clock: Clock = SYSTEM
    ) -> None:
        self._clock = clock
        self._place = place = Place(output, find_all(gateway, examples.parent), clock)
        self._open = ExitStack()
        self._secrets = {name: secrets.token_hex(32) for name in (CLIENT, "orders", "redis", "gateway")}
        self._keys = KeyRing.generate(["RS256"])
        self._issuer = parts.oidc_provider(place, self._keys, self._clients())
        redis = parts.redis(place, self._secrets["redis"])
        revocations = f"redis://:{self._secrets['redis']}@127.0.0.1:{redis.port}/0"
        self._revocations = Revocations(revocations)
        statsd, self._status, metrics = free_port(socket.SOCK_DGRAM), free_port(), free_port()
        told = {"ISSUER": self.issuer_url, "STATSD": f"127.0.0.1:{statsd}"}
        mine = {"CLIENT_ID": "orders", "CLIENT_SECRET": self._secrets["orders"], "MAX_CONCURRENT": str(admitted)}
        self._services = Services(examples, output, told, mine, clock)
        haproxy = parts.haproxy(place, status=self._status, metrics=metrics, orders=self.orders)
        collectd = parts.collectd(place, statsd)
        self._prometheus = parts.prometheus(place, statsd=collectd.port, haproxy=metrics)
        authority = self._make_authority(revocations)
        gate = make_gate(make_verifier({"ISSUER": self.issuer_url, "REVOCATIONS": revocations}))
        listen = f"127.0.0.1:{free_port()}"
        edge = make_edge(gate, listen=listen, authority=authority.url, orders=haproxy.url)
        self._gateway = parts.gateway(place, gateway, edge)
        #: In the order in which they start.
        self._processes = [redis, collectd, self._prometheus, self._issuer, self._services.invoices, *self.orders]
        self._processes += [haproxy, authority, self._gateway]

    def __enter__(self) -> Self:
        try:
            self._services.migrate()
            for process in self._processes:
                self._open.callback(process.stop)
                process.start()
            self._open.callback(self._revocations.close)
            for instance in self.orders:
                self.await_state(instance, self.balancing.well)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with undisturbed():
            self._open.close()

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
        """The authorization server's identifier."""
        return self._issuer.url

    @property
    def client_secret(self) -> str:
        """The secret of the demo's client, made for this run."""
        return self._secrets[CLIENT]

    def key(self) -> SigningKey:
        """What the authorization server signs with now."""
        return self._keys.key()

    def rotate_keys(self) -> None:
        """Sign with new keys from now on; the last ones are still published."""
        self._keys.rotate()
        parts.write_keys(self._place, self._keys)
        requests.post(f"{self.issuer_url}/__rotate", timeout=_ROTATED_WITHIN).raise_for_status()

    def stop_issuer(self) -> None:
        """Take the authorization server away."""
        self._issuer.stop()

    def start_issuer(self) -> None:
        """Bring the authorization server back with the keys it had."""
        self._issuer.start()

    def slow_down(self, instance: Process, seconds: float) -> None:
        """Make an orders instance as a whole late, health checks included; 0 makes it well."""
        self._services.fault(instance, **({"stall": seconds} if seconds else {}))

    def burden(self, seconds: float) -> None:
        """Make every order take longer; 0 makes them light again."""
        for instance in self.orders:
            self._services.fault(instance, **({"delay": seconds} if seconds else {}))

    def states(self) -> Mapping[str, str]:
        """The state of each orders instance, as HAProxy has it."""
        try:
            return balancer.look(self._status, "orders").states
        except OSError:
            return {}

    def retries(self) -> int:
        """How many second and third tries HAProxy made."""
        return balancer.look(self._status, "orders").retries

    def restart(self, instance: Process) -> None:
        """Restart an orders instance in good order: not ready, then stopped once HAProxy has seen that, then UP again.

        The others have to be well, or there would be nobody to do its work.
        """
        for other in self.orders:
            self.await_state(other, self.balancing.well)
        drain = self._services.drain_file(instance)
        drain.touch()
        try:
            self.await_state(instance, *self.balancing.out)
            instance.stop()
        finally:
            drain.unlink()
        instance.start()
        self.await_state(instance, self.balancing.well)

    def await_state(self, instance: Process, *states: str) -> None:
        """Wait until HAProxy has an instance in one of some states, or for ten seconds."""
        give_up = self._clock.monotonic() + _OUT_WITHIN
        while self.states().get(instance.name) not in states and self._clock.monotonic() < give_up:
            self._clock.sleep(_LOOK_EVERY)

    def revoke(self, token_id: str, expires_at: float) -> None:
        """Have one token believed no more, by way of Redis."""
        self._revocations.revoke(self.issuer_url, token_id=token_id, expires_at=expires_at)

    def accounts(self, sent: int) -> tuple[list[str], list[str]]:
        """What Prometheus says of the run, and where it says otherwise than the client and HAProxy."""
        retries = 'sum({__name__=~"haproxy_backend_(retry|redispatch)_warnings_total", proxy="orders"})'
        figures = [
            monitoring.Figure("requests at the gateway", monitoring.statsd("gateway[.]outcome[.].*"), sent, "sent by the client"),
            monitoring.Figure("second and third tries", retries, self.retries(), "HAProxy"),
        ]
        return monitoring.agree(self._prometheus.url, figures, self._clock)

    def save(self, folder: Path) -> None:
        """Write the metrics that Prometheus has."""
        monitoring.save(self._prometheus.url, folder / "metrics.txt")

    def _make_authority(self, revocations: str) -> Process:
        """The service that answers for the gate."""
        port, app = free_port(), "interservice.cli.demo.servers.authority:load()"
        secret = self._secrets["gateway"]
        return self._services.process(
            "authority", gunicorn(port, app, threads=32), port, "", REVOCATIONS=revocations, GATEWAY_SECRET=secret
        )

    def _clients(self) -> list[dict[str, str]]:
        """Who may have tokens: the demo's client for orders, orders for invoices."""
        invoices = "invoices:read invoices:write"
        known = [(CLIENT, AUDIENCE, SCOPE), ("orders", "invoices", invoices)]
        return [
            {"client_id": name, "client_secret": self._secrets[name], "audience": audience, "scope": scope}
            for name, audience, scope in known
        ]
