"""The demo's processes: what ends with them, what a pause is, and how signals end the whole."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from interservice.cli.demo.process import NotReadyError, Process, free_port
from interservice.clock import SYSTEM

#: Listens, with a worker of its own in the same group that ignores every polite request to end.
SERVER = """
import os, signal, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open(sys.argv[2], "w").close()
while True:
    listener.accept()[0].sendall(b"hello")
"""


def process(folder: Path, *command: str, port: int | None = None) -> Process:
    return Process("peer", command, port or free_port(), folder, {}, folder / "peer.out", SYSTEM, ready=None)


def listening(folder: Path) -> Process:
    port = free_port()
    return process(folder, sys.executable, "-c", SERVER, str(port), str(folder / "worker"), port=port)


def greeted(port: int, seconds: float) -> bool:
    """Whether somebody answers, in that time."""
    with socket.create_connection(("127.0.0.1", port), 5.0) as client:
        client.settimeout(seconds)
        try:
            return client.recv(5) == b"hello"
        except TimeoutError:
            return False


def refuses(port: int) -> bool:
    """Whether nobody listens any more."""
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except ConnectionRefusedError:
        return True
    except OSError:  # reset or left waiting by somebody who is just going
        return False
    return False


def test_worker_that_will_not_end_ends_with_its_process(tmp_path: Path) -> None:
    peer = listening(tmp_path).start()
    while not (tmp_path / "worker").exists():
        assert greeted(peer.port, 5.0)
    peer.stop()
    while not refuses(peer.port):  # the worker has the socket too; a test that hangs here has found it alive
        pass


def test_paused_process_takes_connections_and_does_not_answer_until_it_is_resumed(tmp_path: Path) -> None:
    peer = listening(tmp_path).start()
    try:
        assert greeted(peer.port, 5.0)
        peer.pause()
        assert not greeted(peer.port, 0.2)
        peer.resume()
        assert greeted(peer.port, 5.0)
        peer.pause()
    finally:
        peer.stop()  # wakes it first: what is stopped could not end in good order
    peer.stop()


def test_process_that_ends_at_once_is_told_with_the_end_of_its_output(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match=r"peer did not start(.|\n)*no luck"):
        process(tmp_path, sys.executable, "-c", "raise SystemExit('no luck')").start()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_signals_end_the_block_and_leave_its_cleaning_up_in_peace(number: signal.Signals) -> None:
    program = f"""
import os, signal
from interservice.cli.demo.ending import interruptible, undisturbed
before = signal.getsignal({int(number)})
try:
    with interruptible():
        try:
            os.kill(os.getpid(), {int(number)})
            print("went on")
        finally:
            with undisturbed():
                os.kill(os.getpid(), {int(number)})
                print("cleaned up")
except KeyboardInterrupt:
    print("interrupted", signal.getsignal({int(number)}) is before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.stdout.split("\n") == ["cleaned up", "interrupted True", ""], done.stderr
