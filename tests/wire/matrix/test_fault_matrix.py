"""Every fault, for every kind of request, on fresh and on used connections, with and without TLS: over real sockets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from interservice.faultserver import FaultServer, Reply
from interservice.outbound import Backoff, DeadlineExceeded, Retry, ServiceAdapter, Timeouts
from interservice.testing import FakeClock

from .faults import FAULTS, KINDS, LARGE, RETRY_AFTER, SMALL, Fault, Kind
from .world import Mending, Recovering, certificate, nothing_held, nothing_left, server_tls, session_for

SCHEMES = ("http", "https")
USES = ("fresh", "reused")
#: Nothing here may take longer than so many times the time it was given; a shared machine is slow at times.
GENEROUS = 6.0
#: Where nothing is to be cut short.
UNHURRIED = (None, None)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls") / "server.pem", "localhost")


def cases() -> Iterator[Any]:
    for (name, fault), kind, use, scheme in itertools.product(FAULTS.items(), KINDS, USES, SCHEMES):
        if fault.only in {"", scheme} and not (fault.large and KINDS[kind].body is None):
            yield pytest.param(fault, KINDS[kind], use, scheme, id=f"{name}-{kind}-{use}-{scheme}")


def patience_with(fault: Fault) -> Timeouts:
    """Little of the time that the fault takes, so that the whole is quick; plenty of what it does not."""
    return Timeouts(
        connect=0.8 if fault.server in {"tarpit", "stalls"} else 20.0,
        read=0.15 if fault.outcome == "read_timeout" else 20.0,
        total=0.6 if fault.outcome == "deadline" else 30.0,
    )


def begin(server: FaultServer, fault: Fault, mending: Mending) -> None:
    """From here on the server is as the fault has it."""
    if fault.reply is not None:
        server.expect(fault.reply)
    elif fault.server == "refuses":
        mending.refuse()
    elif fault.server == "tarpit":
        mending.tarpit()
    else:
        server.hang_up()
        server._accept.append("stall")


def attempt(
    session: requests.Session, server: FaultServer, kind: Kind, body: bytes, authority: Path, **how: Any
) -> requests.Response | requests.RequestException:
    data = kind.data(body)
    try:
        return session.request(
            kind.method, f"{server.url}/x", data=data, headers=dict(kind.headers), verify=str(authority), **how
        )
    except requests.RequestException as error:
        return error


def outcomes(result: Any) -> list[str]:
    return [str(attempt.outcome) for attempt in vars(result)["attempts"]]


@pytest.mark.parametrize(("fault", "kind", "use", "scheme"), list(cases()))
def test_a_fault(fault: Fault, kind: Kind, use: str, scheme: str, authority: Path) -> None:
    tls = server_tls(authority) if scheme == "https" else None
    body = LARGE if fault.large else SMALL
    with nothing_left(), FaultServer(tls=tls) as server:
        mending = Mending(server)
        patience = patience_with(fault)
        retry = Retry(backoff=Recovering(mending.mend), overload_backoff=Recovering(mending.mend), budget=None)
        adapter = ServiceAdapter(retry=retry, timeouts=patience)
        with session_for(adapter) as session:
            if use == "reused":
                assert session.get(server.url, verify=str(authority), timeout=UNHURRIED).ok
                server.requests.clear()
            begin(server, fault, mending)
            result = attempt(session, server, kind, body, authority)
        assert nothing_held(adapter)
        check(fault, kind, server, result, reused=use == "reused")
        del result


def check(fault: Fault, kind: Kind, server: FaultServer, result: Any, *, reused: bool) -> None:
    again = fault.again == "all" or (fault.again == "repeatable" and kind.repeatable)
    first = (fault.stale if reused else "") or fault.outcome
    assert outcomes(result) == ([first, "ok"] if again else [first])
    if again:
        assert result.status_code == 200
    elif fault.error is None:
        assert result.status_code == fault.status
    else:
        assert type(result) is fault.error
        assert isinstance(result, fault.also or fault.error)
        assert vars(result)["request"].url == f"{server.url}/x"
    seen = [request.method for request in server.requests]
    assert seen == [kind.method] * (2 if again and fault.again != "all" else 1)
    if fault.whole:
        assert {request.body for request in server.requests} == {SMALL if kind.body else b""}
    if isinstance(result, DeadlineExceeded):
        assert result.budget <= result.elapsed < GENEROUS * result.budget


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", RETRY_AFTER)
def test_retry_after(form: str, status: int, scheme: str, authority: Path) -> None:
    """Heeded to the letter or not at all; never waited for beyond its cap; and never a reason to send a POST twice."""
    tls = server_tls(authority) if scheme == "https" else None
    headers, asked = RETRY_AFTER[form]
    for (kind, use), server in ((case, FaultServer(tls=tls)) for case in itertools.product(KINDS.values(), USES)):
        clock = FakeClock()
        retry = Retry(backoff=Backoff(base=0.01, jitter="none"), overload_backoff=Backoff(base=0.5, jitter="none"))
        adapter = ServiceAdapter(retry=retry, clock=clock, timeouts=Timeouts(read=5.0, total=None))
        with server, session_for(adapter) as session:
            if use == "reused":
                session.get(server.url, verify=str(authority), timeout=UNHURRIED)
                server.requests.clear()
            server.expect(Reply(status=status, headers=headers))
            result: Any = attempt(session, server, kind, SMALL, authority)
            again = kind.repeatable and (asked is None or asked <= retry.retry_after_cap)
            assert result.status_code == (200 if again else status)
            assert outcomes(result) == (["status", "ok"] if again else ["status"])
            assert [request.body for request in server.requests] == [SMALL if kind.body else b""] * (2 if again else 1)
            if again:
                least = asked or (0.5 if asked is None else 0.01)
                assert least <= sum(clock.slept) <= 1.1 * max(least, 0.5)
            else:
                assert clock.slept == []
            assert nothing_held(adapter)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("challenge", ["redirect", "digest"])
def test_hops_share_one_deadline(challenge: str, name: str, use: str, scheme: str, authority: Path) -> None:
    """A redirect, or a digest challenge, to a server that is slow: the time of the first answer is not given again."""
    kind = KINDS[name]
    digest = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'}
    first = (
        Reply(status=307, headers={"Location": "/slow"}, delay=0.2)
        if challenge == "redirect"
        else Reply(status=401, headers=digest, delay=0.2)
    )
    tls = server_tls(authority) if scheme == "https" else None
    with nothing_left(), FaultServer(tls=tls) as server:
        adapter = ServiceAdapter("slow", retry=None, timeouts=Timeouts(connect=5.0, read=5.0, total=0.7))
        with session_for(adapter) as session:
            if use == "reused":
                session.get(server.url, verify=str(authority), timeout=UNHURRIED)
                server.requests.clear()
            server.expect(first, Reply.trickle(0.02, b"x" * 400))
            auth = requests.auth.HTTPDigestAuth("u", "p") if challenge == "digest" else None
            result: Any = attempt(session, server, kind, SMALL, authority, auth=auth)
        bodies = [request.body for request in server.requests]
        if kind.body == "generator":
            assert type(result) is requests.exceptions.UnrewindableBodyError
            assert bodies == [SMALL]
        else:
            assert type(result) is DeadlineExceeded
            assert result.budget == pytest.approx(0.7)
            assert result.budget <= result.elapsed < GENEROUS * result.budget
            assert bodies == [SMALL if kind.body else b""] * 2
        assert nothing_held(adapter)
        del result


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", KINDS)
def test_a_connection_that_was_closed_while_idle_costs_nothing(name: str, scheme: str, authority: Path) -> None:
    kind = KINDS[name]
    tls = server_tls(authority) if scheme == "https" else None
    with nothing_left(), FaultServer(tls=tls) as server:
        adapter = ServiceAdapter(retry=None)
        with session_for(adapter) as session:
            session.get(server.url, verify=str(authority))
            server.hang_up()
            result: Any = attempt(session, server, kind, SMALL, authority)
        assert outcomes(result) == ["ok"]
        assert [request.connection for request in server.requests] == [1, 2]
        assert server.requests[1].body == (SMALL if kind.body else b"")
        del result
