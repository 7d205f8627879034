"""What is being handled further up just now: servers and frameworks end things in an `except` or `finally` without saying why.

Python keeps the exception under way visible to whatever is called meanwhile (`sys.exc_info`): so a binding learns of it.
"""

from __future__ import annotations

import sys

from .errors import Rejection


def refusal() -> Rejection | None:
    """The Rejection for which a framework is just sending its own 500, or None."""
    error = sys.exc_info()[1]
    return error if isinstance(error, Rejection) else None


def broken_connection() -> bool:
    """Whether what is called just now is part of the clean-up after a connection that broke."""
    return isinstance(sys.exc_info()[1], OSError)
