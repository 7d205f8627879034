"""Problem details as a peer sends them: read where they can be, and nowhere believed over the status."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from interservice.outbound.problem import Problem, problem_of


def answer(body: bytes, content_type: str | None = "application/problem+json", status: int = 403) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    if content_type is not None:
        response.headers["Content-Type"] = content_type
    response._content = body
    return response


def test_every_member_is_read_and_the_others_are_extensions() -> None:
    document = {"type": "https://x/credit", "title": "t", "detail": "d", "instance": "/1", "status": 403, "balance": 30}
    problem = problem_of(answer(json.dumps(document).encode()))
    assert problem == Problem("https://x/credit", "t", 403, "d", "/1", {"balance": 30})
    assert pickle.loads(pickle.dumps(problem)) == problem


@pytest.mark.parametrize("content_type", ["Application/Problem+JSON", "application/problem+json; charset=utf-8"])
def test_the_media_type_is_what_counts(content_type: str) -> None:
    assert problem_of(answer(b"{}", content_type)) == Problem("about:blank", None, 403, None, None, {})


@pytest.mark.parametrize("content_type", [None, "", "application/json", "application/problem+xml", "text/html"])
def test_other_media_types_are_no_problems(content_type: str | None) -> None:
    assert problem_of(answer(b'{"title": "t"}', content_type)) is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b'"t"', b"\xff", b"[" * 20_000, b'{"title": "' + b"t" * 65536 + b'"}']
)
def test_what_cannot_be_read_is_no_problem(body: bytes) -> None:
    assert problem_of(answer(body)) is None


def test_the_status_is_that_of_the_response_whatever_the_document_says() -> None:
    problem = problem_of(answer(b'{"status": 200}', status=503))
    assert problem is not None
    assert problem.status == 503


@given(
    st.dictionaries(
        st.sampled_from(["type", "title", "detail", "instance", "status", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
    )
)
def test_members_of_the_wrong_type_are_as_if_they_were_not_there(members: dict[str, Any]) -> None:
    problem = problem_of(answer(json.dumps(members).encode()))
    assert problem is not None
    for name in ("title", "detail", "instance"):
        assert getattr(problem, name) == (members.get(name) if isinstance(members.get(name), str) else None)
    assert isinstance(problem.type, str)
    assert problem.type
    assert problem.status == 403


@given(st.binary())
def test_any_bytes_are_a_problem_or_none(body: bytes) -> None:
    assert problem_of(answer(body)) is None or isinstance(problem_of(answer(body)), Problem)
