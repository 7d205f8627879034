"""The target that a service gets means the path that the gate decided on, whatever a client or a server made of it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.middleware.lint import LintMiddleware
from werkzeug.test import Client

from interservice.faultserver import FaultServer, Reply
from interservice.gateway import Proxy
from interservice.gateway.proxy import target
from interservice.outbound import ServiceAdapter
from interservice.wsgi.request import environ_request
from tests.bindings import wsgi_side

_SENT = re.compile(r"/[\x21-\x7e]*", re.ASCII)
PATHS = st.binary(max_size=30).map(lambda raw: b"/" + raw)


def environ(path: bytes, query: str = "", mount: bytes = b"", **more: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": mount.decode("latin-1"), "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": query, **more,
    }  # fmt: skip


def sent(**given: Any) -> str:
    told = environ(**given)
    return target(environ_request(told), told)


@given(PATHS, st.text(st.characters(max_codepoint=255), max_size=20))
def test_target_is_printable_and_means_the_path(path: bytes, query: str) -> None:
    found = sent(path=path, query=query)
    assert _SENT.fullmatch(found)
    assert unquote_to_bytes(found.partition("?")[0]) == path
    assert "#" not in found


@given(PATHS, st.sets(st.sampled_from(list(b"abcdef/-._~%20"))))
def test_path_is_spelt_as_the_client_spelt_it(path: bytes, escaped: set[int]) -> None:
    safe = "".join(chr(code) for code in range(0x21, 0x7F) if code not in {*escaped, *b"%#?"})
    raw = "/" + quote(path[1:], safe=safe).lower()
    if unquote_to_bytes(raw) == path:  # lower() spares the digits of escapes alone
        assert sent(path=path, RAW_URI=raw + "?x") == raw


@given(PATHS, PATHS)
def test_path_that_the_server_tells_is_not_believed_when_it_means_another(path: bytes, other: bytes) -> None:
    raw = quote(other, safe="/")
    assert unquote_to_bytes(sent(path=path, REQUEST_URI=raw)) == path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"path": b"", "mount": b""}, "/"),
        ({"path": b"/orders", "mount": b"/v1", "RAW_URI": "/v1/orders"}, "/v1/orders"),
        ({"path": b"", "mount": b"/v1", "RAW_URI": "/v1"}, "/v1"),
        ({"path": b"/a b", "RAW_URI": "http://host/a%20b"}, "/a%20b"),
        ({"path": b"/a", "query": "x=1&y=%2f&z=a+b"}, "/a?x=1&y=%2f&z=a+b"),
        ({"path": b"/a", "query": "x=a b#c"}, "/a?x=a%20b%23c"),
        ({"path": b"/a", "query": "?"}, "/a??"),
    ],
    ids=["empty", "mounted", "mount-alone", "absolute", "query", "no-query", "question-mark"],
)
def test_target(given: dict[str, Any], expected: str) -> None:
    assert sent(**given) == expected


@pytest.mark.parametrize("status", [200, 204, 304, 404, 503])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_answers_are_wsgi_to_the_letter(method: str, status: int) -> None:
    headers = {"ETag": '"a"'} if status == 304 else {"ETag": '"a"', "Content-Type": "text/plain"}
    with FaultServer(then=Reply(status=status, headers=headers)) as service:
        app: Any = Proxy({"/": ServiceAdapter("orders", endpoints=[service.url], retry=None)})
        answer = wsgi_side.ask(app, method, "/orders", {"Content-Length": "0"} if method == "POST" else {})
        assert (answer.status, answer.header("ETag")) == (status, '"a"')
        assert answer.body == (b"" if method == "HEAD" or status in (204, 304) else b"ok")
        if method == "HEAD" or status == 204:
            return  # werkzeug wants no length there for HEAD, and one for 204, where RFC 9110 section 8.6 forbids it
        linted = Client(LintMiddleware(app)).open("/orders", method=method, buffered=True)
        assert (linted.status_code, linted.data) == (status, answer.body)
