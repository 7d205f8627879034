"""What the extra `issuer` is for, and what works without it."""

from __future__ import annotations

import subprocess
import sys

WITHOUT_JOSERFC = "import sys; sys.modules['joserfc'] = None\n"


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", WITHOUT_JOSERFC + code], capture_output=True, text=True, check=False)


def test_without_the_extra_the_server_says_what_to_install() -> None:
    done = run("from interservice.issuer import AuthorizationServer; AuthorizationServer(issuer='https://auth.example')")

    assert "ConfigurationError: the embedded issuer needs joserfc: pip install 'interservice[issuer]'" in done.stderr


def test_the_issuer_for_tests_needs_no_extra() -> None:
    done = run("from interservice.testing import Issuer; print(Issuer(algorithms=['ES256']).mint(aud='x'))")

    assert done.stdout.count(".") == 2, done.stderr
