"""The text of each line, byte for byte as it was when it was stored: what reads logs may go by the order of fields, too.

`python -m tests.telemetry.test_line_texts` stores the texts anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from interservice.errors import InvalidToken, Rejection
from interservice.events import Served
from interservice.http import Request
from interservice.telemetry import AccessLog
from interservice.testing import FakeClock
from interservice.trace import Trace
from tests.telemetry.material import Headers, Principal, Sink, Version, exchange, served

STORED = Path(__file__).with_name("line_texts.json")
PRESETS = ("otel", "ecs", "flat")
PATHS = {"msgspec": True, "plain": False}


def _request(path: str = "/orders/7", method: str = "GET", **values: Any) -> Request:
    headers = Headers(values.pop("headers", [("User-Agent", "curl/8")]))
    return Request(method, path, headers, **values)


#: By name: an event, and the options of its log.
EVENTS: dict[str, tuple[Served, dict[str, Any]]] = {
    "ordinary": (served(), {}),
    "all of the process": (served(), {"service": "shop", "service_version": "1.2.3", "instance": "shop-1"}),
    "nothing known": (
        served(exchange(_request(headers=[]), route=None, trace=None, request_id=None, service=None), None, first_byte=None),
        {},
    ),
    "identity": (served(exchange(principal=Principal(), version=Version())), {}),
    "hashed subject": (served(exchange(principal=Principal())), {"subject": "hash"}),
    "omitted subject": (served(exchange(principal=Principal(client_id=None))), {"subject": "omit"}),
    "no subject": (served(exchange(principal=Principal(subject=None))), {"subject": "hash"}),
    "deprecated version": (served(exchange(version=Version("2", "header", deprecated=True))), {}),
    "sampled trace": (served(exchange(trace=Trace("a" * 32, "b" * 16, None, 3))), {}),
    "kept by chance": (served(exchange(trace=Trace("f" * 32, "b" * 16, None, 2))), {"sample_rate": 0.5}),
    "probe": (served(exchange(quiet=True), 503), {}),
    "quiet path": (served(exchange(_request("/healthz"))), {}),
    "client error": (served(status=404), {}),
    "server error": (served(status=503), {}),
    "exception": (served(status=500, outcome="exception", error=ValueError("no\npassword=x")), {"stacktrace": False}),
    "disconnect": (served(status=None, outcome="client_disconnect"), {}),
    "aborted": (served(status=200, outcome="aborted"), {}),
    "unheard-of outcome": (served(outcome="surprise"), {}),
    "refusal": (served(exchange(refusal=Rejection("No.", status=403, code="forbidden")), 403), {}),
    "token refused": (served(exchange(refusal=InvalidToken("expired", "It is over.")), 401), {}),
    "annotated": (served(exchange(fields={"tenant": "t-1", "token": "x", "list": [1, {"a": None}], "message": "m"})), {}),
    "headers": (served(exchange(_request(headers=[("X-A", "1"), ("X-A", "bearer abcdefgh")]))), {"request_headers": ["X-A"]}),
    "unknown method": (served(exchange(_request(method="BREW"))), {}),
    "mounted": (served(exchange(_request(mount="/api", scheme="https", protocol="2"), route=None)), {}),
    "secret query": (served(exchange(_request(query="page=2&access_token=abc&user%5Bpassword%5D=x;code=1"))), {}),
    "length": (served(exchange(_request(headers=[("Content-Length", "1234567890123456789")]))), {}),
    "no length": (served(exchange(_request(headers=[("Content-Length", "-1")]))), {}),
    "long agent": (served(exchange(_request(headers=[("User-Agent", "m" * 300)]))), {}),
    "empty agent": (served(exchange(_request(headers=[("User-Agent", "")]))), {}),
    "unix socket": (served(exchange(_request(server=("/run/app.sock", None)))), {}),
    "accents": (served(exchange(_request("/caf\u00e9/\u2028\U0001f600"), route=None)), {}),
    "escapes": (served(exchange(_request('/a"b\\c\x00\x1f\x7f/<>'), route=None)), {}),
    "lone surrogate": (served(exchange(_request("/\udcff"), route=None)), {}),
    "big number": (served(bytes_sent=2**70), {}),
    **{
        f"{seconds!r} seconds": (served(seconds=seconds, first_byte=seconds / 3), {})
        for seconds in (
            0.0, 1e-9, 4.999e-7, 5e-7, 1.5e-6, 1.25e-5, 0.0005, 0.0123455, 0.0123465, 0.123456789, 2.0000005, 3600.0, 1e9,
            1e15, 1e300, -0.0125, -1e-7, float("inf"), float("nan"),
        )
    },
}  # fmt: skip


def text_of(name: str, preset: str, *, fast: bool) -> str:
    """The line of an event, without the number of this process."""
    event, options = EVENTS[name]
    sink = Sink()
    AccessLog(stream=sink, preset=preset, fast=fast, clock=FakeClock(time=1_700_000_000.25), **options)(event)
    return sink.getvalue().replace(f'pid":{os.getpid()}', 'pid":0')


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", EVENTS)
def test_text_of_a_line_is_what_it_was(name: str, preset: str, path: str) -> None:
    stored = json.loads(STORED.read_text())[name]
    assert text_of(name, preset, fast=PATHS[path]) == stored.get(f"{preset} {path}", stored[preset])


def _stored(name: str) -> dict[str, str]:
    """The texts of an event by preset, and beside them those of msgspec where it writes numbers or controls differently."""
    plain = {preset: text_of(name, preset, fast=False) for preset in PRESETS}
    fast = {preset: text_of(name, preset, fast=True) for preset in PRESETS}
    return plain | {f"{preset} msgspec": fast[preset] for preset in PRESETS if fast[preset] != plain[preset]}


if __name__ == "__main__":
    STORED.write_text(json.dumps({name: _stored(name) for name in EVENTS}, indent=1) + "\n")
