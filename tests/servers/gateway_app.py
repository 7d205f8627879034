"""The embedded gateway in front of one service, as real servers load it; TEST_UPSTREAM is where the service is."""

from __future__ import annotations

import os
from pathlib import Path

from interservice import AccessLog, Deadlines, Gate, Tracing
from interservice.gateway import Proxy
from interservice.outbound import Retry, ServiceAdapter, Timeouts
from interservice.wsgi import Middleware

log = Path(os.environ["TEST_ACCESS_LOG"]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - as long as the process
adapter = ServiceAdapter(
    "orders",
    endpoints=[os.environ["TEST_UPSTREAM"]],
    timeouts=Timeouts(connect=2.0, read=5.0, total=20.0),
    retry=Retry(attempts=2),
    breaker=None,
)
gate = Gate([Tracing(), Deadlines()], [AccessLog(stream=log)], service="gateway")
wsgi = Middleware(Proxy({"/": adapter}, max_body=1_000_000), gate)
