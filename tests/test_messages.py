"""Heads of messages, problem documents, options and listeners."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interservice import options
from interservice.errors import ConfigurationError, InsufficientScope, InvalidToken, Rejection
from interservice.events import Listeners
from interservice.http import Head, problem


def test_head_compares_names_without_case_and_keeps_order() -> None:
    head = Head(200, [("A", "1"), ("b", "2"), ("a", "3")])
    assert head.get("a") == "1"
    head.set("A", "9")
    head.default("B", "not needed")
    head.default("C", "4")
    assert head.headers == [("b", "2"), ("A", "9"), ("C", "4")]


@pytest.mark.parametrize(
    ("present", "added", "vary"),
    [
        ([], ("Accept",), ["Accept"]),
        ([("vary", "accept, Cookie")], ("Accept",), ["accept, Cookie"]),
        ([("Vary", "Cookie"), ("vary", "Origin")], ("Accept", "API-Version"), ["Cookie, Origin, Accept, API-Version"]),
        ([("Vary", "*")], ("Accept",), ["*"]),
    ],
)
def test_vary_is_merged(present: list[tuple[str, str]], added: tuple[str, ...], vary: list[str]) -> None:
    head = Head(200, present)
    head.vary(*added)
    assert [value for name, value in head.headers if name.lower() == "vary"] == vary


def test_problem_document_is_ascii_and_names_oauths_error() -> None:
    reply = problem(InvalidToken("expired", "Café\u2028</script>"), "r-1")
    assert reply.body.isascii()
    document = json.loads(reply.body)
    assert (document["code"], document["error"], document["instance"]) == ("invalid_token", "invalid_token", "urn:request:r-1")
    assert dict(reply.headers)["Content-Length"] == str(len(reply.body))


def test_problem_document_without_request_id_has_no_instance() -> None:
    assert "instance" not in json.loads(problem(Rejection(), None).body)


def test_retry_after_is_whole_seconds_rounded_up() -> None:
    assert dict(problem(Rejection(retry_after=0.2), None).headers)["Retry-After"] == "1"


def test_unregistered_status_has_a_title() -> None:
    assert json.loads(problem(Rejection(status=499), None).body)["title"] == "Unknown"


def test_errors_are_one_tree() -> None:
    assert issubclass(InsufficientScope, Rejection)
    assert issubclass(ConfigurationError, ValueError)
    assert (InvalidToken("expired").reason, InvalidToken("expired").status) == ("expired", 401)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "R.n must be at least 1, not 0"),
        (True, "R.n must be a whole number, not True"),
        (1.5, "R.n must be a whole number, not 1.5"),
        ("3", "R.n must be a whole number, not '3'"),
        (9, "R.n must be at most 5, not 9"),
        (None, "R.n must be a whole number, not None"),
    ],
)
def test_number_out_of_range_is_named(value: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        options.number("R.n", value, at_least=1, at_most=5, integer=True)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_number_must_be_finite(value: float) -> None:
    with pytest.raises(ConfigurationError, match="a number"):
        options.number("R.n", value)


@pytest.mark.parametrize("value", ["orders:read", b"x", 7, ["a", ""], ["a", 1]])
def test_bare_string_is_refused_and_not_split(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"R\.scopes must be a list of"):
        options.strings("R.scopes", value)


def test_listeners_are_isolated_from_each_other(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[object] = []

    def broken(event: object) -> None:
        raise ZeroDivisionError

    listeners = Listeners([broken, heard.append])
    listeners("one")
    listeners("two")
    assert heard == ["one", "two"]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("value", [print, [print, None]])
def test_listeners_must_be_a_list_of_callables(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="listeners must be"):
        Listeners(value)
