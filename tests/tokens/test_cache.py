"""What is used is kept, and never more than there is room for."""

from __future__ import annotations

import pytest

from interservice.tokens.cache import RecentlyUsed


def test_what_was_kept_is_found() -> None:
    cache: RecentlyUsed[int] = RecentlyUsed(4)
    cache.keep(b"a", 1)
    assert cache.find(b"a") == 1
    assert cache.find(b"b") is None


@pytest.mark.parametrize("size", [0, 1, 2, 3, 10, 101])
def test_room_is_never_exceeded(size: int) -> None:
    cache: RecentlyUsed[int] = RecentlyUsed(size)
    for number in range(500):
        cache.keep(str(number).encode(), number)
        cache.find(str(number // 2).encode())
        assert len(cache) <= size


def test_what_is_used_outlives_what_is_not() -> None:
    cache: RecentlyUsed[int] = RecentlyUsed(10)
    cache.keep(b"used", 1)
    for number in range(100):
        cache.keep(str(number).encode(), number)
        assert cache.find(b"used") == 1
    assert cache.find(b"0") is None


def test_what_was_dropped_is_gone() -> None:
    cache: RecentlyUsed[int] = RecentlyUsed(10)
    cache.keep(b"a", 1)
    cache.drop(b"a")
    assert cache.find(b"a") is None
