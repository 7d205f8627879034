"""Whatever an ASGI application does, and wherever its server breaks, there is one record, and it is right."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from interservice.asgi import Middleware
from interservice.events import Served
from interservice.inbound.gate import Gate
from interservice.testing import FakeClock, Recorder

PATHSEND = {"type": "http.response.pathsend", "path": "/x"}
TRAILERS = {"type": "http.response.trailers", "headers": []}


@dataclass
class Script:
    """What happens: the application's steps (messages, or words for what is none), and the send at which the server breaks."""

    steps: list[Any]
    breaks_at: int | None
    method: str


@dataclass
class Expected:
    """What the record is to say, worked out from the script without the package."""

    status: int | None = None
    sent: int = 0
    complete: bool = False
    outcome: str = ""
    sends: int = 0
    delivered: list[str] = field(default_factory=list)


def message_steps(status: int, parts: list[bytes], ending: str) -> list[Any]:
    """The messages of a response, in order, as far as `ending` has them."""
    start: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"7")]}
    if ending in ("trailers", "trailers missing"):
        start["trailers"] = True
    bodies = [{"type": "http.response.body", "body": part, "more_body": True} for part in parts]
    last = {"type": "http.response.body", "body": b"z"}
    hint = {"type": "http.response.early_hint", "links": []}
    endings: dict[str, list[Any]] = {
        "last": [*bodies, last], "none": bodies, "file": [PATHSEND], "trailers": [*bodies, last, TRAILERS],
        "trailers missing": [*bodies, last], "no answer": [],
    }  # fmt: skip
    return [] if ending == "no answer" else [hint, start, *endings[ending]]


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    steps = message_steps(
        draw(st.sampled_from([200, 404, 500])),
        draw(st.lists(st.binary(max_size=4), max_size=3)),
        draw(st.sampled_from(["last", "none", "file", "trailers", "trailers missing", "no answer"])),
    )
    for word in draw(st.lists(st.sampled_from(["raise", "cancel", "look", "leave", "wait"]), max_size=2)):
        steps.insert(draw(st.integers(0, len(steps))), word)
    return Script(steps, draw(st.none() | st.integers(0, 6)), draw(st.sampled_from(["GET", "HEAD"])))


def expected(script: Script) -> Expected:
    """Walk through a script step by step."""
    told = Expected()
    gone = False
    trailers = any(isinstance(step, dict) and step.get("trailers") for step in script.steps)
    for step in script.steps:
        if isinstance(step, dict):
            kind = step["type"]
            told.status = step.get("status", told.status)
            if told.sends == script.breaks_at:
                return ended(told, "client_disconnect" if not told.complete else None)
            told.sends += 1
            told.delivered.append(kind)
            if script.method == "GET":
                told.sent += 7 if step is PATHSEND else len(step.get("body", b""))
            last = kind == "http.response.body" and not step.get("more_body") and not trailers
            told.complete = told.complete or last or step is PATHSEND or step is TRAILERS
        elif step == "raise":
            return ended(told, "client_disconnect" if gone else "exception")
        elif step == "cancel":
            return ended(told, "client_disconnect" if gone else "aborted")
        elif step in ("look", "leave"):
            gone = gone or not told.complete
            if step == "leave":
                break
    if told.complete:
        return ended(told, None)
    return ended(told, "client_disconnect" if gone else "aborted")


def ended(told: Expected, otherwise: str | None) -> Expected:
    """A whole response is what its status says; only of a server error is more said, by what the application does after it."""
    status = told.status or 0
    by_status = "ok" if status < 400 else "client_error" if status < 500 else "server_error"
    whole = told.complete and (status < 500 or otherwise is None)
    told.outcome = by_status if whole or otherwise is None else otherwise
    return told


class Boom(Exception):
    """The application's own."""


def application(steps: list[Any]) -> Any:
    """The application that does these steps."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for step in steps:
            if isinstance(step, dict):
                await send(step)
            elif step == "raise":
                raise Boom
            elif step == "cancel":
                raise asyncio.CancelledError
            elif step == "wait":
                await asyncio.sleep(0)
            else:
                assert (await receive())["type"] == "http.disconnect"
                if step == "leave":
                    return

    return app


def play(script: Script) -> tuple[Recorder, list[str], BaseException | None]:
    """Run a script through the middleware; what was recorded, what reached the server, and what came out at the end."""
    recorder = Recorder()
    delivered: list[str] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if len(delivered) == script.breaks_at:
            raise OSError("gone")
        delivered.append(message["type"])

    middleware = Middleware(application(script.steps), Gate([], [recorder], clock=FakeClock()))

    async def serve() -> BaseException | None:
        try:
            await middleware({"type": "http", "method": script.method, "path": "/", "headers": []}, receive, send)
        except (Boom, OSError, asyncio.CancelledError) as error:
            error.__traceback__ = None
            return error
        return None

    return recorder, delivered, asyncio.run(serve())


@given(scripts())
def test_whatever_app_and_server_do_there_is_one_record_and_it_is_right(script: Script) -> None:
    recorder, delivered, raised = play(script)
    told = expected(script)
    (served,) = recorder.of(Served)
    assert (served.outcome, served.status, served.bytes_sent) == (told.outcome, told.status, told.sent)
    assert delivered == told.delivered
    if isinstance(raised, Boom) and served.outcome == "exception":
        assert served.error is raised


@given(scripts())
def test_no_exception_is_invented_or_lost(script: Script) -> None:
    _, delivered, raised = play(script)
    kind: type[BaseException] | None = None
    sends = 0
    for step in script.steps:
        if isinstance(step, dict):
            if sends == script.breaks_at:
                kind = OSError
                break
            sends += 1
        elif step in ("raise", "cancel"):
            kind = Boom if step == "raise" else asyncio.CancelledError
            break
        elif step == "leave":
            break
    assert type(raised) is (kind or type(None))
    assert len(delivered) == sends
