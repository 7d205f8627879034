"""Heads of requests: written as urllib3 writes them, or left to it."""

from __future__ import annotations

from typing import Any

import pytest
from urllib3.util import SKIP_HEADER

from interservice.outbound.request_head import plain_head
from tests.outbound.urllib3_requests import theirs

USUAL: dict[Any, Any] = {"User-Agent": "a/1", "Accept-Encoding": "gzip", "Accept": "*/*", "Connection": "keep-alive"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("port", [80, 8080])
def test_a_usual_request_is_written_as_urllib3_writes_it(method: str, port: int) -> None:
    host = "billing" if port == 80 else f"billing:{port}"
    fields = {**USUAL, "X-Name": "caf\xe9", "X-Empty": ""}
    assert plain_head(method, "/a/b?c=%20d", host, fields) == theirs(method, "/a/b?c=%20d", fields, port=port)


def test_a_host_of_the_callers_own_is_the_only_one() -> None:
    fields = {**USUAL, "host": "other"}
    head = plain_head("GET", "/", "billing", fields)
    assert head == theirs("GET", "/", fields)
    assert head.lower().count(b"host:") == 1


def test_a_body_with_its_length_follows_the_head() -> None:
    fields = {**USUAL, "Content-Length": "2"}
    head = plain_head("POST", "/", "billing", fields, b"ab")
    assert head is not None
    assert head + b"ab" == theirs("POST", "/", fields, b"ab")


@pytest.mark.parametrize(
    ("method", "target", "fields", "body"),
    [
        ("get", "/", USUAL, None),
        ("GE T", "/", USUAL, None),
        ("GET", "http://billing/", USUAL, None),
        ("GET", "/a b", USUAL, None),
        ("GET", "/a\r\nX: y", USUAL, None),
        ("GET", "/\xe9", USUAL, None),
        ("GET", "/", {"Accept-Encoding": "gzip"}, None),
        ("GET", "/", {"User-Agent": "a/1"}, None),
        ("GET", "/", {**USUAL, "User-Agent": SKIP_HEADER}, None),
        ("GET", "/", {**USUAL, "X": "a\r\nY: b"}, None),
        ("GET", "/", {**USUAL, "X": "a\nb"}, None),
        ("GET", "/", {**USUAL, "X": "a\rb"}, None),
        ("GET", "/", {**USUAL, "X": "\r\n"}, None),
        ("GET", "/", {**USUAL, "X: Y": "b"}, None),
        ("GET", "/", {**USUAL, "X\r\nY": "b"}, None),
        ("GET", "/", {**USUAL, "": "b"}, None),
        ("GET", "/", {**USUAL, "X": b"bytes"}, None),
        ("GET", "/", {**USUAL, b"X": "bytes"}, None),
        ("GET", "/", {**USUAL, "X": 1}, None),
        ("GET", "/", {**USUAL, "X": "\u20ac"}, None),
        ("GET", "/", {**USUAL, "accept": "a twin"}, None),
        ("GET", "/", {**USUAL, "Transfer-Encoding": "chunked"}, None),
        ("POST", "/", USUAL, None),
        ("POST", "/", USUAL, b"ab"),
        ("POST", "/", {**USUAL, "Content-Length": "2"}, "ab"),
        ("POST", "/", {**USUAL, "Content-Length": "2"}, iter([b"ab"])),
    ],
)
def test_what_is_unusual_is_left_to_urllib3(method: str, target: str, fields: dict[Any, Any], body: Any) -> None:
    assert plain_head(method, target, "billing", fields, body) is None
