"""The demo's client: threads that call the gateway through a session of interservice's own, and what became of each call.

The client breaks no circuit and repeats nothing but reads whose answer broke off: what it sees is the gateway's work.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests

from interservice.outbound import Bulkhead, ClientCredentials, Retry, ServiceAdapter, ServiceSession, Timeouts

from .stack import AUDIENCE, CLIENT, SCOPE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interservice.clock import Clock

    from .stack import Stack

_PAUSE = 0.02
#: What is left for the client to send again: a read whose answer broke off, as by a SIGKILL in the middle of it. Nobody in
#: between can, for its beginning has been passed on.
_RETRY = Retry(attempts=2, statuses=())


@dataclass
class Tally:
    """How the calls of a phase went. Safe to add to from many threads."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int | str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    headers: Counter[str] = field(default_factory=Counter)
    #: How often the client itself sent a request again.
    repeats: int = 0
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
            self.repeats += tries(response) - 1
            self.headers.update(name.lower() for name in response.headers)
            if response.ok:
                self.seconds.append(seconds)
            elif response.headers.get("Content-Type") == "application/problem+json":
                self.codes[str(response.json().get("code"))] += 1

    def fail(self, error: Exception) -> None:
        """Note a call that got no answer."""
        with self._lock:
            self.statuses[type(error).__name__] += 1
            self.repeats += tries(error) - 1


def tries(outcome: requests.Response | Exception) -> int:
    """How often a request was sent until this came of it."""
    return max(1, len(getattr(outcome, "attempts", ())))


class Traffic:
    """Calls to the gateway of a stack."""

    def __init__(self, stack: Stack, clock: Clock) -> None:
        self._clock = clock
        credentials = ClientCredentials(
            issuer=stack.issuer_url, client_id=CLIENT, client_secret=stack.client_secret, scope=SCOPE, audience=AUDIENCE
        )
        self._session = ServiceSession(
            {"gateway": _plain("gateway", stack, credentials), "anonymous": _plain("anonymous", stack, None)}
        )
        self.orders: list[str] = []
        #: How many requests were sent so far, whatever became of them.
        self.sent = 0
        self._lock = threading.Lock()

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
        """Read from `workers` threads for a while; each of `meanwhile` happens once, spread over that time.

        However long they take, there is traffic until the last of them is over.
        """
        end = self._clock.monotonic() + seconds
        over = threading.Event()

        def goes_on() -> bool:
            return self._clock.monotonic() < end or not over.is_set()

        threads = [threading.Thread(target=self._read, args=(tally, goes_on, pause), daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            for happening in meanwhile:
                self._clock.sleep(seconds / (len(meanwhile) + 1))
                happening()
        finally:
            over.set()
        for thread in threads:
            thread.join()

    def get(self, tally: Tally, path: str, token: str | None = None) -> requests.Response | None:
        """One call, with the demo client's token, or with another one."""
        if token is None:
            return self._call(tally, "GET", path)
        return self._call(tally, "GET", path, host="anonymous", headers={"Authorization": f"Bearer {token}"})

    def path(self, choice: random.Random) -> str:
        """What to read next: an order mostly, its invoice or the list at times."""
        order = choice.choice(self.orders)
        return choice.choices([f"/v2/orders/{order}", f"/v2/orders/{order}/invoice", "/v2/orders"], [80, 15, 5])[0]

    def _read(self, tally: Tally, goes_on: Callable[[], bool], pause: float) -> None:
        choice = random.Random()  # noqa: S311 - a mix of calls
        while goes_on():
            self._call(tally, "GET", self.path(choice))
            self._clock.sleep(pause)

    def _call(
        self, tally: Tally, method: str, path: str, *, host: str = "gateway", **options: object
    ) -> requests.Response | None:
        started = self._clock.monotonic()
        try:
            response = self._session.request(method, f"http://{host}{path}", **options)  # type: ignore[arg-type]
        except requests.RequestException as error:
            self._count(error)
            tally.fail(error)
            return None
        self._count(response)
        tally.add(response, self._clock.monotonic() - started)
        return response

    def _count(self, outcome: requests.Response | Exception) -> None:
        with self._lock:
            self.sent += tries(outcome)


def _plain(service: str, stack: Stack, auth: ClientCredentials | None) -> ServiceAdapter:
    """An adapter that hides nothing: no circuit, and no answer."""
    return ServiceAdapter(
        service,
        endpoints=[stack.gateway_url],
        auth=auth,
        retry=_RETRY,
        breaker=None,
        bulkhead=Bulkhead(max_concurrent=256),
        timeouts=Timeouts(read=15.0, total=15.0),
    )
