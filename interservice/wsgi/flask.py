"""Flask answers an exception with a 500 of its own before anybody outside sees it; its signal tells which exception it was.

Flask is never imported here: where it is not loaded, no application of its can be wrapped.
"""

from __future__ import annotations

import sys
from typing import Any

from interservice.errors import Rejection
from interservice.exchange import current


def listen() -> None:
    """Have Flask tell of the exceptions that nothing handled, if it is there. More than once does nothing."""
    signal = getattr(sys.modules.get("flask"), "got_request_exception", None)
    if signal is not None:
        signal.connect(_note)


def _note(_app: object, exception: BaseException | None = None, **_: Any) -> None:
    """Note it on the exchange: a Rejection will be answered in place of the 500, anything else is named in the log."""
    exchange = current()
    if exchange is None or exception is None:
        return
    if isinstance(exception, Rejection):
        exchange.refusal = exception
    else:
        exchange.error = exception
