"""The package as a user gets it: what an import loads, what is public, and what a wheel holds."""

from __future__ import annotations

import importlib
import inspect
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = ["interservice", "interservice.tokens", "interservice.outbound", "interservice.testing"]
FRAMEWORKS = ("requests", "flask", "django", "starlette", "fastapi")


@pytest.mark.parametrize("module", ["interservice", "interservice.wsgi", "interservice.asgi", "interservice.tokens"])
def test_import_loads_no_framework_and_no_requests(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {FRAMEWORKS!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_leaves_no_thread_and_no_socket() -> None:
    code = (
        "import socket, threading\n"
        "opened = []\n"
        "class Socket(socket.socket):\n"
        "    def __init__(self, *a, **k): super().__init__(*a, **k); opened.append(self)\n"
        "socket.socket = Socket\n"
        "import interservice, interservice.outbound, interservice.tokens, interservice.wsgi, interservice.asgi\n"
        "print([one for one in opened if one.fileno() != -1], threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] 1"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    assert module.__all__
    assert sorted(set(module.__all__)) == sorted(module.__all__)
    for public in module.__all__:
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{name}.{public} has no docstring"


def test_wheel_holds_every_module_and_the_typing_marker(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "interservice", source / "interservice", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(source)]
    done = subprocess.run([*command, "--disable-pip-version-check"], capture_output=True, text=True, timeout=50, check=False)
    if done.returncode and "No matching distribution" in done.stderr:
        pytest.skip("the build backend cannot be had: setuptools>=77 comes from the package index")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("interservice/")}
    here = {str(path.relative_to(source)) for path in (source / "interservice").rglob("*.py")}
    assert packed == here | {"interservice/py.typed", "interservice/cli/demo/servers/oidc.mjs"}
