"""The demo on real servers as a user runs it, in short; and that nothing of it outlives it, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interservice.cli.demo.servers.programs import find_all
from interservice.errors import ConfigurationError
from tests.servers.peer import ROOT, eventually, missing

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("demo")]


def demo(output: Path, *arguments: str, gateway: str = "nginx") -> Sequence[str]:
    """The command; skips where a server is missing."""
    try:
        find_all(gateway, ROOT)
    except ConfigurationError as error:
        missing("a server of the demo", str(error))
    return [sys.executable, "-m", "interservice", "demo", "--servers", "--gateway", gateway, "--output", str(output), *arguments]


def running(output: Path) -> list[str]:
    """The processes that have to do with a run's folder: by their command, where they run, or what they were told."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes() + bytes((process / "cwd").readlink())
        except OSError:
            continue  # it has ended, or is somebody else's
        if str(output).encode() in told:
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.mark.parametrize("gateway", ["nginx", "envoy"])
def test_every_phase_holds_on_real_servers_and_monitoring_agrees(gateway: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    command = demo(output, "--seconds", "1", gateway=gateway)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every phase did what it should" in done.stdout
    assert "requests at the gateway" in done.stdout
    assert "haproxy_backend" in (output / "metrics.txt").read_text()
    for part in ("authority", "orders-a", "orders-b", "invoices"):
        assert (output / f"{part}.access.jsonl").stat().st_size
    assert running(output) == []


@pytest.mark.parametrize("signals", [[signal.SIGINT, signal.SIGINT], [signal.SIGTERM]], ids=["Ctrl-C twice", "SIGTERM"])
def test_demo_that_is_interrupted_leaves_nothing_running(signals: list[signal.Signals], tmp_path: Path) -> None:
    output = tmp_path / "out"
    command = demo(output, "--seconds", "60")
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    assert eventually(lambda: b"1/10" in (tmp_path / "said").read_bytes() or process.poll() is not None, within=90)
    assert len(running(output)) > 8, (tmp_path / "said").read_text()
    for number in signals:
        process.send_signal(number)
    assert process.wait(60) == 130, (tmp_path / "said").read_text()
    assert running(output) == []


def test_server_that_does_not_start_ends_the_demo_and_leaves_nothing_running(tmp_path: Path) -> None:
    output, broken = tmp_path / "out", tmp_path / "bin" / "haproxy"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho no luck today >&2\nexit 3\n")
    broken.chmod(0o755)
    environ = {**os.environ, "PATH": f"{broken.parent}:{os.environ['PATH']}"}
    done = subprocess.run(demo(output), env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "haproxy did not start" in done.stdout
    assert "no luck today" in done.stdout
    assert running(output) == []


def test_missing_servers_are_named_with_the_lines_that_install_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError) as refusal:
        find_all("nginx", tmp_path)
    assert "redis-server: apt-get install" in str(refusal.value)
    assert "oidc-provider: npm install" in str(refusal.value)


def test_availability_is_measured_call_by_call_through_every_incident(tmp_path: Path) -> None:
    output = tmp_path / "out"
    command = demo(output, "--availability", "0.3", "--rate", "20")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads((output / "availability.json").read_text())
    assert report["total"]["calls"] == 360
    succeeded = 1 - report["total"]["failed"] / 360
    assert succeeded >= 0.9, done.stdout + done.stderr  # a machine that is busy with all the other tests makes calls late
    assert done.returncode == (0 if succeeded >= 0.999 else 1), done.stdout + done.stderr
    assert len(report["series"]) == 18
    assert {"keys rotated", "authorization server down", "orders-a cut off"} <= {one["name"] for one in report["incidents"]}
    assert "orders-b killed" in (output / "availability.md").read_text()
    assert "orders-b killed" in (output / "availability.svg").read_text()
    assert running(output) == []
