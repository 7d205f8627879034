"""Mounting adapters so that a prefix matches what it says, and a session made for calls between services."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from interservice.errors import ConfigurationError

from .adapter import ServiceAdapter
from .address import origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from requests import Session

    from .address import Address


def mount(session: Session, prefix: str, adapter: BaseAdapter) -> None:
    """Have `session` use `adapter` for every URL below `prefix`.

    Unlike with `session.mount`, "http://billing" matches neither "http://billing.evil.example/" nor "http://billing@evil.example/":
    the slash is added, and a `ServiceAdapter` keeps its endpoints, credentials and headers to the hosts that it was mounted for.

    Args:
        session: Any `requests.Session`.
        prefix: An http or https URL with a host, and a path if need be.
        adapter: The adapter, usually a `ServiceAdapter`.

    Raises:
        ConfigurationError: the prefix is no such URL.
    """
    address = _mountable(prefix)
    if not isinstance(adapter, BaseAdapter):
        msg = f"mount(adapter) must be an adapter of requests, not {adapter!r}"
        raise ConfigurationError(msg)
    session.mount(prefix if prefix.endswith("/") else f"{prefix}/", adapter)
    if isinstance(adapter, ServiceAdapter):
        adapter._serve(address.netloc)  # noqa: SLF001 - one thing in two files


class ServiceSession(requests.Session):
    """A `requests.Session` for calls between services: adapters mounted by service name, and the environment left alone.

        session = ServiceSession({"billing": ServiceAdapter("billing", endpoints=["http://10.0.0.1:8000"])})
        session.get("http://billing/invoices/1")

    `trust_env` is off: no proxies, certificates or credentials out of the environment and ~/.netrc. Nothing else is changed.

    Args:
        services: Adapters by host name; each is mounted for http and https.

    Raises:
        ConfigurationError: a name is no host name.
    """

    #: Mounted prefixes that are a whole origin ("http://billing/") with none below it, and how many were mounted then.
    _whole: tuple[int, frozenset[str]] = (0, frozenset())

    def __init__(self, services: Mapping[str, BaseAdapter] | None = None) -> None:
        super().__init__()
        self.trust_env = False
        if services is not None and not isinstance(services, Mapping):
            msg = f"ServiceSession.services must be a mapping of host names to adapters, not {services!r}"
            raise ConfigurationError(msg)
        for name, adapter in (services or {}).items():
            for scheme in ("http", "https"):
                mount(self, f"{scheme}://{name}", adapter)

    def mount(self, prefix: str, adapter: BaseAdapter) -> None:
        """Use `adapter` for URLs that begin with `prefix`; see `mount` of this package, which adds the slash."""
        super().mount(prefix, adapter)
        self._whole = (0, frozenset())

    def get_adapter(self, url: str) -> BaseAdapter:
        """As `requests.Session`'s, which compares a URL with every prefix: with a hundred services that is felt.

        Raises:
            requests.exceptions.InvalidSchema: no adapter is mounted for it.
        """
        count, whole = self._whole
        if count != len(self.adapters):
            count, whole = self._whole = len(self.adapters), _whole_origins(self.adapters)
        prefix = url[: url.find("/", 8) + 1]
        return self.adapters[prefix] if prefix in whole else super().get_adapter(url)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """As `requests.Session`'s, which costs a twentieth of a call even where there is nothing to merge."""
        if self.trust_env or proxies or self.proxies:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        return {
            "proxies": {},
            "stream": self.stream if stream is None else stream,
            "verify": self.verify if verify is None else verify,
            "cert": self.cert if cert is None else cert,
        }


def _whole_origins(prefixes: Iterable[str]) -> frozenset[str]:
    """Those that are whole origins, such as "http://billing/", of which no longer one begins with them."""
    prefixes = list(prefixes)
    counts = Counter("/".join([*prefix.lower().split("/", 3)[:3], ""]) for prefix in prefixes)
    return frozenset(prefix for prefix in prefixes if counts[prefix] == 1)


def _mountable(prefix: object) -> Address:
    """The address in a prefix that an adapter may be mounted at."""
    try:
        if isinstance(prefix, str):
            address, parts = origin(prefix), urlsplit(prefix)
            if not parts.query and not parts.fragment and "@" not in parts.netloc:
                return address
    except ValueError:
        pass
    msg = f"mount(prefix) must be an http or https URL with a host, such as 'http://billing', not {prefix!r}"
    raise ConfigurationError(msg)
