"""Every shape that PEP 3333 allows a response to have, and the ends it can come to."""

from __future__ import annotations

import contextvars
import gc
import io
import sys
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.errors import ConfigurationError
from interservice.events import Served
from interservice.exchange import current
from interservice.inbound.gate import Gate
from interservice.inbound.tracing import Tracing
from interservice.testing import FakeClock, Recorder
from interservice.wsgi import Middleware


class Server:
    """A server that serves one request as far as a test wants it to."""

    def __init__(self, app: Any, *, method: str = "GET", policies: tuple[Any, ...] = (), file_wrapper: Any = None) -> None:
        self.clock = FakeClock()
        self.recorder = Recorder()
        self.starts: list[tuple[Any, ...]] = []
        self.written = b""
        self.environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": "/", "wsgi.input": io.BytesIO()}
        if file_wrapper is not None:
            self.environ["wsgi.file_wrapper"] = file_wrapper
        self.app = Middleware(app, Gate(policies, [self.recorder], clock=self.clock))

    def call(self) -> Any:
        return self.app(self.environ, self.start_response)

    def start_response(self, *args: Any) -> Any:
        self.starts.append(args)
        return self.write

    def write(self, data: bytes) -> None:
        self.written += data

    @property
    def served(self) -> Served:
        (event,) = self.recorder.events
        assert isinstance(event, Served)
        return event


def plain(*parts: bytes) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return list(parts)

    return app


class Closing:
    """A body that counts how often it is closed."""

    def __init__(self, *parts: bytes, error: Exception | None = None) -> None:
        self.parts = iter(parts)
        self.closed = 0
        self.error = error

    def __iter__(self) -> Any:
        return self.parts

    def close(self) -> None:
        self.closed += 1
        if self.error:
            raise self.error


def test_generator_application_starts_late() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("201 Created", [])
        yield b"ab"

    server = Server(app, policies=(Tracing(),))
    body = server.call()
    assert server.starts == []
    assert b"".join(body) == b"ab"
    body.close()
    assert server.starts[0][0] == "201 Created"
    assert dict(server.starts[0][1])["X-Request-ID"] == server.served.exchange.request_id
    assert (server.served.status, server.served.bytes_sent) == (201, 2)


def test_work_before_the_first_yield_is_not_moved() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        environ["seen"] = current()
        return plain(b"x")(environ, start_response)

    server = Server(app)
    server.call()
    assert server.environ["seen"] is server.environ["interservice.exchange"]


def test_start_response_gets_exc_info_only_when_given() -> None:
    server = Server(plain(b"x"))
    server.call().close()
    assert len(server.starts[0]) == 2


def test_second_start_with_exc_info_is_the_status_that_counts() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            start_response("500 Internal Server Error", [], sys.exc_info())
        return [b"sorry"]

    server = Server(app)
    body = server.call()
    list(body)
    body.close()
    assert [len(args) for args in server.starts] == [2, 3]
    assert (server.served.status, server.served.outcome) == (500, "server_error")


def test_application_that_never_starts_has_no_status() -> None:
    server = Server(lambda environ, start_response: [])
    body = server.call()
    list(body)
    body.close()
    assert (server.served.status, server.served.outcome) == (None, "aborted")


def test_write_is_counted_and_timed() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [])
        server.clock.advance(1)
        write(b"written")
        return [b"returned"]

    server = Server(app)
    body = server.call()
    list(body)
    body.close()
    assert server.written == b"written"
    assert (server.served.bytes_sent, server.served.first_byte) == (15, 1.0)


def test_body_that_is_never_iterated_is_closed_and_ends() -> None:
    result = Closing(b"x")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return result

    server = Server(app)
    server.call().close()
    assert result.closed == 1
    assert (server.served.outcome, server.served.bytes_sent) == ("client_disconnect", 0)


def test_second_close_does_nothing() -> None:
    result = Closing(b"x")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return result

    server = Server(app)
    body = server.call()
    list(body)
    body.close()
    body.close()
    assert result.closed == 1
    assert server.served.outcome == "ok"


def test_error_in_close_reaches_the_server_and_the_event() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return Closing(b"x", error=ZeroDivisionError("close"))

    server = Server(app)
    body = server.call()
    list(body)
    with pytest.raises(ZeroDivisionError, match="close"):
        body.close()
    assert server.served.outcome == "exception"


def test_exception_object_is_the_applications_own() -> None:
    error = ZeroDivisionError()

    def app(environ: Any, start_response: Any) -> Any:
        raise error

    server = Server(app)
    with pytest.raises(ZeroDivisionError) as caught:
        server.call()
    assert caught.value is error
    assert server.served.error is error


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_end_of_the_worker_passes_and_is_recorded(error: type[BaseException]) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise error

    server = Server(app)
    with pytest.raises(error):
        server.call()
    assert server.served.outcome == "aborted"


def test_length_of_the_result_is_kept_and_none_is_invented() -> None:
    assert len(Server(plain(b"one")).call()) == 1

    def generator(environ: Any, start_response: Any) -> Any:
        yield b""

    assert not hasattr(Server(generator).call(), "__len__")


def test_announced_bytes_that_all_went_out_are_a_whole_response() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "2")])
        return iter([b"ab", b""])

    server = Server(app)
    body = server.call()
    next(body)
    body.close()
    assert server.served.outcome == "ok"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_response_without_body_is_whole_unread(status: str) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, [])
        return []

    server = Server(app)
    server.call().close()
    assert server.served.outcome == "ok"


class FileWrapper:
    """As gunicorn's: the file's own `close`, if it has one, is its close."""

    def __init__(self, file: Any, block_size: int = 8192) -> None:
        self.file = file
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Any:
        return iter(lambda: self.file.read(8192), b"")


def test_file_wrapper_stays_the_servers_own_object() -> None:
    file = io.BytesIO(b"file")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "4")])
        return environ["wsgi.file_wrapper"](file)

    server = Server(app, file_wrapper=FileWrapper)
    result = server.call()
    assert type(result) is FileWrapper
    assert server.recorder.events == []
    result.close()
    assert file.closed
    assert (server.served.bytes_sent, server.served.outcome) == (4, "ok")


def test_file_wrapper_that_cannot_be_followed_is_said_at_once() -> None:
    class Sealed(FileWrapper):
        __slots__ = ()

        def __setattr__(self, name: str, value: Any) -> None:
            if name == "close" and getattr(value, "__qualname__", "").startswith("Response"):
                raise AttributeError(name)
            super().__setattr__(name, value)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "4")])
        return Sealed(io.BytesIO(b"file"))

    server = Server(app, file_wrapper=Sealed)
    assert type(server.call()) is Sealed
    assert (server.served.bytes_sent, server.served.outcome) == (4, "ok")


def test_file_wrapper_that_is_a_function_does_no_harm() -> None:
    server = Server(plain(b"x"), file_wrapper=lambda file, size=8192: file)
    assert list(server.call()) == [b"x"]


def test_application_keeps_its_context_through_the_body() -> None:
    colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        colour.set("red")
        return (colour.get().encode() for _ in range(1))

    server = Server(app)
    body = contextvars.Context().run(server.call)
    assert contextvars.Context().run(list, body) == [b"red"]
    assert colour.get() == "none"


def test_request_is_what_came_whatever_becomes_of_the_environ() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        environ.update(
            HTTP_X_A="2", QUERY_STRING="b", REMOTE_ADDR="192.0.2.9", SERVER_NAME="elsewhere", SERVER_PROTOCOL="HTTP/0.9"
        )
        del environ["RAW_URI"]
        return plain(b"a")(environ, start_response)

    server = Server(app)
    server.environ.update(
        HTTP_X_A="1", QUERY_STRING="a", REMOTE_ADDR="192.0.2.7", SERVER_NAME="here", SERVER_PORT="81", SERVER_PROTOCOL="HTTP/1.0",
        RAW_URI="/%2F?x",
    )  # fmt: skip

    list(body := server.call())
    body.close()

    request = server.served.exchange.request
    assert request.headers.get("x-a") == "1"
    assert (request.query, request.peer, request.server, request.protocol) == ("a", "192.0.2.7", ("here", 81), "1.0")
    assert request.raw_path == b"/%2F"


def test_exchange_goes_with_its_request_without_the_garbage_collector() -> None:
    server = Server(plain(b"a"))
    list(body := server.call())
    body.close()
    gone = weakref.ref(server.served.exchange)

    gc.disable()
    try:
        del body
        server.recorder.clear()
        server.environ = {}
        assert gone() is None
    finally:
        gc.enable()


def test_mounted_twice_with_one_gate_is_one_exchange() -> None:
    recorder = Recorder()
    gate = Gate([Tracing()], [recorder])
    body = Middleware(Middleware(plain(b"x"), gate), gate)({"REQUEST_METHOD": "GET"}, lambda *args: print)
    list(body)
    body.close()  # type: ignore[attr-defined]
    assert len(recorder.events) == 1


def test_two_gates_are_two_exchanges_so_that_neither_is_skipped() -> None:
    recorder = Recorder()
    outer, inner = Gate([], [recorder], service="outer"), Gate([], [recorder], service="inner")
    body = Middleware(Middleware(plain(b"x"), inner), outer)({"REQUEST_METHOD": "GET"}, lambda *args: print)
    list(body)
    body.close()  # type: ignore[attr-defined]
    assert [event.exchange.service for event in recorder.of(Served)] == ["inner", "outer"]


@pytest.mark.parametrize(("app", "gate"), [(plain(), None), (plain(), "gate"), (None, Gate([]))])
def test_nonsense_is_refused_when_mounted(app: Any, gate: Any) -> None:
    with pytest.raises(ConfigurationError, match="Middleware"):
        Middleware(app, gate)


def iterate(body: Any, steps: list[str]) -> tuple[int, bool, bool]:
    """Take parts until a step says close; how many bytes came, whether it failed, whether it ended."""
    left = iter(body)
    taken, failed, exhausted = 0, False, False
    for step in steps:
        if step == "close":
            break
        try:
            taken += len(next(left))
        except StopIteration:
            exhausted = True
        except ZeroDivisionError:
            failed = True
    return taken, failed, exhausted


_STEPS = st.lists(st.sampled_from(["next", "close"]), max_size=8)


@given(
    parts=st.lists(st.binary(max_size=5), max_size=4),
    kind=st.sampled_from(["list", "closing", "generator"]),
    fails_at=st.none() | st.integers(0, 3),
    steps=_STEPS,
    method=st.sampled_from(["GET", "HEAD"]),
)
def test_whatever_app_and_server_do_there_is_one_record_and_one_close(
    parts: list[bytes], kind: str, fails_at: int | None, steps: list[str], method: str
) -> None:
    closed: list[int] = []

    def made() -> Any:
        try:
            for position, part in enumerate(parts):
                if position == fails_at:
                    raise ZeroDivisionError
                yield part
        finally:
            closed.append(1)

    class Result(Closing):
        def __iter__(self) -> Any:
            return made()

    result = Result()

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return {"list": list(parts), "closing": result, "generator": made()}[kind]

    server = Server(app, method=method)
    body = server.call()
    taken, failed, exhausted = iterate(body, steps)
    body.close()
    body.close()
    served = server.served
    assert served.bytes_sent == (taken if method == "GET" else 0)
    assert result.closed == (kind == "closing")
    if failed:
        assert served.outcome == "exception"
    else:
        assert served.outcome == ("ok" if exhausted or method == "HEAD" else "client_disconnect")
