"""What the pages on deployment tell people to write is well-formed, and means what this package has."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from interservice import Health
from interservice.gateway import render

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "deployment"


def blocks(page: str, language: str) -> list[str]:
    """The contents of a page's blocks in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (FOLDER / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_kubernetes_asks_the_paths_that_health_answers() -> None:
    (text,) = blocks("kubernetes.md", "yaml")
    pod = yaml.safe_load(text)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == Health().live
    assert container["readinessProbe"]["httpGet"]["path"] == Health().ready
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][-1].rpartition("sleep ")[2])
    graceful = int(re.findall(r"--graceful-timeout (\d+)", container["command"][-1])[0])
    assert pod["terminationGracePeriodSeconds"] > pause + graceful


def test_units_are_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here: apt-get install systemd")
    service, socket = blocks("systemd.md", "ini")
    program = re.findall(r"^ExecStart=(\S+)", service, re.MULTILINE)[0]
    (tmp_path / "orders@.service").write_text(service.replace(program, shutil.which("true") or "/bin/true"))
    (tmp_path / "orders.service").write_text(f"[Service]\nExecStart={shutil.which('true')}\n")
    (tmp_path / "orders.socket").write_text(socket)
    done = subprocess.run(
        [analyze, "verify", tmp_path / "orders@.service", tmp_path / "orders.socket"],
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert (done.returncode, [line for line in done.stderr.splitlines() if str(tmp_path) in line or "orders" in line]) == (0, [])


@pytest.mark.parametrize("server", ["nginx", "envoy", "haproxy", "caddy", "kong"])
def test_each_rendered_server_has_a_page_that_says_how(server: str) -> None:
    assert server in render.__all__
    page = (FOLDER / f"{server}.md").read_text("utf-8")
    assert f"interservice render {server} edge:edge" in page
    assert f"_static/deploy-{server}.svg" in page
