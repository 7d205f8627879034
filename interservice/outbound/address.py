"""The addresses of endpoints and of requests, read once and strictly."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from interservice.errors import ConfigurationError

_PORTS = {"http": 80, "https": 443}


class Address(NamedTuple):
    """Where a service listens. Scheme and host are in lower case."""

    scheme: str
    host: str
    port: int

    @property
    def url(self) -> str:
        """As a URL without a path; the port only where it is not the scheme's own."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def netloc(self) -> str:
        """Host and port, as in a URL; the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if _PORTS[self.scheme] == self.port else f"{host}:{self.port}"


def origin(url: str) -> Address:
    """Scheme, host and port of an http or https URL.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        msg = f"not an http or https URL with a host: {parts.scheme}://{parts.hostname or ''}"
        raise ValueError(msg)
    return Address(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])


def endpoint_address(option: str, url: object) -> Address:
    """The address of an endpoint given as an option: http or https, a host, maybe a port, and nothing else.

    Raises:
        ConfigurationError: it is anything else.
    """
    try:
        if not isinstance(url, str):
            raise ValueError  # noqa: TRY004, TRY301 - one message for all that is no endpoint
        address, parts = origin(url), urlsplit(url)
        if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError  # noqa: TRY301
    except ValueError:
        msg = f"{option} must be URLs like 'http://10.0.0.1:8000', without path or credentials, not {url!r}"
        raise ConfigurationError(msg) from None
    return address
