"""The gate at the edge: an embedded gateway for the demo and for small set-ups."""

from __future__ import annotations

from .proxy import Proxy

__all__ = ["Proxy"]
