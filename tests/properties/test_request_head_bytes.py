"""No header can be written that urllib3 and `http.client` would not write in the very same bytes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from interservice.outbound.request_head import plain_head
from tests.outbound.urllib3_requests import theirs

_NAMES = st.text(max_size=6) | st.sampled_from(["Host", "host", "X-A", "Content-Length", "Transfer-Encoding", "X A", "X:", "\tX"])
_VALUES = st.text(max_size=12) | st.sampled_from(["a\r\n b", "a\r\nX: y", "\n", "\r", "caf\xe9", "5", "a\x00b"])
_FIELDS = st.dictionaries(_NAMES, _VALUES, max_size=4)
_TARGETS = st.text(max_size=12).map(lambda path: f"/{path}")


@given(st.sampled_from(["GET", "POST", "PUT", "P UT", "get"]), _TARGETS, _FIELDS, st.none() | st.binary(max_size=8))
def test_a_head_is_theirs_to_the_byte_or_left_to_them(method: str, target: str, fields: dict[str, str], body: Any) -> None:
    headers = {"User-Agent": "a/1", "Accept-Encoding": "gzip", **fields}
    ours = plain_head(method, target, "billing", headers, body)
    if ours is None:
        return
    assert ours + (body or b"") == theirs(method, target, headers, body)
