"""Bodies of older clients carried to the newest version and back: the same over WSGI, ASGI, Django sync and async."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from wsgiref.validate import validator

import httpx
import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test.utils import override_settings
from werkzeug.test import Client

import interservice.asgi
import interservice.wsgi
from interservice import Gate, Migration, Rejection, Versions
from interservice.events import Served
from interservice.testing import Recorder

from .conftest import BINDINGS
from .django_side import Urls

Answer = tuple[int, dict[str, str], bytes]


def name_split(body: Any) -> Any:
    body["first"], _, body["last"] = body.pop("name").partition(" ")
    return body


def name_joined(body: Any) -> Any:
    body["name"] = f"{body.pop('first')} {body.pop('last')}"
    return body


def cents(body: Any) -> Any:
    body["cents"] = round(body.pop("total") * 100)
    return body


def total(body: Any) -> Any:
    body["total"] = body.pop("cents") / 100
    return body


CHAIN = [
    Migration("3", request=cents, response=total, paths=["/orders*"]),
    Migration("2", request=name_split, response=name_joined, paths=["/orders*"]),
]
NEWEST = {"cents": 1250, "first": "Ada", "last": "King"}
OLDEST = {"total": 12.5, "name": "Ada King"}


@dataclass
class Handler:
    """What the application does with every request, and what it got."""

    status: int = 200
    body: bytes = field(default_factory=lambda: json.dumps(NEWEST).encode())
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    stream: bool = False
    sized: bool = True
    got: list[bytes] = field(default_factory=list)

    def fields(self) -> list[tuple[str, str]]:
        length = [("Content-Length", str(len(self.body)))] if self.sized and not self.stream else []
        return [("Content-Type", self.content_type), *self.headers.items(), *length]

    def parts(self) -> list[bytes]:
        half = len(self.body) // 2
        return [self.body[:half], self.body[half:]] if self.stream else [self.body]


def wsgi_app(handler: Handler) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        length = environ.get("CONTENT_LENGTH") or "0"
        handler.got.append(environ["wsgi.input"].read(int(length)))
        start_response(f"{handler.status} X", handler.fields())
        parts = [] if environ["REQUEST_METHOD"] == "HEAD" else handler.parts()
        return iter(parts) if handler.stream else parts

    return app


def asgi_app(handler: Handler) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        announced = dict(scope["headers"]).get(b"content-length")
        assert announced is None or int(announced) == len(body)
        handler.got.append(body)
        fields = [(name.lower().encode(), value.encode()) for name, value in handler.fields()]
        await send({"type": "http.response.start", "status": handler.status, "headers": fields})
        parts = [] if scope["method"] == "HEAD" else handler.parts()
        if handler.stream:
            for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            parts = []
        await send({"type": "http.response.body", "body": b"".join(parts)})

    return app


def django_answer(handler: Handler, request: HttpRequest, *, is_async: bool) -> Any:
    handler.got.append(request.body)
    assert int(request.headers.get("Content-Length") or 0) == len(request.body)
    response: Any
    if handler.stream:
        parts = handler.parts()
        response = StreamingHttpResponse(later(parts) if is_async else iter(parts), status=handler.status)
    else:
        response = HttpResponse(handler.body, status=handler.status)
    for name, value in handler.fields():
        response.headers[name] = value
    return response


async def later(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def ask_wsgi(app: Any, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
    length = {} if body is None else {"Content-Length": str(len(body))}
    answer = Client(validator(app)).open(path, method=method, headers={**headers, **length}, data=body)
    try:
        got = b"" if method == "HEAD" else answer.data  # servers send none, whatever the application gives
        return answer.status_code, {name.lower(): value for name, value in answer.headers}, got
    finally:
        answer.close()


def ask_asgi(app: Any, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
    async def serve() -> Answer:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            stream = client.stream(method, path, headers=headers, content=body)
            async with stream as answer:
                parts = [part async for part in answer.aiter_raw()]
                return answer.status_code, dict(answer.headers), b"".join(parts)

    return asyncio.run(serve())


@dataclass
class Serving:
    binding: str
    handler: Handler
    recorder: Recorder
    app: Any

    def ask(
        self, version: str | None = "1", *, method: str = "POST", path: str = "/orders", body: Any = None, **headers: str
    ) -> Answer:
        fields = {} if version is None else {"API-Version": version}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            fields["Content-Type"] = "application/json"
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        ask = ask_asgi if self.binding in ("asgi", "django-async") else ask_wsgi
        return ask(self.app, method, path, fields, body)

    @property
    def served(self) -> Served:
        (event,) = self.recorder.of(Served)
        return event


@pytest.fixture(params=BINDINGS)
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., Serving]]:
    binding = str(request.param)
    with ExitStack() as stack:

        def start(handler: Handler, migrations: list[Migration] = CHAIN, max_bytes: int = 1000) -> Serving:
            recorder = Recorder()
            gate = Gate([Versions(["1", "2", "3"], default="3")], [recorder])
            app: Any
            if binding == "wsgi":
                inner = interservice.wsgi.Migrations(wsgi_app(handler), migrations, max_bytes=max_bytes)
                app = interservice.wsgi.Middleware(inner, gate)
            elif binding == "asgi":
                carried = interservice.asgi.Migrations(asgi_app(handler), migrations, max_bytes=max_bytes)
                app = interservice.asgi.Middleware(carried, gate)
            else:
                app = stack.enter_context(django_app(handler, gate, migrations, max_bytes, is_async=binding == "django-async"))
            return Serving(binding, handler, recorder, app)

        yield start


def django_app(handler: Handler, gate: Gate, migrations: list[Migration], max_bytes: int, *, is_async: bool) -> Any:
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler

    def view(request: HttpRequest) -> Any:
        return django_answer(handler, request, is_async=False)

    async def async_view(request: HttpRequest) -> Any:
        return django_answer(handler, request, is_async=True)

    @contextmanager
    def running() -> Iterator[Any]:
        with override_settings(
            INTERSERVICE_GATE=gate,
            INTERSERVICE_MIGRATIONS=migrations,
            INTERSERVICE_MIGRATIONS_MAX_BYTES=max_bytes,
            MIDDLEWARE=["interservice.django.Middleware", "interservice.django.Migrations"],
            ROOT_URLCONF=Urls(async_view if is_async else view),
        ):
            yield ASGIHandler() if is_async else WSGIHandler()

    return running()


def test_the_oldest_client_is_carried_all_the_way_and_back(serve: Any) -> None:
    serving = serve(Handler())
    status, headers, body = serving.ask("1", body=OLDEST)
    assert json.loads(serving.handler.got[0]) == NEWEST
    assert (status, json.loads(body)) == (200, OLDEST)
    assert headers["content-length"] == str(len(body))
    assert headers["api-version"] == "1"
    assert serving.served.bytes_sent == len(body)


def test_a_client_in_the_middle_is_carried_by_what_is_newer(serve: Any) -> None:
    serving = serve(Handler())
    _, _, body = serving.ask("2", body={"total": 12.5, "first": "Ada", "last": "King"})
    assert json.loads(serving.handler.got[0]) == NEWEST
    assert json.loads(body) == {"total": 12.5, "first": "Ada", "last": "King"}


@pytest.mark.parametrize("version", ["3", None])
def test_the_newest_client_is_not_touched(serve: Any, version: str | None) -> None:
    serving = serve(Handler())
    sent = b'{ "cents" : 1 }'
    _, _, body = serving.ask(version, body=sent)
    assert serving.handler.got == [sent]
    assert body == serving.handler.body


def test_other_paths_are_not_touched(serve: Any) -> None:
    serving = serve(Handler())
    _, _, body = serving.ask("1", path="/invoices", body=OLDEST)
    assert json.loads(serving.handler.got[0]) == OLDEST
    assert body == serving.handler.body


@pytest.mark.parametrize(
    ("content_type", "extra"),
    [("text/csv", {}), ("application/json", {"Content_Encoding": "gzip"}), ("application/json; charset=utf-16", {})],
    ids=["csv", "gzip", "utf-16"],
)
def test_a_request_that_is_not_plain_json_passes(serve: Any, content_type: str, extra: dict[str, str]) -> None:
    serving = serve(Handler())
    sent = json.dumps(OLDEST).encode()
    serving.ask("1", body=sent, Content_Type=content_type, **extra)
    assert serving.handler.got == [sent]


@pytest.mark.parametrize("sent", [b"{", b"", b"[" * 900, b"\xff"], ids=["broken", "empty", "deep", "bytes"])
def test_what_cannot_be_read_is_the_applications_to_refuse(serve: Any, sent: bytes) -> None:
    serving = serve(Handler())
    serving.ask("1", body=sent)
    assert serving.handler.got == [sent]


def test_json_of_another_shape_is_refused(serve: Any) -> None:
    serving = serve(Handler())
    status, headers, body = serving.ask("1", body={"total": "x"})
    problem = json.loads(body)
    assert (status, problem["code"]) == (400, "migration_failed")
    assert problem["detail"] == "The body has not the shape of API version '1'."
    assert headers["api-supported-versions"] == "1, 2, 3"
    assert serving.handler.got == []
    assert serving.served.exchange.refusal.code == "migration_failed"


def test_a_migration_may_refuse_for_a_reason_of_its_own(serve: Any) -> None:
    def refuse(body: Any) -> Any:
        raise Rejection("Version 1 cannot say that.", status=422, code="not_in_version")

    serving = serve(Handler(), [Migration("2", request=refuse)])
    status, _, body = serving.ask("1", body={})
    assert (status, json.loads(body)["code"]) == (422, "not_in_version")


def test_a_request_over_the_bound_is_413(serve: Any) -> None:
    serving = serve(Handler())
    status, _, body = serving.ask("1", body=b'"' + b"x" * 1000 + b'"')
    assert (status, json.loads(body)["code"]) == (413, "migration_too_large")
    assert serving.handler.got == []


def test_a_response_over_the_bound_is_500(serve: Any) -> None:
    serving = serve(Handler(body=b'"' + b"x" * 1000 + b'"'))
    status, headers, body = serving.ask("1", method="GET")
    assert (status, json.loads(body)["code"]) == (500, "migration_too_large")
    assert headers["content-length"] == str(len(body))


def test_a_response_that_cannot_be_carried_is_500_and_logged(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    serving = serve(Handler(body=b"{}"))
    status, _, body = serving.ask("1", method="GET")
    assert (status, json.loads(body)["code"]) == (500, "migration_failed")
    assert "could not be migrated to version 1" in caplog.text
    assert isinstance(serving.served.exchange.error, KeyError)


def test_a_part_of_a_body_passes(serve: Any) -> None:
    serving = serve(Handler(status=206, body=b'{"ce', headers={"Content-Range": "bytes 0-3/99"}))
    got = serving.ask("1", method="GET")
    assert (got[0], got[2]) == (206, b'{"ce')


def test_error_responses_pass_unless_they_are_asked_for(serve: Any) -> None:
    serving = serve(Handler(status=409, body=b'{"reason": "x"}'))
    assert serving.ask("1", method="GET")[2] == b'{"reason": "x"}'


def test_error_responses_are_carried_on_demand(serve: Any) -> None:
    chain = [Migration("2", response=lambda body: {"error": body["reason"]}, errors=True), Migration("3", response=total)]
    serving = serve(Handler(status=409, body=b'{"reason": "x"}'), chain)
    assert json.loads(serving.ask("1", method="GET")[2]) == {"error": "x"}


def test_streams_pass_as_they_come(serve: Any) -> None:
    serving = serve(Handler(stream=True))
    status, headers, body = serving.ask("1", method="GET")
    assert (status, body) == (200, serving.handler.body)
    assert "content-length" not in headers


def test_a_compressed_response_passes(serve: Any) -> None:
    packed = gzip.compress(json.dumps(NEWEST).encode())
    serving = serve(Handler(body=packed, headers={"Content-Encoding": "gzip"}))
    assert serving.ask("1", method="GET")[2] == packed


def test_head_announces_no_length_that_is_not_gets(serve: Any) -> None:
    serving = serve(Handler())
    _, headers, body = serving.ask("1", method="HEAD")
    length = len(json.dumps(OLDEST, separators=(",", ":")))
    assert body == b""
    assert headers.get("content-length", str(length)) == str(length)
    assert headers["content-type"] == "application/json"


def test_digests_of_the_old_bytes_go_and_the_validator_stays(serve: Any) -> None:
    serving = serve(Handler(headers={"Content-MD5": "x", "Repr-Digest": "sha-256=:x:", "ETag": '"7"'}))
    _, headers, _ = serving.ask("1", method="GET")
    assert "content-md5" not in headers
    assert "repr-digest" not in headers
    assert headers["etag"] == '"7"'


class Closing:
    """A body that knows how often it was closed."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        self.closed += 1


def over_wsgi(app: Any, migrations: list[Migration] = CHAIN) -> Any:
    gate = Gate([Versions(["1", "2", "3"])])
    return interservice.wsgi.Middleware(interservice.wsgi.Migrations(app, migrations), gate)


JSON = [("Content-Type", "application/json")]


def test_wsgi_response_that_starts_late_is_carried_and_closed_once() -> None:
    body = json.dumps(NEWEST).encode()
    result: list[Closing] = []

    def app(environ: Any, start_response: Any) -> Any:
        def parts() -> Iterator[bytes]:
            start_response("200 OK", [*JSON, ("Content-Length", str(len(body)))])
            yield body[:7]
            yield body[7:]

        result.append(Closing(parts()))
        return result[0]

    _, headers, got = ask_wsgi(over_wsgi(app), "GET", "/orders", {"API-Version": "1"}, None)
    assert json.loads(got) == OLDEST
    assert headers["content-length"] == str(len(got))
    assert result[0].closed == 1


def test_wsgi_stream_that_starts_late_passes_and_is_closed_once() -> None:
    result: list[Closing] = []

    def app(environ: Any, start_response: Any) -> Any:
        def parts() -> Iterator[bytes]:
            start_response("200 OK", JSON)
            yield b"{}"
            yield b"{}"

        result.append(Closing(parts()))
        return result[0]

    assert ask_wsgi(over_wsgi(app), "GET", "/orders", {"API-Version": "1"}, None)[2] == b"{}{}"
    assert result[0].closed == 1


def test_wsgi_write_passes() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", JSON)(b"written")
        return []

    assert ask_wsgi(over_wsgi(app), "GET", "/orders", {"API-Version": "1"}, None)[2] == b"written"


def test_wsgi_second_head_takes_the_place_of_the_first() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", JSON)
        try:
            _: Any = dict[str, str]()["x"]
        except KeyError:
            start_response("500 Oops", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"oops"]

    heads: list[Any] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/orders", "HTTP_API_VERSION": "1"}
    body = over_wsgi(app)(environ, lambda *head: heads.append(head))
    assert list(body) == [b"oops"]
    body.close()
    ((status, headers, exc_info),) = heads
    assert (status, headers[0], exc_info[0]) == ("500 Oops", ("Content-Type", "text/plain"), KeyError)


def test_wsgi_body_without_a_length_is_read_where_the_server_ends_it() -> None:
    got = []

    def app(environ: Any, start_response: Any) -> Any:
        got.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("204 No Content", [])
        return []

    served = over_wsgi(app)
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/orders", "CONTENT_TYPE": "application/json", "HTTP_API_VERSION": "1",
        "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "wsgi.input": io.BytesIO(json.dumps(OLDEST).encode()),
    }  # fmt: skip
    body = served(environ, lambda status, headers, exc_info=None: lambda data: None)
    list(body)
    body.close()
    assert json.loads(got[0]) == NEWEST
    assert "HTTP_TRANSFER_ENCODING" not in environ


def over_asgi(app: Any, messages: list[dict[str, Any]], method: str = "GET") -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": "/orders",
        "raw_path": b"/orders", "query_string": b"", "root_path": "",
        "headers": [(b"api-version", b"1"), (b"content-type", b"application/json")],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    served = interservice.asgi.Middleware(interservice.asgi.Migrations(app, CHAIN), Gate([Versions(["1", "2", "3"])]))
    asyncio.run(served(scope, receive, send))
    assert scope["headers"][0] == (b"api-version", b"1")
    return sent


def test_asgi_body_in_several_messages_of_a_known_length_is_carried() -> None:
    body = json.dumps(NEWEST).encode()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body[:5], "more_body": True})
        await send({"type": "http.response.body", "body": body[5:], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    start, answer = over_asgi(app, [{"type": "http.request"}])
    assert json.loads(answer["body"]) == OLDEST
    assert dict(start["headers"])[b"content-length"] == str(len(answer["body"])).encode()


def test_asgi_file_by_its_path_passes() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        head = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.pathsend", "path": "/tmp/x"})

    assert [one["type"] for one in over_asgi(app, [{"type": "http.request"}])] == [
        "http.response.start",
        "http.response.pathsend",
    ]


def test_asgi_client_that_leaves_in_the_middle_of_its_body_is_told_of_alone() -> None:
    got = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.append(await receive())

    gone: list[dict[str, Any]] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    over_asgi(app, gone, method="POST")
    assert got == [{"type": "http.disconnect"}]


def test_asgi_framework_does_not_see_what_went_wrong_with_its_response() -> None:
    seen: list[BaseException] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
            await send({"type": "http.response.body", "body": b"{}"})
        except BaseException as error:
            seen.append(error)

    start, _ = over_asgi(app, [{"type": "http.request"}])
    assert (start["status"], seen) == (500, [])
