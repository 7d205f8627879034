"""Where a StatsD receiver is: "host:port", "udp://host:port", "tcp://host:port" or "unix:///path" (a datagram socket)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from interservice.errors import ConfigurationError

_INET = re.compile(r"(?:(udp|tcp)://)?(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:/@?#\[\]]+)):([0-9]{1,5})", re.ASCII)
#: struct sockaddr_un's sun_path, with its closing NUL.
_MAX_UNIX_PATH = 107
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """One receiver. `host` and `port` are those of udp and tcp, `path` is that of unix."""

    transport: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix://{self.path}" if self.transport == "unix" else f"{self.transport}://{host}:{self.port}"


def parse_address(text: str, option: str = "StatsD.address") -> Address:
    """The address that `text` says; whether its host resolves is nobody's concern here.

    Raises:
        ConfigurationError: No host, a bad port, or a path that no socket can have.
    """
    if text.startswith("unix://"):
        path = text.removeprefix("unix://")
        if path.startswith("/") and "\0" not in path and len(path.encode("utf-8", "surrogateescape")) <= _MAX_UNIX_PATH:
            return Address("unix", path=path)
        msg = f"{option} must be unix:// with an absolute path of at most {_MAX_UNIX_PATH} bytes, not {text!r}"
        raise ConfigurationError(msg)
    match = _INET.fullmatch(text)
    if match is None or not 0 < int(match[4]) <= _MAX_PORT:
        msg = f'{option} must be "host:port", "tcp://host:port" or "unix:///path" with a port from 1 to {_MAX_PORT}, not {text!r}'
        raise ConfigurationError(msg)
    return Address(match[1] or "udp", host=match[2] or match[3], port=int(match[4]))
