"""A call to another service: the adapter beside plain `requests` and what is put around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry as Urllib3Retry

from benchmarks.choose import available
from benchmarks.layered import guarded
from benchmarks.measure import calls
from benchmarks.peers import Peer
from benchmarks.scene import Nowhere, Scene
from benchmarks.server import running
from benchmarks.table import Table, Target
from interservice import AccessLog, StatsD
from interservice.outbound import Bulkhead, CircuitBreaker, Retry, ServiceAdapter, ServiceSession, mount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

    from interservice.events import Listener

_TEXT = """\
GET with keep-alive from a server of its own process on loopback, one connection, a JSON body of 44 bytes, read whole.
"Everything on" is endpoints, retry with a budget, circuit breaker, bulkhead, a total deadline; with listeners also
`AccessLog` (a stream that keeps nothing) and `StatsD`. tenacity retries on `requests.ConnectionError` and `Timeout`, three
attempts with random exponential waits, around a pybreaker circuit; stamina has its defaults. Nothing fails, so nobody
retries."""
_WHY = """\
An adapter has no say in what a `requests.Session` does around it (request, cookies, environment, proxies), which is most of a
call on loopback and the same on both sides; a `ServiceSession` leaves the environment out."""
_WHY_SESSION = "What is left is `requests` making the request and the response, and the sockets of both sides."

_stamina = Peer("stamina")
PLAIN = "requests.Session"
ADAPTER = "mounted ServiceAdapter, everything on"
SESSION = "ServiceSession, everything on"


def tables(stack: ExitStack) -> list[Table]:
    """One table."""
    scene = Scene(stack)
    url = stack.enter_context(running())
    statsd = StatsD(scene.statsd, prefix="client")
    stack.callback(statsd.close)
    listeners: list[Listener] = [AccessLog(stream=Nowhere()), statsd]
    address = f"{url}/invoices/7"
    named = "http://billing/invoices/7"

    def getting(session: requests.Session, target: str = address) -> Callable[[int], object]:
        stack.callback(session.close)
        return _gets(session, target)

    sides, missing = available(
        [
            (PLAIN, lambda: getting(requests.Session()), ""),
            ("requests.Session, trust_env off", lambda: getting(_untrusting(requests.Session())), ""),
            (ADAPTER, lambda: getting(_mounted(_adapter(url)), named), ""),
            (f"{ADAPTER}, and listeners", lambda: getting(_mounted(_adapter(url, listeners)), named), ""),
            ("mounted ServiceAdapter(), no endpoints", lambda: getting(_mounted_plainly(ServiceAdapter())), ""),
            (SESSION, lambda: getting(ServiceSession({"billing": _adapter(url)}), named), ""),
            (f"{SESSION}, and listeners", lambda: getting(ServiceSession({"billing": _adapter(url, listeners)}), named), ""),
            ("requests and urllib3's Retry", lambda: getting(_mounted_plainly(HTTPAdapter(max_retries=_urllib3_retry()))), ""),
            ("requests, pybreaker and tenacity", lambda: calls(guarded(getting_one(stack, address))), ""),
            ("requests and stamina", lambda: calls(_stamina_retried(getting_one(stack, address))), ""),
        ]
    )
    layered = "requests, pybreaker and tenacity"
    targets = [Target(ADAPTER, "ratio", 0.95, why=_WHY), Target(SESSION, "ratio", 0.70, why=_WHY_SESSION)]
    if any(side.name == layered for side in sides):
        targets.append(Target(ADAPTER, "beside", 0.80, against=layered, why=_WHY))
    return [
        Table(
            key="outbound",
            title="A call to another service",
            text=_TEXT,
            sides=sides,
            reference=PLAIN,
            clock="wall",
            targets=targets,
            missing=missing,
        )
    ]


def getting_one(stack: ExitStack, url: str) -> Callable[[], object]:
    """One GET by a plain session."""
    session = stack.enter_context(requests.Session())
    return lambda: session.get(url)


def _gets(session: requests.Session, url: str) -> Callable[[int], object]:
    if session.get(url).status_code != requests.codes.ok:
        raise RuntimeError(url)
    get = session.get
    return calls(lambda: get(url))


def _adapter(url: str, listeners: Sequence[Listener] = ()) -> ServiceAdapter:
    """An adapter with everything on, all of it by default."""
    return ServiceAdapter(
        "billing", endpoints=[url], retry=Retry(), breaker=CircuitBreaker(), bulkhead=Bulkhead(), listeners=listeners
    )


def _untrusting(session: requests.Session) -> requests.Session:
    session.trust_env = False
    return session


def _mounted(adapter: ServiceAdapter) -> requests.Session:
    session = requests.Session()
    mount(session, "http://billing", adapter)
    return session


def _mounted_plainly(adapter: HTTPAdapter) -> requests.Session:
    session = requests.Session()
    session.mount("http://", adapter)
    return session


def _urllib3_retry() -> Any:
    return Urllib3Retry(total=2, backoff_factor=0.1, status_forcelist=[502, 503, 504])


def _stamina_retried(get: Callable[[], object]) -> Callable[[], object]:
    retried: Callable[[], object] = _stamina.retry(on=(requests.ConnectionError, requests.Timeout), attempts=3)(get)
    return retried
