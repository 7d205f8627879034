"""One call of an adapter: it sends what the flow says, and makes of the result what `requests` expects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ClosedPoolError, DecodeError, EmptyPoolError

from interservice.errors import CallError
from interservice.events import Called

from .answer import Answer
from .call import Call
from .driver import drive
from .errors import DeadlineExceeded
from .failure import classify, forget_frames, translate
from .flow import flow
from .forwarding import PassedOn
from .hops import follows, may_be_followed
from .outcome import Outcome
from .pools import ours
from .problem import problem_of
from .propagate import propagated
from .replaced import replaced, send_by_others
from .requested import IDEMPOTENCY_KEYS, keyed, public_url, replayable, rewind, target
from .response import build, load
from .steps import Sent
from .stream import StreamEnding
from .wire import CURRENT_WIRE, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import urllib3

    from interservice.exchange import Exchange

    from .adapter import ServiceAdapter
    from .call import Lease
    from .patience import Patience
    from .problem import Problem
    from .routes import Route
    from .steps import Send
    from .versioning import ClientVersion

#: Bytes of an unwanted body that are read to keep the connection, if they are there.
_WORTH_READING = 65536
_PROMPTLY = 0.05


class CallCarrier:
    """Carries one call; belongs to the thread that makes it.

    Args:
        adapter: Whose call it is.
        route: Where it goes.
        request: What is sent; never changed.
        exchange: The inbound request that it is made for, or None.
        limits: How long it may take.
        stream: Whether the body is left to the caller.
        timeout: What the caller said, for whoever replaced `HTTPAdapter.send`.
    """

    __slots__ = (
        "_adapter",
        "_call",
        "_caller",
        "_exchange",
        "_key",
        "_limits",
        "_replayable",
        "_request",
        "_route",
        "_started",
        "_stream",
        "_timeout",
    )

    def __init__(
        self,
        adapter: ServiceAdapter,
        route: Route,
        request: requests.PreparedRequest,
        exchange: Exchange | None,
        limits: Patience,
        *,
        stream: bool,
        timeout: Any,
    ) -> None:
        self._adapter = adapter
        self._route = route
        self._request = request
        #: Whom the call is made for; and, where its host is ours, whose trace and time are sent along.
        self._caller = exchange
        self._exchange = exchange if route.trusted else None
        self._limits = limits
        self._stream = stream
        self._timeout = timeout
        self._replayable = replayable(request)
        self._key: str | None = None

    def call(self, started: float, deadline: float) -> requests.Response:
        """Make the call, or go on with the one that it is a hop of."""
        destination = self._route.destination
        self._started = started
        before = follows(self._request, destination.clock)
        if before is not None:
            started, deadline = before[0], min(before[1], deadline)
        call = self._call = self._begin(started, deadline)
        try:
            sent, lease = drive(flow(call, destination), self, destination.clock)
        except BaseException as error:
            if isinstance(error, CallError):
                _enrich(error, call, self._request)
            self._tell(Outcome.REJECTED if isinstance(error, CallError) else Outcome.CANCELLED, None, error)
            raise
        if sent.error is not None:
            self._tell(sent.outcome or Outcome.FATAL, None, sent.error)
            failure = _enrich(sent.error, call, self._request)
            call.attempts, call.last, call.reached = [], None, None
            del sent, lease
            try:
                raise failure
            finally:
                del failure  # no circle of exception, traceback, frame and exception: what the caller drops is gone at once
        response: requests.Response = sent.response
        vars(response).update(attempts=call.attempts, problem=self._problem(response))
        self._look(sent)
        may_be_followed(response, destination.clock, started, deadline)
        if lease is not None:
            self._follow(response, lease)
        else:
            self._tell(sent.outcome or Outcome.OK, sent.status, None)
        return response

    # What the driver asks

    def send(self, step: Send) -> Sent:
        """Send the request once."""
        wire = Wire(self._route.destination.clock, step.deadline, self._limits.connect, self._limits.read)
        facts = wire.facts
        facts.replayable = self._replayable
        try:
            if step.number > 1:
                rewind(self._request)
            elif type(self._adapter).add_headers is not HTTPAdapter.add_headers:
                self._adapter.add_headers(self._request, stream=self._stream, timeout=self._timeout)
            if step.token is not None:
                self._route.check_token(step.endpoint, self._request)
            headers = self._headers(step)
            if replaced():
                verify, cert = self._route.tls
                how = {"stream": self._stream, "timeout": self._timeout, "verify": verify, "cert": cert}
                return send_by_others(self._adapter, self._versioned(self._request), wire, headers, how)
            pool = self._route.pool(step.endpoint, self._request)
        except Exception as error:  # noqa: BLE001 - is in the result, and raised from there
            return Sent(facts, error=error, outcome=Outcome.REJECTED)
        return self._exchange_on(pool, step, wire, headers)

    def discard(self, sent: Sent) -> None:
        """Keep the connection where the rest of the body is short and here already; else close it."""
        raw = sent.response.raw
        left = getattr(raw, "length_remaining", None)
        if isinstance(left, int) and left <= _WORTH_READING and isinstance(getattr(raw, "wire", None), Wire):
            raw.wire.deadline = min(raw.wire.deadline, raw.wire.monotonic() + _PROMPTLY)
            raw.drain_conn()
        sent.response.close()

    # One try

    def _exchange_on(self, pool: urllib3.HTTPConnectionPool, step: Send, wire: Wire, headers: dict[Any, Any]) -> Sent:
        token = CURRENT_WIRE.set(wire)
        in_body = False
        try:
            raw = self._urlopen(pool, step, headers, wire)
            in_body = True
            return self._answered(raw, wire)
        except Exception as error:  # noqa: BLE001 - is in the result, and raised from there
            return self._failed(error, wire, in_body=in_body)
        finally:
            CURRENT_WIRE.reset(token)

    def _failed(self, error: Exception, wire: Wire, *, in_body: bool) -> Sent:
        failure = translate(error, self._request, in_body=in_body)
        if failure is not error:
            failure.__cause__ = error
        outcome = classify(failure, wire)
        if outcome is not Outcome.CANCELLED and isinstance(failure, requests.RequestException):
            forget_frames(failure)
        wire.facts.replayable = self._replayable or wire.facts.bytes_written == 0
        return Sent(wire.facts, error=failure, outcome=outcome, phase=wire.phase)

    def _urlopen(self, pool: urllib3.HTTPConnectionPool, step: Send, headers: dict[Any, Any], wire: Wire) -> Any:
        request = self._request
        where = self._target(self._route.target or target(request))
        if isinstance(request, PassedOn):
            wire.target = where
        how: dict[str, Any] = {
            "method": request.method,
            "url": where,
            "body": request.body,
            "headers": headers,
            "redirect": False,
            "assert_same_host": False,
            "preload_content": False,
            "decode_content": False,
            "retries": self._adapter.max_retries,
            "timeout": self._limits.timeout,
            "chunked": not (request.body is None or "Content-Length" in request.headers),
        }
        if pool.block:
            how["pool_timeout"] = wire.patience(None)
        if not ours(pool):
            how["timeout"] = wire.unseen()
        try:
            return pool.urlopen(**how)
        except EmptyPoolError as error:
            if wire.clamped:
                raise TimeoutError(str(error)) from error
            raise
        except ClosedPoolError:  # evicted by the pool manager under our feet, with nothing sent
            self._route.renew()
            return self._route.pool(step.endpoint, request).urlopen(**how)

    def _answered(self, raw: Any, wire: Wire) -> Sent:
        adapter = self._adapter
        if isinstance(raw, Answer) and type(adapter).build_response is HTTPAdapter.build_response:
            response = build(adapter, self._request, raw)
        else:
            response = adapter.build_response(self._request, raw)
            raw = response.raw  # a cache's, it may be
        streaming = False
        if not self._stream:
            try:
                load(response, raw)
            except (DecodeError, requests.exceptions.ContentDecodingError):
                if not response.is_redirect:  # requests follows it whatever its body is
                    raise
            wire.facts.body_complete = True
        elif isinstance(raw, Answer) and raw.length_remaining == 0:
            raw.read()
        else:
            streaming = True
        return Sent(wire.facts, response=response, status=response.status_code, fields=_fields(raw), streaming=streaming)

    def _headers(self, step: Send) -> dict[Any, Any]:
        """The request's own, and those of this try, which yield to them."""
        present = self._request.headers
        headers: dict[Any, Any] = dict(present.items())
        exchange = self._exchange
        if exchange is not None or (self._route.trusted and self._route.named and step.deadline != math.inf):
            left = step.deadline - self._route.destination.clock.monotonic()
            formats = self._adapter._settings.trace_formats  # noqa: SLF001 - the adapter's own part
            headers.update(propagated(exchange, left, present, formats))
        version = self._version
        if version is not None:
            headers.update(version.headers(present))
        if step.token is not None:
            headers["Authorization"] = f"Bearer {step.token}"
        if self._key is not None:
            headers[IDEMPOTENCY_KEYS[0]] = self._key
        return headers

    # The version that is asked for

    @property
    def _version(self) -> ClientVersion | None:
        """The version to ask for; None where the host is not ours."""
        return self._adapter._settings.version if self._route.trusted else None  # noqa: SLF001 - the adapter's own part

    def _target(self, target: str) -> str:
        version = self._version
        return target if version is None else version.target(target)

    def _versioned(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request as others should send it: with the version in its path."""
        url = self._target(request.url or "")
        if url != request.url:
            request = request.copy()
            request.url = url
        return request

    def _look(self, sent: Sent) -> None:
        """See whether the answer says that what was called will go."""
        destination, version = self._route.destination, self._version
        self._adapter._notices.look(  # noqa: SLF001 - the adapter's own part
            sent.fields,
            self._call.url,
            destination.clock.time(),
            service=destination.service,
            version=None if version is None else version.version,
            listeners=destination.listeners,
        )

    # The call as a whole

    def _begin(self, started: float, deadline: float) -> Call:
        request, destination = self._request, self._route.destination
        method = (request.method or "GET").upper()
        present = request.headers
        repeatable = keyed(present)
        retry = destination.retry
        if retry is not None and retry.idempotency_key == "auto" and not retry.repeatable(method, keyed=repeatable):
            self._key, repeatable = retry.key(), True
        auth = self._adapter._settings.auth  # noqa: SLF001 - the adapter's own part
        if auth is not None and "Authorization" in present:
            auth = None
        return Call(method, public_url(request), started, deadline, keyed=repeatable, auth=auth)

    def _problem(self, response: requests.Response) -> Problem | None:
        """What an answer that was read says of what went wrong."""
        wrong = response.status_code >= 400  # noqa: PLR2004 - RFC 9110 section 15.5
        return problem_of(response) if wrong and not self._stream else None

    def _follow(self, response: requests.Response, lease: Lease) -> None:
        """Hand what the call holds to its body."""
        self._call.last = None
        ending = StreamEnding(self._call, self._route.destination, lease, self._tell, self._adapter._orphans)  # noqa: SLF001
        if hasattr(response.raw, "ending"):
            response.raw.ending = ending
        else:
            ending.ended(None)

    def _tell(self, outcome: Outcome, status: int | None, error: BaseException | None) -> None:
        destination, call = self._route.destination, self._call
        if destination.listeners:
            seconds = destination.clock.monotonic() - self._started
            word = Outcome.DEADLINE if isinstance(error, DeadlineExceeded) else outcome
            caller = self._caller
            ids = (None, None) if caller is None else (caller.trace, caller.request_id)
            event = Called(destination.service, call.method, call.url, len(call.attempts), seconds, word, status, error, *ids)
            destination.listeners(event)


def _fields(raw: Any) -> Callable[[str], Sequence[str]]:
    """The values of a header field by its name, of whatever made the response."""
    values: Callable[[str], Sequence[str]] | None = getattr(raw.headers, "getlist", None)
    return values or (lambda name: [raw.headers[name]] if name in raw.headers else [])


def _enrich(error: Any, call: Call, request: requests.PreparedRequest) -> Any:
    """Put the evidence on an exception, which is not in its own list; those that take no attributes are left alone."""
    try:
        error.attempts = [attempt._replace(error=None) if attempt.error is error else attempt for attempt in call.attempts]
        if isinstance(error, requests.RequestException) and error.request is None:
            error.request = request
    except AttributeError:
        pass
    return error
