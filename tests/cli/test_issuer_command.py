"""`interservice issuer`: as a process of its own, and its options."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests

from interservice.__main__ import main
from interservice.issuer.keys import generate, load
from interservice.outbound.credentials import ClientCredentials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Process:
    """`python -m interservice issuer`, and the lines it says at start."""

    def __init__(self, *args: str, lines: int = 2) -> None:
        command = [sys.executable, "-m", "interservice", "issuer", "--port", "0", *args]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.said = [self.process.stderr.readline() for _ in range(lines)]
        self.url = next(match[1] for line in self.said if (match := re.search(r"issuer at (http://\S+):", line)))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture
def started() -> Iterator[Any]:
    running: list[Process] = []

    def start(*args: str, lines: int = 2) -> Process:
        running.append(Process(*args, lines=lines))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(started: Any, number: signal.Signals) -> None:
    issuer = started("--client", "id=orders,secret=s=1,scope=a:b,scope=c,audience=billing")

    token = ClientCredentials(client_id="orders", client_secret="s=1", issuer=issuer.url, scope="a:b c").token(10)

    assert token.count(".") == 2
    assert "for development only" in issuer.said[0]
    assert issuer.said[1] == "client orders: client_secret_basic, client_secret_post; scopes a:b c; audiences billing\n"
    assert issuer.stop(number) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{issuer.url}/jwks", timeout=5)


def test_a_secret_is_made_up_and_said_where_none_is_given(started: Any) -> None:
    issuer = started("--client", "id=orders", lines=3)

    secret = issuer.said[0].removeprefix("secret of client orders: ").strip()

    assert ClientCredentials(client_id="orders", client_secret=secret, issuer=issuer.url).token(10)


def test_clients_and_key_come_from_files(started: Any, tmp_path: Path) -> None:
    key, pem = generate("ES256"), tmp_path / "dev.pem"
    clients = tmp_path / "clients.json"
    clients.write_text(
        json.dumps([{"client_id": "orders", "jwks": {"keys": [key.jwk]}, "scopes": ["a"], "audiences": ["billing"]}])
    )

    first = started("--clients", str(clients), "--key", str(pem), "--alg", "ES256", lines=3)
    assert f"a new key is in {pem}\n" in first.said
    assert stat.S_IMODE(pem.stat().st_mode) == 0o600
    assert ClientCredentials(client_id="orders", private_key=key.pem(), issuer=first.url).token(10)
    kids = [one["kid"] for one in requests.get(f"{first.url}/jwks", timeout=5).json()["keys"]]
    second = started("--clients", str(clients), "--key", str(pem))

    assert kids == [load(pem.read_bytes()).kid]
    assert [one["kid"] for one in requests.get(f"{second.url}/jwks", timeout=5).json()["keys"]] == kids


def test_the_admin_endpoint_is_there_when_asked_for(started: Any) -> None:
    issuer = started("--admin", lines=2)
    token = issuer.said[0].removeprefix("admin token: ").strip()

    answer = requests.post(f"{issuer.url}/admin/rotate", headers={"Authorization": f"Bearer {token}"}, timeout=10)

    assert answer.status_code == 200
    assert len(answer.json()["kids"]) == 6


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--host", "0.0.0.0"], "host must be loopback unless allow_remote=True"),
        (["--client", "secret=x"], "a client needs an id"),
        (["--client", "id=x,colour=red"], "--client has no 'colour'"),
        (["--client", "id=x,scope"], "--client has no 'scope'"),
        (["--client", "id=x,secret=1", "--client", "id=x,secret=2"], "'x' occurs twice"),
        (["--lifetime", "0"], "AuthorizationServer.lifetime must be at least 1"),
        (["--alg", "HS256"], "alg must be one of"),
        (["--port", "99999"], "port must be at most 65535"),
        (["--issuer", "nonsense"], "AuthorizationServer.issuer must be an https URL"),
    ],
)
def test_nonsense_is_one_line_and_status_2(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["issuer", "--port", "0", *args]) == 2

    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("interservice: ")
    assert message in error


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"colour": "red"}]'])
def test_a_file_of_clients_that_cannot_be_read_is_refused(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "clients.json"
    file.write_text(content)

    assert main(["issuer", "--port", "0", "--clients", str(file)]) == 2
    assert f"{file} must be" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["issuer", "--port", "0", "--clients", os.fspath(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err
