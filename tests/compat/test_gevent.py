"""Under gevent's monkey-patching, in a process of its own: calls run side by side, and everything is given back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from interservice.faultserver import FaultServer, Received, Reply

ROOT = Path(__file__).resolve().parents[2]
#: Seconds that the server takes for what is slow.
SLOW = 0.4
CALLS = 20


def answer(request: Received) -> Reply:
    return {
        "/slow": Reply(delay=SLOW),
        "/long": Reply(body=b"x" * 100_000, chunked=True),
        "/stall": Reply.stall(),
        "/trickle": Reply.trickle(0.02, b"x" * 400),
        "/503": Reply(status=503),
    }.get(request.target, Reply())


def test_calls_under_gevent() -> None:
    with FaultServer(then=answer) as server:
        command = [
            sys.executable,
            "-W",
            "error",
            "-m",
            "tests.compat.under_gevent",
            server.url,
            f"http://localhost:{server.port}/",
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["statuses"] == [200]
    assert found["seconds"] < CALLS * SLOW / 2  # side by side
    assert found["streamed"] == 100_000
    assert found["waited"] == [200] * 6
    assert found["full"] == 1
    assert found["cancelled"] == 0
    assert 1.0 <= found["late"] < 6.0
    assert found["ticks"] > 3
    assert found["circuit"] == "open"
    assert found["named"] == 200
    assert found["held"] == 0
