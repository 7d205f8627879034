"""Where secrets may be sent: https, or a host that by its form is this machine. Nothing here looks a name up."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from .errors import ConfigurationError


def is_loopback(host: str) -> bool:
    """Whether `host` is 127.0.0.0/8, ::1 or localhost, with or without the brackets of a URL."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def is_private(url: str, *, allow_http: bool = False) -> bool:
    """Whether what is sent to `url` cannot be read on the way: https, or http that stays on this machine or was allowed aloud."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and (allow_http or is_loopback(host))))


def check_url(option: str, url: object, *, allow_http: bool = False) -> None:
    """Refuse `url` unless it is an absolute URL that `is_private`, without credentials or fragment.

    Raises:
        ConfigurationError: Names the option and, unless it holds credentials, the value.
    """
    try:
        parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or parts.scheme not in {"http", "https"}:
        msg = f"{option} must be an https URL, not {url!r}"
        raise ConfigurationError(msg)
    if parts.username is not None or parts.password is not None or parts.fragment:
        msg = f"{option} must hold neither credentials nor a fragment"
        raise ConfigurationError(msg)
    if not is_private(str(url), allow_http=allow_http):
        msg = f"{option} must be https beyond this machine (or say allow_http=True), not {url!r}"
        raise ConfigurationError(msg)
