"""The fixture that starts real servers: it says what is missing, tells why one did not start, and leaves no process behind."""

from __future__ import annotations

import os
import sys

import pytest

from tests.servers.peer import Peer, answers, free_port, missing, program

_SERVE = "import http.server as s, sys; s.HTTPServer(('127.0.0.1', int(sys.argv[1])), s.SimpleHTTPRequestHandler).serve_forever()"


def test_missing_server_skips_with_a_line_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTERSERVICE_REQUIRE_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-server is not here: apt-get install it"):
        program("no-such-server", how="apt-get install it")


def test_missing_server_fails_where_servers_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERSERVICE_REQUIRE_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install it"):
        missing("no-such-server", "apt-get install it")


def test_peer_answers_inside_the_block_and_is_gone_after_it() -> None:
    port = free_port()
    with Peer([sys.executable, "-c", _SERVE, str(port)], lambda: answers(port)) as peer:
        pid = peer.pid
        assert answers(port)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ConnectionRefusedError):
        answers(port)


def test_peer_that_ends_at_once_fails_with_what_it_said() -> None:
    peer = Peer([sys.executable, "-c", "import sys; sys.exit('no such configuration')"], lambda: False)
    with pytest.raises(pytest.fail.Exception, match="no such configuration"), peer:
        pass
