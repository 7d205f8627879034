"""The adapter: everything that a call between services needs, behind the one seam of `requests` that is made for it.

    session.mount("http://billing/", ServiceAdapter("billing", endpoints=["http://10.0.0.1:8000", "http://10.0.0.2:8000"]))

One adapter may serve many threads and many sessions. What it keeps per process (pools, circuits, budgets, places) is made anew in
a forked child and in a copy; a request is never changed, and never sent twice where that could do something twice.
"""

from __future__ import annotations

import math
import os
from collections import deque
from typing import TYPE_CHECKING, Any

from requests.adapters import DEFAULT_POOLBLOCK, DEFAULT_POOLSIZE, HTTPAdapter

from interservice import options
from interservice.clock import SYSTEM
from interservice.condition import PASS, Condition
from interservice.errors import ConfigurationError
from interservice.events import Listeners
from interservice.exchange import entered

from .address import Address, endpoint_address
from .balancer import Balancer
from .breaker import CircuitBreaker
from .bulkhead import Bulkhead
from .carrier import CallCarrier
from .connection import Dialling
from .destinations import Destinations, Settings
from .discovery import Polled
from .ejection import Ejection
from .lifecycle import Notices
from .patience import default_patience, patience
from .pools import instrument
from .resolve import Resolver
from .retry import Retry
from .routes import Routes
from .stream import clean_up
from .timeouts import ANY_HOST, Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from random import Random

    import requests
    import urllib3

    from interservice.clock import Clock
    from interservice.condition import Status
    from interservice.events import Listener

    from .circuit import Circuit
    from .discovery import Discovery, Found
    from .steps import Auth
    from .stream import StreamEnding
    from .versioning import ClientVersion


#: As many endpoints as a discovery finds, and more.
_MANY = 128


class ServiceAdapter(HTTPAdapter):
    """An `HTTPAdapter` for calls between services: deadlines, retries, circuits, a bulkhead, load balancing and tokens.

    `ServiceAdapter()` takes the place of `HTTPAdapter()` where nothing fails. Responses have `.attempts`, a list of `Attempt`; so
    have the exceptions it raises, which are those of `requests` or subclasses of them.

    Args:
        service: The name of the service: for events and errors, and the host that it is expected to be mounted for.
        endpoints: Where it runs: URLs, or what finds them in the background from the first call on: `DNS`, `SRV`, or a callable
            that gives URLs, which is called every 30 s (see `Polled`). The host of a request's URL then is a logical name, kept
            in Host, SNI, cookies and `Response.url`. None: the URL says where, and every origin is an endpoint with a circuit and
            a bulkhead of its own.
        timeouts: How long a call may take; holds where the caller gave no `timeout`. `timeout=(None, None)` opts out. None:
            `Timeouts()` for an adapter with a service or endpoints; one without may meet any host, and then has patience:
            10 s to connect and 60 s for a read, with no total.
        retry: What is tried again; None for nothing.
        breaker: When to stop calling an endpoint; None for never.
        bulkhead: How many calls may be under way; None for any number.
        balancer: How calls are spread over endpoints.
        ejection: When one of several endpoints is left out because it does worse than the others; None for never.
        auth: Where bearer tokens come from, such as `ClientCredentials`; None for none.
        version: The API version to ask for, as `ClientVersion("2", path="/v{version}")`; None to say nothing. What answers say of
            its end is one warning in the log and an event for each call, with or without it.
        trace_formats: In which formats beside W3C Trace Context the trace is sent along: any of "b3", "b3-multi", "xray", "gcp".
        listeners: Are told `Attempted`, `Called`, `CircuitChanged`, `EndpointEjected`, `Shed` and `RetryBudgetExhausted`.
        clock: Time.
        random: Randomness, for pauses and picks; None for a generator of its own.
        pool_connections: How many pools are kept; by default enough for every endpoint.
        pool_maxsize: How many idle connections a pool keeps; by default as many as the bulkhead lets be under way.
        max_retries: urllib3's own retries, as for `HTTPAdapter`; any but 0 turns `retry` off.
        pool_block: As for `HTTPAdapter`.

    Raises:
        ConfigurationError: an option has a value that cannot work.
    """

    __attrs__ = [*HTTPAdapter.__attrs__, "_settings", "_timeouts", "_mounted", "_max_idle", "_max_age"]  # noqa: RUF012 - as requests has it
    _resolver: Resolver | None = None

    def __init__(
        self,
        service: str | None = None,
        *,
        endpoints: Sequence[str] | Discovery | Callable[[], Iterable[str | Found]] | None = None,
        timeouts: Timeouts | None = None,
        retry: Retry | None = Retry(),  # noqa: B008 - frozen
        breaker: CircuitBreaker | None = CircuitBreaker(),  # noqa: B008
        bulkhead: Bulkhead | None = Bulkhead(),  # noqa: B008
        balancer: Balancer = Balancer("p2c"),  # noqa: B008
        ejection: Ejection | None = Ejection(),  # noqa: B008
        auth: Auth | None = None,
        version: ClientVersion | None = None,
        trace_formats: Sequence[str] = (),
        listeners: Iterable[Listener] = (),
        clock: Clock = SYSTEM,
        random: Random | None = None,
        pool_connections: int | None = None,
        pool_maxsize: int | None = None,
        max_retries: int | urllib3.Retry = 0,
        pool_block: bool = DEFAULT_POOLBLOCK,
    ) -> None:
        if timeouts is None:
            timeouts = ANY_HOST if service is None and endpoints is None else Timeouts()
        options.check(isinstance(timeouts, Timeouts), "ServiceAdapter.timeouts", "a Timeouts or None", timeouts)
        self._settings = Settings(
            service=service,
            endpoints=_endpoints(endpoints),
            retry=None if max_retries else retry,
            breaker=breaker,
            bulkhead=bulkhead,
            balancer=balancer,
            ejection=ejection,
            auth=auth,
            version=version,
            trace_formats=options.strings("ServiceAdapter.trace_formats", trace_formats),
            listeners=Listeners(listeners, option="ServiceAdapter.listeners"),
            clock=clock,
            random=random,
        )
        self._timeouts = timeouts
        self._mounted: frozenset[str] = frozenset()
        self._max_idle = 55.0
        self._max_age = 300.0
        places = bulkhead.max_concurrent if bulkhead is not None else 0
        super().__init__(
            pool_connections=pool_connections or max(DEFAULT_POOLSIZE, 2 * _expected(self._settings.endpoints)),
            pool_maxsize=pool_maxsize or max(DEFAULT_POOLSIZE, places),
            max_retries=max_retries or 0,
            pool_block=pool_block,
        )
        self._start()

    # What requests calls

    def send(  # noqa: PLR0917 - the signature of requests
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002
        timeout: Any = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Make one call: as often as it takes and is allowed, within its time.

        Raises:
            requests.RequestException: no response was had; see `interservice.outbound.errors` for what policies raise.
        """
        if self._process != os.getpid():
            self._renew()
        if self._orphans:
            clean_up(self._orphans)
        limits = self._patience if timeout is None else patience(timeout, self._patience)
        exchange = entered()
        now = self._settings.clock.monotonic()
        deadline = math.inf if limits.total is None else now + limits.total
        if exchange is not None and not exchange.finished:  # a task that goes on behind the answer has its trace, not its time
            deadline = min(deadline, now + exchange.deadline.remaining())
        route = self._routes.find(request, verify, cert, proxies)
        return CallCarrier(self, route, request, exchange, limits, stream=bool(stream), timeout=timeout).call(now, deadline)

    def close(self) -> None:
        """Close every pooled connection; the adapter may be used again."""
        super().close()
        self._routes.forget()

    # What operators ask

    def snapshot(self) -> dict[str, Any]:
        """Plain data: `{"service", "in_flight", "endpoints": {url: {"state", "in_flight", ...}}, "budget": {"balance"}}`."""
        clean_up(self._orphans)
        return self._destinations.snapshot()

    def condition(self) -> Condition:
        """For `Health`: warn while circuits are open, fail while all are; what many depend on makes no instance unready alone."""
        if self._process != os.getpid():
            return PASS
        states = [facts["state"] for facts in self.snapshot()["endpoints"].values()]
        opened = states.count("open") + states.count("forced_open")
        if not opened:
            return PASS
        status: Status = "warn" if opened < len(states) else "fail"
        return Condition(status, f"{opened} of {len(states)} circuits are open", critical=False)

    def circuit(self, endpoint: str) -> Circuit:
        """The live circuit of an endpoint, to look at or to open by hand.

        Raises:
            ConfigurationError: there is no such endpoint, or the adapter has no breaker.
        """
        return self._destinations.circuit(endpoint_address("ServiceAdapter.circuit(endpoint)", endpoint))

    # What is kept, and made anew

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = DEFAULT_POOLBLOCK, **pool_kwargs: Any) -> None:  # noqa: FBT001
        """As `HTTPAdapter`'s, with pools of ours."""
        super().init_poolmanager(connections, maxsize, block, dialling=self._dialling(), **pool_kwargs)
        instrument(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """As `HTTPAdapter`'s, with pools of ours; those of SOCKS proxies are urllib3's."""
        if proxy in self.proxy_manager or proxy.lower().startswith("socks"):
            return super().proxy_manager_for(proxy, **proxy_kwargs)
        manager = super().proxy_manager_for(proxy, dialling=self._dialling(), **proxy_kwargs)
        instrument(manager)
        return manager

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._start()

    def __deepcopy__(self, memo: dict[int, Any]) -> ServiceAdapter:
        """A copy with the same options, listeners and credentials, and nothing of its life so far."""
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__setstate__(self.__getstate__())
        return twin

    def _serve(self, netloc: str) -> None:
        """It was mounted for that host and port; credentials go to nobody else from now on."""
        self._mounted |= {netloc}
        self._routes.forget()

    def _dialling(self, address: Address | None = None) -> Dialling:
        endpoint = None if address is None else (address.host, address.port)
        resolver = self._resolver = self._resolver or Resolver()
        kept = {"max_idle": self._max_idle, "max_age": self._max_age}
        return Dialling(endpoint=endpoint, clock=self._settings.clock, resolver=resolver, **kept)

    def _start(self) -> None:
        self._process = os.getpid()
        self._patience = default_patience(self._timeouts)
        self._destinations = Destinations(self._settings)
        self._notices = Notices()
        self._orphans: deque[StreamEnding] = deque()
        self._routes = Routes(self, self._settings, self._destinations, self._mounted)

    def _renew(self) -> None:
        """In a forked child: sockets are the parent's, and a lock may be held by a thread that was not taken along."""
        self.proxy_manager = {}
        self._resolver = None
        self.init_poolmanager(self._pool_connections, self._pool_maxsize, block=self._pool_block)
        self._start()


def _endpoints(
    endpoints: Sequence[str] | Discovery | Callable[[], Iterable[str | Found]] | None,
) -> tuple[Address, ...] | Discovery | None:
    if endpoints is None:
        return None
    if hasattr(endpoints, "find") and hasattr(endpoints, "refresh"):
        options.number("ServiceAdapter.endpoints.refresh", endpoints.refresh, above=0)
        return endpoints
    if callable(endpoints):
        return Polled(endpoints)
    urls = options.strings("ServiceAdapter.endpoints", endpoints)
    addresses = tuple(endpoint_address("ServiceAdapter.endpoints", url) for url in urls)
    if not addresses or len(set(addresses)) != len(addresses):
        msg = f"ServiceAdapter.endpoints must be one or more different URLs, not {list(urls)!r}"
        raise ConfigurationError(msg)
    return addresses


def _expected(endpoints: tuple[Address, ...] | Discovery | None) -> int:
    """How many endpoints to be ready for."""
    return len(endpoints or ()) if isinstance(endpoints, tuple | None) else _MANY
