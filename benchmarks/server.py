"""The server that outbound calls go to: its own process, HTTP/1.1 with keep-alive, one send for head and body.

Run as `python -m benchmarks.server`: it prints its port, and ends when its standard input does. A thread for each connection, a
receive for each request: as little as there can be on the other end, so that the client is what is measured.
"""

from __future__ import annotations

import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b'{"id": 7, "state": "paid", "total": "12.50"}'
_RESPONSE = b"\r\n".join(
    [
        b"HTTP/1.1 200 OK",
        b"Server: loopback",
        b"Date: Wed, 25 Nov 2026 00:00:00 GMT",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(BODY),
        b"Connection: keep-alive",
        b"",
        BODY,
    ]
)


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        sock: Any = self.request
        waiting = b""
        while data := sock.recv(65536):
            waiting += data
            while (end := waiting.find(b"\r\n\r\n")) >= 0:
                waiting = waiting[end + 4 :]
                sock.sendall(_RESPONSE)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error."""


@contextmanager
def running() -> Iterator[str]:
    """Run the server in a process of its own, and give its URL."""
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        # Leaving closes its standard input, which ends it.


def main() -> None:
    """Serve until standard input ends."""
    with _Server(("127.0.0.1", 0), _Connection) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
