"""Health: whether the process lives, and whether it wants requests; and draining, which says so before a server stops.

Two paths are answered in the application's place. A request for anything else costs two comparisons. Nothing here blocks but
what `prepare` hands out, and one look at a file.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from interservice.condition import Condition, worst
from interservice.errors import Rejection
from interservice.events import ReadinessChanged
from interservice.http import Reply
from interservice.options import check, number, text

from .checks import Check, Target, Watched, watched, work
from .peers import Peers
from .policy import Answer, Policy, Work

if TYPE_CHECKING:
    from interservice.clock import Clock
    from interservice.exchange import Exchange
    from interservice.http import Head, Request

_LOG = logging.getLogger("interservice")
_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
#: Seconds for which what was seen of the drain file is believed.
_LOOK_EVERY: Final = 0.1
#: With one of these a request was passed on by a proxy: its peer is not who asks.
_FORWARDED: Final = ("x-forwarded-for", "forwarded", "x-real-ip", "via")
_DRAINING: Final = "draining"


class _Life:
    """What happens to one `Health`: whether it drains, and what was told of it."""

    __slots__ = ("by_file", "by_hand", "looked_at", "ready", "told")

    def __init__(self) -> None:
        self.by_hand = False
        self.by_file = False
        self.looked_at: float | None = None
        self.ready: bool | None = None
        self.told: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Health(Policy):
    """Answer `/healthz` (the process lives) and `/readyz` (it wants requests) for load balancers and orchestrators.

    Stands first: probes carry no token and no version, and must be answered when requests are shed. Behind `JWTAuth` they get
    401, behind `Admission` 503 when it is full.

    `/healthz` is 200 as long as the process can answer. `/readyz` is 200, or 503 with Retry-After while a critical check fails or
    the instance drains; the body is `application/health+json` (draft-inadarei-api-health-check). While it drains, everything else
    is served as ever, and responses over HTTP/1 under ASGI say `Connection: close`.

    Args:
        checks: What readiness hangs on, by name: a `Verifier` or another keeper of keys, `Revocations`, a `ServiceAdapter`, a
            callable, or a `Check` of one. None by default: see the documentation for why few should be.
        live: The path that tells whether the process lives; None for none.
        ready: The path that tells whether it is ready; None for none.
        drain_file: While this file exists, the instance drains: one for all its processes.
        every: Seconds for which the answer of a callable is kept, and between tries to have keys where there are none.
        timeout: Seconds that a callable may take; after that it has failed until it answers.
        retry_after: Seconds after which whoever was told 503 may ask again.
        details: Who is told of each check: "always", "never", or the networks of peers that ask directly, not through a proxy.
        close_connections: Whether responses end their connections while the instance drains, where the server lets them.

    Raises:
        ConfigurationError: An option makes no sense.
    """

    checks: Mapping[str, Target | Check] = field(default_factory=dict)
    live: str | None = "/healthz"
    ready: str | None = "/readyz"
    drain_file: str | os.PathLike[str] | None = None
    every: float = 5.0
    timeout: float = 2.0
    retry_after: float = 1.0
    details: Literal["always", "never"] | Sequence[str] = _LOOPBACK
    close_connections: bool = True
    _watched: tuple[Watched, ...] = field(init=False, repr=False, compare=False)
    _told_all: Peers | bool = field(init=False, repr=False, compare=False)
    _life: _Life = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check(isinstance(self.checks, Mapping), "Health.checks", "a mapping of names to checks", self.checks)
        for name in self.checks:
            text("Health.checks", name)
        for option in ("live", "ready"):
            path = getattr(self, option)
            text(f"Health.{option}", path, optional=True)
            check(path is None or path.startswith("/"), f"Health.{option}", "a path from '/'", path)
        check(self.live != self.ready or self.live is None, "Health.ready", "another path than Health.live", self.ready)
        number("Health.every", self.every, above=0)
        number("Health.timeout", self.timeout, above=0)
        number("Health.retry_after", self.retry_after, at_least=0)
        if self.drain_file is not None:
            text("Health.drain_file", os.fspath(self.drain_file))
        checks = [(name, one if isinstance(one, Check) else Check(one)) for name, one in self.checks.items()]
        if isinstance(self.details, str):
            check(self.details in {"always", "never"}, "Health.details", "'always', 'never' or networks", self.details)
            told_all: Peers | bool = self.details == "always"
        else:
            told_all = Peers("Health.details", self.details)
        object.__setattr__(self, "_told_all", told_all)
        object.__setattr__(self, "_watched", watched(checks, every=self.every, timeout=self.timeout))
        object.__setattr__(self, "_life", _Life())

    # What operators call

    def drain(self) -> None:
        """Be ready no more: load balancers are to send requests elsewhere; those that come are served. In this process alone."""
        self._life.by_hand = True

    def resume(self) -> None:
        """Take `drain()` back. A drain file counts as long as it is there."""
        self._life.by_hand = False

    @property
    def draining(self) -> bool:
        """Whether it drains, by `drain()` or by the drain file."""
        return self._life.by_hand or self._is_file_there()

    # What the gate calls

    def prepare(self, exchange: Exchange) -> Work | None:
        """Where readiness is asked for: asking the checks that are due."""
        request = exchange.request
        if not _is(request, self.ready) or request.method not in {"GET", "HEAD"} or self._drains(exchange.clock):
            return None
        return work(self._watched, exchange.clock)

    def admit(self, exchange: Exchange) -> None:
        """Answer requests for the two paths, and let every other pass.

        Raises:
            Answer: Whether the process lives, or is ready.
            Rejection: 405 for a method other than GET and HEAD.
        """
        request = exchange.request
        asks_ready = _is(request, self.ready)
        if not asks_ready and not _is(request, self.live):
            return
        exchange.route = self.ready if asks_ready else self.live
        if request.method not in {"GET", "HEAD"}:
            raise Rejection("Health can only be read.", status=405, code="method_not_allowed", headers=[("Allow", "GET, HEAD")])
        exchange.quiet = True
        raise Answer(self._readiness(exchange) if asks_ready else _reply(200, {"status": "pass"}))

    def respond(self, exchange: Exchange, head: Head) -> None:  # noqa: ARG002 - as every policy's
        """While it drains, have the connection end with the response, so that clients that keep it come to others."""
        if self.close_connections and self._drains(exchange.clock):
            exchange.closing = True

    def _readiness(self, exchange: Exchange) -> Reply:
        if self._drains(exchange.clock):
            self._tell(exchange, Condition("fail", _DRAINING), {})
            return self._refusal({"status": "fail", "output": _DRAINING})
        found = {one.name: one.condition() for one in self._watched}
        overall = worst(found.values())
        self._tell(exchange, overall, found)
        document: dict[str, Any] = {"status": overall.status}
        if found and self._may_be_told_all(exchange.request):
            document["checks"] = {name: [_entry(condition)] for name, condition in found.items()}
        return self._refusal(document) if overall.status == "fail" else _reply(200, document)

    def _refusal(self, document: Mapping[str, Any]) -> Reply:
        reply = _reply(503, document)
        reply.headers.append(("Retry-After", str(math.ceil(self.retry_after))))
        return reply

    def _tell(self, exchange: Exchange, overall: Condition, found: Mapping[str, Condition]) -> None:
        """Log each check that turned bad, and report the change, once."""
        life = self._life
        for name, condition in found.items():
            if life.told.get(name, "pass") != condition.status and condition.status != "pass":
                _LOG.warning("health check %r: %s: %s", name, condition.status, condition.output)
            life.told[name] = condition.status
        ready = overall.status != "fail"
        if life.ready is None and life.by_file:
            _LOG.warning("not ready from the start: the drain file %s is there", self.drain_file)
        if life.ready is not ready:
            life.ready = ready
            failing = tuple(name for name, condition in found.items() if condition.status == "fail")
            exchange.report(ReadinessChanged(exchange.service, ready, overall.output == _DRAINING and not found, failing))

    def _may_be_told_all(self, request: Request) -> bool:
        if isinstance(self._told_all, bool):
            return self._told_all
        return request.peer in self._told_all and all(request.headers.get(name) is None for name in _FORWARDED)

    def _drains(self, clock: Clock) -> bool:
        life = self._life
        if self.drain_file is not None:
            now = clock.monotonic()
            if life.looked_at is None or not 0 <= now - life.looked_at < _LOOK_EVERY:
                life.looked_at = now
                life.by_file = self._is_file_there()
        return life.by_hand or life.by_file

    def _is_file_there(self) -> bool:
        return self.drain_file is not None and os.path.exists(self.drain_file)  # noqa: PTH110 - raises on no kind of trouble


def _is(request: Request, path: str | None) -> bool:
    """Whether a request is for a path, which may be said with or without the prefix under which the application is mounted."""
    if path is None or request.kind != "http":
        return False
    return request.path == path or (bool(request.mount) and request.mount + request.path == path)


def _entry(condition: Condition) -> dict[str, Any]:
    """A check in the document: an object in a list, as the draft has it."""
    return {"status": condition.status} | ({} if condition.output is None else {"output": condition.output})


def _reply(status: int, document: Mapping[str, Any]) -> Reply:
    body = json.dumps(document).encode()
    headers = [
        ("Content-Type", "application/health+json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    return Reply(status, headers, body)
