"""The demo's client: threads that call the gateway through a session of interservice's own, and what became of each call.

The client neither retries nor breaks: what it sees is the gateway's work.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests

from interservice.outbound import Bulkhead, ClientCredentials, ServiceAdapter, ServiceSession, Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interservice.clock import Clock

    from .stack import Stack

_PAUSE = 0.02


@dataclass
class Tally:
    """How the calls of a phase went. Safe to add to from many threads."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int | str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    headers: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def calls(self) -> int:
        """How many were made."""
        return self.statuses.total()

    @property
    def successes(self) -> int:
        """How many were answered with 2xx."""
        return sum(count for status, count in list(self.statuses.items()) if isinstance(status, int) and 200 <= status < 300)  # noqa: PLR2004

    @property
    def share(self) -> float:
        """The share of successes, in percent."""
        return 100.0 * self.successes / self.calls if self.calls else 0.0

    def quantile(self, share: float) -> float:
        """The time in milliseconds within which `share` of the successful calls were answered."""
        with self._lock:
            ordered = sorted(self.seconds)
        return 1000.0 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def add(self, response: requests.Response, seconds: float) -> None:
        """Note an answer."""
        with self._lock:
            self.statuses[response.status_code] += 1
            self.headers.update(name.lower() for name in response.headers)
            if response.ok:
                self.seconds.append(seconds)
            elif response.headers.get("Content-Type") == "application/problem+json":
                self.codes[str(response.json().get("code"))] += 1

    def fail(self, error: Exception) -> None:
        """Note a call that got no answer."""
        with self._lock:
            self.statuses[type(error).__name__] += 1


class Traffic:
    """Calls to the gateway of a stack."""

    def __init__(self, stack: Stack, clock: Clock) -> None:
        self._clock = clock
        credentials = ClientCredentials(
            issuer=stack.issuer_url,
            client_id="demo-client",
            client_secret=stack.secret_of("demo-client"),
            scope="orders:read orders:write",
        )
        self._session = ServiceSession(
            {"gateway": _plain("gateway", stack, credentials), "anonymous": _plain("anonymous", stack, None)}
        )
        self.orders: list[str] = []

    def fill(self, orders: int) -> Tally:
        """Create orders, each of which is invoiced by the service behind."""
        tally = Tally()
        for number in range(orders):
            order = {"customer": f"c-{number}", "sku": "book", "quantity": 1 + number % 3, "cents": 1990}
            response = self._call(tally, "POST", "/v2/orders", json=order)
            if response is not None and response.ok:
                self.orders.append(response.json()["id"])
        return tally

    def run(
        self,
        tally: Tally,
        *,
        seconds: float,
        workers: int = 6,
        pause: float = _PAUSE,
        meanwhile: Sequence[Callable[[], object]] = (),
    ) -> None:
        """Read from `workers` threads for a while; each of `meanwhile` happens once, spread over that time."""
        end = self._clock.monotonic() + seconds
        threads = [threading.Thread(target=self._read, args=(tally, end, pause), daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for happening in meanwhile:
            self._clock.sleep(seconds / (len(meanwhile) + 1))
            happening()
        for thread in threads:
            thread.join()

    def get(self, tally: Tally, path: str, token: str | None = None) -> requests.Response | None:
        """One call, with the demo client's token, or with another one."""
        if token is None:
            return self._call(tally, "GET", path)
        return self._call(tally, "GET", path, host="anonymous", headers={"Authorization": f"Bearer {token}"})

    def _read(self, tally: Tally, end: float, pause: float) -> None:
        choice = random.Random()  # noqa: S311 - a mix of calls
        while self._clock.monotonic() < end:
            order = choice.choice(self.orders)
            path = choice.choices([f"/v2/orders/{order}", f"/v2/orders/{order}/invoice", "/v2/orders"], [80, 15, 5])[0]
            self._call(tally, "GET", path)
            self._clock.sleep(pause)

    def _call(
        self, tally: Tally, method: str, path: str, *, host: str = "gateway", **options: object
    ) -> requests.Response | None:
        started = self._clock.monotonic()
        try:
            response = self._session.request(method, f"http://{host}{path}", **options)  # type: ignore[arg-type]
        except requests.RequestException as error:
            tally.fail(error)
            return None
        tally.add(response, self._clock.monotonic() - started)
        return response


def _plain(service: str, stack: Stack, auth: ClientCredentials | None) -> ServiceAdapter:
    """An adapter that hides nothing: no retry, no circuit."""
    return ServiceAdapter(
        service,
        endpoints=[stack.gateway.url],
        auth=auth,
        retry=None,
        breaker=None,
        bulkhead=Bulkhead(max_concurrent=256),
        timeouts=Timeouts(read=15.0, total=15.0),
    )
