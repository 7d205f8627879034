"""W3C Trace Context level 2 through a whole service: bytes on one socket in, what another service is sent out, WSGI and ASGI.

The cases are those that the W3C's validation service has.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from interservice.faultserver import FaultServer
from tests.servers.running import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ID, _SPAN = "12345678901234567890123456789012", "1234567890123456"
_PARENT = f"00-{_ID}-{_SPAN}-01"
_KEYS = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
_VALUE = "".join(map(chr, [*range(0x20, 0x2C), *range(0x2D, 0x3D), *range(0x3E, 0x7F)]))
_MEMBERS = [f"bar{number:02}={number:02}" for number in range(1, 34)]


@dataclass(frozen=True)
class Service:
    """The service under test, and the one that it calls."""

    port: int
    called: FaultServer

    def sent_on(self, fields: Sequence[tuple[str, str]], times: int = 1) -> list[Mapping[str, str]]:
        """The headers of the calls that a request with these fields leads to."""
        before = len(self.called.requests)
        lines = [f"POST /call/{times} HTTP/1.1", "Host: peer", "Content-Length: 0", "Connection: close"]
        head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in fields)]) + "\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port), 10.0) as client:
            client.sendall(head.encode())
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return [{name.lower(): value for name, value in request.headers.items()} for request in self.called.requests[before:]]


@pytest.fixture(scope="module", params=["gunicorn-gthread", "uvicorn"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp(f"trace-{request.param}")
    with FaultServer() as called, running(request.param, folder, "tests.servers.trace_apps", TEST_CALLED=called.url) as app:
        yield Service(app.port, called)


def parts(headers: Mapping[str, str]) -> tuple[str, str, int]:
    """Trace id, parent id and flags of a call; its traceparent is to the letter."""
    match = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", headers["traceparent"])
    assert match, headers
    assert match[1] != "0" * 32
    assert match[2] != "0" * 16
    return match[1], match[2], int(match[3], 16)


@pytest.mark.parametrize("name", ["traceparent", "TraceParent", "TrAcEpArEnT", "TRACEPARENT"])
def test_valid_traceparent_is_continued_below_a_span_of_our_own(service: Service, name: str) -> None:
    (headers,) = service.sent_on([(name, _PARENT)])
    trace_id, parent_id, flags = parts(headers)
    assert trace_id == _ID
    assert parent_id != _SPAN
    assert flags == 1
    assert "tracestate" not in headers


@pytest.mark.parametrize("value", [f"cc-{_ID}-{_SPAN}-01", f"cc-{_ID}-{_SPAN}-01-what-the-future-will-be-like"])
def test_traceparent_of_a_later_version_is_continued(service: Service, value: str) -> None:
    (headers,) = service.sent_on([("traceparent", value)])
    assert parts(headers)[0] == _ID


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("traceparent", _PARENT.replace("12-", "11-")), ("traceparent", _PARENT)],
        [("trace-parent", _PARENT)],
        [("trace.parent", _PARENT)],
        *([("traceparent", value)] for value in (
            f"{_PARENT}.", f"{_PARENT}-what-the-future-will-be-like", f"cc-{_ID}-{_SPAN}-01.what-the-future-will-be-like",
            f"ff-{_ID}-{_SPAN}-01", f".0-{_ID}-{_SPAN}-01", f"0.-{_ID}-{_SPAN}-01", f"000-{_ID}-{_SPAN}-01",
            f"0000-{_ID}-{_SPAN}-01", f"0-{_ID}-{_SPAN}-01", f"00-{'0' * 32}-{_SPAN}-01", f"00-.{_ID[1:]}-{_SPAN}-01",
            f"00-{_ID[:-1]}.-{_SPAN}-01", f"00-{_ID}3-{_SPAN}-01", f"00-{_ID[:-1]}-{_SPAN}-01", f"00-{_ID}-{'0' * 16}-01",
            f"00-{_ID}-.{_SPAN[1:]}-01", f"00-{_ID}-{_SPAN[:-1]}.-01", f"00-{_ID}-{_SPAN}7-01", f"00-{_ID}-{_SPAN[:-1]}-01",
            f"00-{_ID}-{_SPAN}-.0", f"00-{_ID}-{_SPAN}-0.", f"00-{_ID}-{_SPAN}-001", f"00-{_ID}-{_SPAN}-1",
            f"00-{_ID}-{_SPAN}", f"00-{_ID.replace('1', 'A')}-{_SPAN}-01", f"00_{_ID}_{_SPAN}_01", "",
        )),
    ],
)  # fmt: skip
def test_anything_else_begins_a_new_trace_without_the_callers_state(service: Service, fields: list[tuple[str, str]]) -> None:
    (headers,) = service.sent_on([*fields, ("tracestate", "foo=1")])
    trace_id, _, flags = parts(headers)
    assert trace_id not in "".join(value for _, value in fields)
    assert flags == 2  # random, and not recorded
    assert "tracestate" not in headers


def test_surrounding_blanks_are_no_part_of_the_value(service: Service) -> None:
    (headers,) = service.sent_on([("traceparent", f" \t{_PARENT}\t ")])
    assert parts(headers)[0] == _ID


@pytest.mark.parametrize("flags", [0, 1, 2, 3])
def test_flags_are_passed_on(service: Service, flags: int) -> None:
    (headers,) = service.sent_on([("traceparent", f"00-{_ID}-{_SPAN}-{flags:02x}")])
    assert parts(headers) == (_ID, parts(headers)[1], flags)


def test_flags_that_nobody_has_defined_are_not_passed_on(service: Service) -> None:
    (headers,) = service.sent_on([("traceparent", f"00-{_ID}-{_SPAN}-ff")])
    assert parts(headers)[2] == 3


@pytest.mark.parametrize(
    ("states", "sent_on"),
    [
        (["foo=1,bar=2"], "foo=1,bar=2"),
        (["foo=1", "bar=2"], "foo=1,bar=2"),
        (["foo=1", "", "bar=2"], "foo=1,bar=2"),
        (["foo=1,"], "foo=1"),
        ([""], None),
        (["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
        (["\t foo=1 \t"], "foo=1"),
        (["foo=1,foo=1"], "foo=1"),
        (["foo=1,foo=2"], "foo=1"),
        (["foo=1", "foo=2"], "foo=1"),
        ([f"{_KEYS}={_VALUE}"], f"{_KEYS}={_VALUE}"),
        ([f"{_KEYS}@a-z0-9_-*/={_VALUE}"], f"{_KEYS}@a-z0-9_-*/={_VALUE}"),
        (["foo@=1,bar=2"], "foo@=1,bar=2"),
        (["foo@bar@baz=1,bar=2"], "foo@bar@baz=1,bar=2"),
        (["@foo=1,bar=2"], None),
        (["foo =1"], None),
        (["FOO=1"], None),
        (["foo.bar=1"], None),
        (["foo=bar=baz"], None),
        (["foo=,bar=3"], None),
        (["foo"], None),
        ([",".join(_MEMBERS[:10]), ",".join(_MEMBERS[10:32])], ",".join(_MEMBERS[:32])),
        ([",".join(_MEMBERS[:10]), ",".join(_MEMBERS[10:])], None),
        (["foo=1", "z" * 256 + "=1"], f"foo=1,{'z' * 256}=1"),
        (["foo=1", "z" * 257 + "=1"], None),
        (["foo=1", f"{'t' * 242}@v=1"], f"foo=1,{'t' * 242}@v=1"),
        (["foo=" + "v" * 256], "foo=" + "v" * 256),
        (["foo=" + "v" * 257], None),
    ],
)
@pytest.mark.parametrize("name", ["tracestate", "TraceState"])
def test_tracestate_is_sent_on_whole_or_not_at_all_and_the_trace_goes_on(
    service: Service, name: str, states: list[str], sent_on: str | None
) -> None:
    (headers,) = service.sent_on([("traceparent", _PARENT), *((name, state) for state in states)])
    assert parts(headers)[0] == _ID
    # The blanks at a field's end belong to no value; who reads strips them.
    assert headers.get("tracestate") == (sent_on and sent_on.strip())


@pytest.mark.parametrize("name", ["trace-state", "trace.state"])
def test_another_name_is_no_tracestate(service: Service, name: str) -> None:
    (headers,) = service.sent_on([("traceparent", _PARENT), (name, "foo=1")])
    assert "tracestate" not in headers


@pytest.mark.parametrize("fields", [[], [("traceparent", _PARENT)], [("traceparent", f"00-{'0' * 32}-{_SPAN}-01")]])
def test_calls_of_one_request_are_spans_of_their_own_in_one_trace(service: Service, fields: list[tuple[str, str]]) -> None:
    sent = [parts(headers) for headers in service.sent_on(fields, times=3)]
    assert len({trace_id for trace_id, _, _ in sent}) == 1
    assert len({span for _, span, _ in sent}) == 3


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ([("b3", f"{_ID}-{_SPAN}-1")], 1),
        ([("X-B3-TraceId", _ID), ("X-B3-SpanId", _SPAN), ("X-B3-Sampled", "0")], 0),
        ([("X-Amzn-Trace-Id", f"Root=1-{_ID[:8]}-{_ID[8:]};Parent={_SPAN};Sampled=1")], 1),
        ([("X-Cloud-Trace-Context", f"{_ID}/{int(_SPAN, 16)};o=1")], 1),
    ],
    ids=["b3", "b3-multi", "xray", "gcp"],
)
def test_older_formats_are_continued_as_w3c(service: Service, fields: list[tuple[str, str]], flags: int) -> None:
    (headers,) = service.sent_on(fields)
    assert parts(headers) == (_ID, parts(headers)[1], flags)
