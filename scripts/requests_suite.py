"""Runs the tests of `requests` itself with `ServiceAdapter` as its default adapter.

    python scripts/requests_suite.py            # `make compat`: prints what passes and what fails, beside plain requests

The tests come with the source distribution of the version of `requests` that is installed, and need an environment of their own:
httpbin, which they talk to, holds other packages to old versions. What fails is run again with the adapter of `requests`: what
fails there as well is no news of ours.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION = version("requests")
FOLDER = ROOT / ".servers" / f"requests-suite-{VERSION}"
PYTHON = FOLDER / "venv" / "bin" / "python"
SOURCE = FOLDER / f"requests-{VERSION}"
#: What the tests need besides, and what this package does; httpbin before 0.10.2 does not run on Werkzeug 3.
PACKAGES = (
    "pytest<10",
    "pytest-httpbin==2.1.0",
    "pytest-mock",
    "pytest-timeout",
    "pytest-xdist",
    "httpbin>=0.10.2",
    "trustme",
    "PySocks",
    f"requests=={VERSION}",
    f"urllib3=={version('urllib3')}",
    "asgiref",
    "pyjwt[crypto]",
    "python-json-logger",
    "statsd",
)
_SUMMARY = re.compile(r"^(?:FAILED|ERROR) (?P<node>\S+)", re.MULTILINE)
_COUNTS = re.compile(r"^=*\s*(?P<counts>.*\b(?:passed|failed|error).*) in [0-9.]+s", re.MULTILINE)


def prepare() -> str | None:
    """Fetch the tests and make their environment, once; what is missing, if something is."""
    if (FOLDER / "ready").exists():
        return None
    FOLDER.mkdir(parents=True, exist_ok=True)
    pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    sdist = ["download", "--no-deps", "--no-binary", ":all:", "--dest", str(FOLDER), f"requests=={VERSION}"]
    steps = [[sys.executable, *pip, *sdist], [sys.executable, "-m", "venv", str(FOLDER / "venv")]]
    for step in [*steps, [str(PYTHON), *pip, "install", *PACKAGES]]:
        done = subprocess.run(step, capture_output=True, text=True, check=False, timeout=240)
        if done.returncode:
            return f"the sdist of requests {VERSION}, or what its tests need, cannot be had: {done.stderr.strip()[-300:]}"
    with tarfile.open(FOLDER / f"requests-{VERSION}.tar.gz") as archive:
        archive.extractall(FOLDER, filter="data")
    (FOLDER / "ready").touch()
    return None


def run(*nodes: str, ours: bool) -> tuple[str, list[str]]:
    """Run the tests, or some of them: the counts, and those that failed."""
    plugin = ["-p", "default_adapter"] if ours else []
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "compat")])
    done = subprocess.run(
        [str(PYTHON), "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "--timeout=60", *plugin, *(nodes or ["tests"])],
        cwd=SOURCE,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    counts = _COUNTS.search(done.stdout)
    if counts is None:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return counts["counts"], _SUMMARY.findall(done.stdout)


def compare() -> tuple[str, list[str], list[str]]:
    """The counts with our adapter, what fails with it alone, and what fails with either."""
    counts, failed = run(ours=True)
    either = run(*failed, ours=False)[1] if failed else []
    return counts, [node for node in failed if node not in either], either


def main() -> int:
    """Print the comparison; 1 when something fails with our adapter alone, or nothing could be run."""
    lacking = prepare()
    if lacking:
        print(lacking)
        return 1
    plain, _ = run(ours=False)
    counts, alone, either = compare()
    print(f"requests {VERSION}, its own tests")
    print(f"  with its own adapter:    {plain}")
    print(f"  with ServiceAdapter():   {counts}")
    for node in either:
        print(f"  fails with either: {node}")
    for node in alone:
        print(f"  FAILS WITH OURS ALONE: {node}")
    return 1 if alone else 0


if __name__ == "__main__":
    sys.exit(main())
