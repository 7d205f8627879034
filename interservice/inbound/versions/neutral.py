"""Paths that have no version: health checks, static files, documentation."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The neutral paths unless others are given; extend them with `neutral=(*NEUTRAL, "/mine")`.
NEUTRAL = (
    "/healthz", "/readyz", "/livez", "/-/*", "/favicon.ico", "/robots.txt", "/.well-known/*", "/static/*", "/docs", "/docs/*",
    "/redoc", "/openapi.json", "/openapi.yaml",
)  # fmt: skip

_SPECIAL = re.compile(r"[*?\[]")
_DOTS = re.compile(r"/\.{1,2}(?:/|\Z)")


class Globs:
    """Globs of whole paths, as `fnmatch` has them: "*" stands for any characters, "/" included.

    The server-wide "*" of `OPTIONS *` is always among them. Where they stand for paths without a version, one with dot segments
    (`has_dot_segments`) is none of them: what it means is not what it says.
    """

    __slots__ = ("_others", "_prefixes", "_words")

    def __init__(self, globs: Iterable[str]) -> None:
        words, prefixes, others = {"*"}, [], []
        for glob in globs:
            # Nearly all are a path, or a path and all below it, which needs no expression.
            start = glob.removesuffix("*")
            if _SPECIAL.search(start):
                others.append(translate(glob))
            elif start == glob:
                words.add(glob)
            else:
                prefixes.append(start)
        self._words = frozenset(words)
        self._prefixes = tuple(prefixes)
        self._others = re.compile("|".join(others)) if others else None

    def match(self, path: str) -> bool:
        """Whether one of them is this path's."""
        if path in self._words or path.startswith(self._prefixes):
            return True
        return self._others is not None and self._others.match(path) is not None


def has_dot_segments(path: str) -> bool:
    """Whether a path holds "." or ".." as a segment."""
    return "/." in path and _DOTS.search(path) is not None
