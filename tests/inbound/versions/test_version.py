"""The grammar, the order and the comparisons of versions."""

from __future__ import annotations

import pytest

from interservice.inbound.versions import Number, Version, parse


@pytest.mark.parametrize(
    "text",
    ["0", "1", "1.0", "1.2.3", "999999999", "1-beta", "1.2-rc.1", "2026-01-31", "2024-02-29", "2026-01-31.1", "2026-01-31.1.2",
     "2026-01-31-preview", "2026-01-31.1-b", "2026-02-25.clover", "2026-beta", "1-" + "a" * 32,
     "20260101", "2026-01-01.123456789.123456789-" + "a" * 32],
)  # fmt: skip
def test_well_formed(text: str) -> None:
    assert parse(text) is not None


@pytest.mark.parametrize(
    "text",
    ["", " ", "v1", "01", "1.01", "00", "+1", "-1", "1_0", " 1", "1 ", "1\n", "\u0661", "1.\u0663", "1.", ".1", "1..2", "1.2.3.4",
     "1-", "1-1", "1-\u00e9", "1-a_b", "1beta", "v1beta1", "1,2", "1.x", "*", "latest", "1000000000", "1" * 5000, "1-" + "a" * 33,
     "2026-02-30", "2023-02-29", "0000-01-01", "2026-13-01", "2026-1-1", "26-01-01", "2026-01-01T00:00", "2026-01-01.",
     "2026-01-01.1.2.3", "2026-01-01.01", "2026-01-01.clover-beta", "2026-01-01-", "1\x00", "\ud800"],
)  # fmt: skip
def test_malformed(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("1", "1.0.0"),
        ("1.2", "1.2.0"),
        ("1-Beta", "1.0-bETA"),
        ("2026-01-01", "2026-01-01.0.0"),
        ("2026-01-01.A", "2026-01-01.a"),
    ],
)
def test_equal_spellings(one: str, other: str) -> None:
    assert parse(one) == parse(other)
    assert hash(parse(one)) == hash(parse(other))


def test_order() -> None:
    ascending = ["0", "0.9", "1-alpha", "1-beta", "1", "1.0.1", "1.2", "1.10", "2-rc", "2", "10",
                 "2025-12-31", "2026-01-01-preview", "2026-01-01", "2026-01-01.1", "2026-02-25.clover"]  # fmt: skip
    numbers = [parse(text) or Number() for text in ascending]
    assert sorted({*numbers}) == numbers
    assert len(set(numbers)) == len(numbers)


def version(text: str) -> Version:
    number = parse(text)
    assert number is not None
    return Version(text, number, "path", text)


def test_version_compares_by_meaning_with_versions_and_strings() -> None:
    two = version("2.0")
    assert two == version("2")
    assert two == "2"
    assert two != "2-rc"
    assert two != "nonsense"
    assert two > "1.9"
    assert two >= "2"
    assert two < version("10")
    assert two <= "2.0.0"
    assert two != 2


def test_comparison_with_what_is_no_version_is_an_error() -> None:
    for compare in ("__lt__", "__le__", "__gt__", "__ge__"):
        assert getattr(version("1"), compare)("x") is NotImplemented
    with pytest.raises(TypeError):
        _ = version("1") < "nonsense"


def test_version_is_frozen_and_not_hashable() -> None:
    with pytest.raises(AttributeError):
        version("1").text = "2"  # type: ignore[misc]
    with pytest.raises(TypeError):
        hash(version("1"))
