"""Libraries that are compared with, loaded where they are installed: a table leaves out what is not, and says so."""

from __future__ import annotations

import importlib
from typing import Any


class Missing(Exception):
    """A peer is not installed."""


class Peer:
    """A module of another project, loaded when it is first asked for something.

    Args:
        module: Its dotted name.
    """

    __slots__ = ("_loaded", "_module")

    def __init__(self, module: str) -> None:
        self._module = module
        self._loaded: Any = None

    def __getattr__(self, name: str) -> Any:
        """What the module has under that name.

        Raises:
            Missing: it is not installed.
        """
        if self._loaded is None:
            try:
                self._loaded = importlib.import_module(self._module)
            except ImportError as error:
                raise Missing(self._module) from error
        return getattr(self._loaded, name)
