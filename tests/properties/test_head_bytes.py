"""Reading a head is total: whatever bytes come, there is a head or one of `http.client`'s errors."""

from __future__ import annotations

import http.client
import io

from hypothesis import given
from hypothesis import strategies as st

from interservice.outbound.head import Head

_LINES = st.lists(
    st.binary(max_size=40) | st.sampled_from([b"Content-Length: 3", b"Transfer-Encoding: chunked", b" folded", b"A:b"]),
    max_size=8,
)


class Bytes:
    """What `http.client` takes for a socket."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self.data))


@given(st.binary(max_size=200) | _LINES.map(lambda lines: b"HTTP/1.1 200 OK\r\n" + b"\r\n".join(lines) + b"\r\n\r\n"))
def test_any_bytes_are_a_head_or_an_error_of_http_client(data: bytes) -> None:
    head = Head(Bytes(data), method="GET")
    try:
        head.begin()
    except http.client.HTTPException:
        return
    assert 200 <= head.status <= 999 or head.status == 101
    assert head.length is None or head.length >= 0
    assert all(isinstance(name, str) and "\n" not in value for name, value in head.fields)
