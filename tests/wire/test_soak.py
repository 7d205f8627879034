"""A small soak: `make soak` is the large one."""

from __future__ import annotations

from scripts.soak import chaos, posts


def test_no_post_is_sent_twice_whatever_happens_to_its_connection() -> None:
    sent = posts(2_000, threads=6, seed=7)
    assert sent.duplicates == 0
    assert sent.torn == 0
    assert sent.answered + sent.failed <= sent.calls  # the others were answered otherwise
    assert sent.answered > sent.calls / 2
    assert sent.failed > 0
    assert sent.resent > 0  # with nothing sent before, or by the server's leave


def test_a_server_that_is_reset_at_random_leaves_nothing_behind() -> None:
    left = chaos(3.0, threads=6, seed=7)
    assert left.calls > 0
    assert left.strange == []
    assert left[2:] == (0, 0, 0, 0, 0)
