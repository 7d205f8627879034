"""Rows are written as the dictionaries they stand for, whichever encoder is at work; and who writes them."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from interservice.telemetry import JsonLines
from interservice.telemetry.rows import Columns
from interservice.telemetry.stamp import Stamp

COLUMNS = Columns(["a", "b.c", "d/d", "e"])


@pytest.mark.parametrize("fast", [True, False], ids=["msgspec", "plain"])
@pytest.mark.parametrize(
    "values",
    [
        ("text", 1, 1.5, True),
        (None, None, None, None),
        (None, "\u00e9\u2028", -1, False),
        ("\ud800", 2**70, float("nan"), b"bytes"),
        ("\\ud800", "\x00\n", 0, ""),
        ("x" * 20_000, ["list"], {"key": None}, object),
    ],
    ids=["plain", "empty", "non-ascii", "no json", "escapes", "long"],
)
def test_row_is_written_as_its_record(fast: bool, values: tuple[Any, ...]) -> None:
    lines = JsonLines(fast=fast)
    row = lines.rows(COLUMNS)(*values)
    text = lines.encode(row)
    assert json.loads(text) == json.loads(lines.encode(row.record()))
    assert list(json.loads(text)) == [name for name, value in zip(COLUMNS.names, values, strict=True) if value is not None]
    assert text.isascii()


def test_row_has_a_value_for_each_name() -> None:
    with pytest.raises(ValueError, match="zip"):
        COLUMNS.rows()("one").record()


def test_milliseconds_are_of_the_moment() -> None:
    stamp = Stamp()
    assert [stamp.at(now)[0] for now in (0.0, 0.999, 1.0005, 1795564827.125)] == [
        "1970-01-01T00:00:00.000Z",
        "1970-01-01T00:00:00.999Z",
        "1970-01-01T00:00:01.000Z",
        "2026-11-25T00:00:27.125Z",
    ]


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_forked_child_writes_its_own_id_in_the_same_second() -> None:
    stamp, now = Stamp(), 1_800_000_000.0
    assert stamp.at(now)[1] == os.getpid()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if stamp.at(now)[1] == os.getpid() else 1)
    assert os.waitpid(pid, 0)[1] == 0
