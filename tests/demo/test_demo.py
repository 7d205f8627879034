"""The demo as a user runs it, in short, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from interservice.__main__ import main
from interservice.cli.demo.receiver import Receiver
from interservice.cli.demo.runner import find_examples, prepare_folder
from interservice.errors import ConfigurationError


@pytest.mark.timeout(240)
@pytest.mark.xdist_group("demo")
def test_every_phase_does_what_it_should(tmp_path: Path) -> None:
    output = tmp_path / "out"
    command = [sys.executable, "-m", "interservice", "demo", "--seconds", "3", "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every phase did what it should" in done.stdout
    for part in ("gateway", "orders-a", "orders-b", "invoices"):
        lines = (output / f"{part}.access.jsonl").read_text().splitlines()
        assert lines
        assert all(isinstance(json.loads(line), dict) for line in lines)
    metrics = (output / "metrics.txt").read_text()
    assert "gateway.refused.invalid_token 100" in metrics
    assert "gateway.retry.orders" in metrics


def test_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="--output"):
        prepare_folder(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_folder_of_an_earlier_run_is_emptied(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path / "out")
    (folder / "old.log").write_text("old")
    assert [path.name for path in prepare_folder(folder).iterdir()] == [".interservice-demo"]


def test_demo_without_the_examples_says_where_it_looked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--examples", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    assert f"looked in {tmp_path}" in capsys.readouterr().err
    with pytest.raises(ConfigurationError):
        find_examples(tmp_path)


def test_receiver_sums_counters_and_keeps_timings(tmp_path: Path) -> None:
    import socket

    with Receiver() as receiver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        host, port = receiver.address.split(":")
        sender.sendto(b"a:1|c\na:2|c\nb:10|ms\nb:30|ms\nnonsense\n", (host, int(port)))
        while not receiver.bad_lines:
            pass
        receiver.write(tmp_path / "metrics.txt")
    assert (tmp_path / "metrics.txt").read_text() == "a 3\nb count=2 p50=30.000ms max=30.000ms\n"
