"""The command line: every module of `interservice.cli` is a command, with help, and errors are one line."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

from interservice import cli
from interservice.__main__ import main

COMMANDS = [module.name for module in pkgutil.iter_modules(cli.__path__)]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])

    assert caught.value.code == 0
    assert f"interservice {command}" in capsys.readouterr().out


def test_help_lists_every_command_with_its_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])

    shown = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(f" {command} " in shown for command in COMMANDS)
    assert "Run the embedded authorization server" in shown


@pytest.mark.parametrize("argv", [[], ["nonsense"], ["token", "--nonsense"]])
def test_what_is_not_understood_is_a_usage_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)

    assert caught.value.code == 2
    assert "usage: interservice" in capsys.readouterr().err


def test_it_runs_as_a_module_and_loads_nothing_heavy_for_help() -> None:
    code = "import sys; from interservice.__main__ import main\ntry: main(['token', '--help'])\nexcept SystemExit: pass\n"
    code += "sys.exit('requests' in sys.modules or 'joserfc' in sys.modules or 'django' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "Get an access token" in done.stdout
