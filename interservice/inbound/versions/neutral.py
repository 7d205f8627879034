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

_DOTS = re.compile(r"/\.{1,2}(?:/|\Z)")


def compile_globs(globs: Iterable[str]) -> re.Pattern[str]:
    """A pattern for whole paths, from globs as `fnmatch` has them: "*" stands for any characters, "/" included.

    The server-wide "*" of `OPTIONS *` is always among them.
    """
    return re.compile("|".join((r"\*\Z", *map(translate, globs))))


def is_neutral(pattern: re.Pattern[str], path: str) -> bool:
    """Whether a path has no version. One with dot segments never is: what it means is not what it says."""
    return pattern.match(path) is not None and not has_dot_segments(path)


def has_dot_segments(path: str) -> bool:
    """Whether a path holds "." or ".." as a segment."""
    return "/." in path and _DOTS.search(path) is not None
