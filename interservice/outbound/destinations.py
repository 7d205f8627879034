"""The destinations of an adapter: one, when it was given endpoints; else one for each origin that was asked for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from interservice import options
from interservice.errors import ConfigurationError
from interservice.trace_formats import WRITTEN

from .balancer import Balancer
from .breaker import CircuitBreaker
from .budget import Budget, RetryBudget
from .bulkhead import Bulkhead, Slots
from .call import Destination
from .circuit import Circuit
from .ejection import Ejection
from .endpoint import Endpoint
from .outliers import Outliers
from .retry import Retry
from .roster import Roster
from .versioning import ClientVersion
from .watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interservice.clock import Clock
    from interservice.events import Listeners

    from .address import Address
    from .discovery import Discovery
    from .steps import Auth

#: Origins that are remembered; a crawler's must not grow without bound.
_MOST = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The options of an adapter that its destinations need, checked.

    Raises:
        ConfigurationError: one is of the wrong kind.
    """

    service: str | None
    endpoints: tuple[Address, ...] | Discovery | None
    retry: Retry | None
    breaker: CircuitBreaker | None
    bulkhead: Bulkhead | None
    balancer: Balancer
    auth: Auth | None
    listeners: Listeners
    clock: Clock
    random: Random | None
    ejection: Ejection | None = None
    version: ClientVersion | None = None
    trace_formats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        options.text("ServiceAdapter.service", self.service, optional=True)
        for name, kind in (("retry", Retry), ("breaker", CircuitBreaker), ("bulkhead", Bulkhead), ("ejection", Ejection)):
            value = getattr(self, name)
            options.check(value is None or isinstance(value, kind), f"ServiceAdapter.{name}", f"a {kind.__name__} or None", value)
        version = self.version
        options.check(
            version is None or isinstance(version, ClientVersion), "ServiceAdapter.version", "a ClientVersion or None", version
        )
        for name in self.trace_formats:
            options.one_of("ServiceAdapter.trace_formats", name, WRITTEN)
        options.check(isinstance(self.balancer, Balancer), "ServiceAdapter.balancer", "a Balancer", self.balancer)


class Destinations:
    """Live state by destination. Safe to use from many threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._random = settings.random or Random()  # noqa: S311 - pauses and picks
        self._lock = threading.Lock()
        self._by_origin: dict[Address, Destination] = {}
        where = settings.endpoints
        self._fixed = None if where is None else self._make(where) if isinstance(where, tuple) else self._watched(where)

    def of(self, address: Address) -> Destination:
        """The destination of requests to that origin."""
        return self._fixed or self.at(address)

    def at(self, address: Address) -> Destination:
        """The destination that is this origin, whatever the endpoints; for calls through a proxy, which picks for itself."""
        known = self._by_origin.get(address)
        if known is not None:
            return known
        made = self._make((address,))
        with self._lock:
            if len(self._by_origin) >= _MOST:
                self._drop_idle()
            return self._by_origin.setdefault(address, made)

    def circuit(self, address: Address) -> Circuit:
        """The circuit of an endpoint; that of an origin not asked for yet is made."""
        destination = self.of(address)
        for endpoint in destination.endpoints:
            if endpoint.url == address.url and endpoint.circuit is not None:
                return endpoint.circuit
        msg = f"ServiceAdapter.circuit(endpoint) must be an endpoint with a circuit, not {address.url!r}"
        raise ConfigurationError(msg)

    def snapshot(self) -> dict[str, Any]:
        """The plain data of all of them."""
        now = self._settings.clock.monotonic()
        everything = [self._fixed] if self._fixed is not None else []
        everything += list(self._by_origin.values())
        endpoints = {endpoint.url: endpoint.snapshot(now) for destination in everything for endpoint in destination.endpoints}
        balances = [destination.budget.balance for destination in everything if destination.budget is not None]
        return {
            "service": self._settings.service,
            "in_flight": sum(facts["in_flight"] for facts in endpoints.values()),
            "endpoints": endpoints,
            "budget": {"balance": min(balances, default=None)},
        }

    def _make(self, addresses: Sequence[Address]) -> Destination:
        settings = self._settings
        retry, bulkhead, ejection = settings.retry, settings.bulkhead, settings.ejection
        return Destination(
            settings.service,
            [self._endpoint(address.url) for address in addresses],
            picker=settings.balancer.start(),
            retry=retry,
            budget=self._budget(None if retry is None else retry.budget),
            unsent_budget=self._budget(None if retry is None else retry.unsent_budget),
            outliers=None if ejection is None else self._outliers(ejection),
            slots=None if bulkhead is None else Slots(bulkhead, clock=settings.clock),
            clock=settings.clock,
            random=self._random,
            listeners=settings.listeners,
        )

    def _watched(self, discovery: Discovery) -> Destination:
        """A destination whose endpoints are found in the background, from its first call on."""
        destination = self._make(())
        roster = Roster(self._endpoint)
        destination.watch = Watch(discovery, partial(roster.apply, destination), clock=self._settings.clock, random=self._random)
        return destination

    def _endpoint(self, url: str) -> Endpoint:
        settings = self._settings
        if settings.breaker is None:
            return Endpoint(url)
        name, clock, listeners = settings.service or "", settings.clock, settings.listeners
        return Endpoint(url, Circuit(settings.breaker, name=name, endpoint=url, clock=clock, listeners=listeners))

    def _budget(self, options: RetryBudget | None) -> Budget | None:
        return None if options is None else Budget(options, clock=self._settings.clock)

    def _outliers(self, options: Ejection) -> Outliers:
        settings = self._settings
        return Outliers(options, random=self._random, listeners=settings.listeners, service=settings.service)

    def _drop_idle(self) -> None:
        """Forget the origins that have no call under way and a closed circuit; of all others something is known that matters."""
        for address, destination in list(self._by_origin.items()):
            endpoint = destination.endpoints[0]
            if endpoint.in_flight == 0 and (endpoint.circuit is None or endpoint.circuit.state == "closed"):
                del self._by_origin[address]
