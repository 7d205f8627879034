"""Looking up names in bounded time: `getaddrinfo` cannot be interrupted, so a thread waits for it in the caller's place.

A thread lives as long as its lookup, and whoever asks for the same name meanwhile shares it: a resolver that hangs costs one
thread for each name. Nothing is remembered; that is the business of the system's resolver, which knows how long names are good.
"""

from __future__ import annotations

import socket
import threading
from typing import Any, TypeAlias

Addresses: TypeAlias = "list[tuple[Any, Any, int, str, Any]]"


class _Lookup:
    """One lookup under way."""

    __slots__ = ("addresses", "done", "error")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.addresses: Addresses = []
        self.error: OSError | None = None


class Resolver:
    """Looks up names, each in no more than the time given. Belongs to one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, int, int], _Lookup] = {}

    def addresses(self, host: str, port: int, family: int, timeout: float | None) -> Addresses:
        """What `getaddrinfo` says, for TCP.

        Args:
            host: A name, or an address, which is not looked up.
            port: The port to put in.
            family: `socket.AF_UNSPEC`, or the one family that is wanted.
            timeout: Seconds it may take; None to wait on this thread for as long as it takes.

        Raises:
            socket.gaierror: the name has no address.
            TimeoutError: the resolver did not answer in time.
        """
        if timeout is None or _is_address(host):
            return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        lookup = self._shared((host, port, family))
        if not lookup.done.wait(timeout):
            msg = f"looking up {host!r} took more than {timeout:.3f} s"
            raise TimeoutError(msg)
        if lookup.error is not None:
            raise type(lookup.error)(*lookup.error.args)  # several may raise it, each with a traceback of its own
        return list(lookup.addresses)

    def _shared(self, key: tuple[str, int, int]) -> _Lookup:
        with self._lock:
            lookup = self._under_way.get(key)
            if lookup is not None:
                return lookup
            lookup = self._under_way[key] = _Lookup()
        thread = threading.Thread(target=self._look_up, args=(key, lookup), name=f"resolver-{key[0]}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads to be had
            self._look_up(key, lookup)
        return lookup

    def _look_up(self, key: tuple[str, int, int], lookup: _Lookup) -> None:
        host, port, family = key
        try:
            lookup.addresses = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        except OSError as error:
            lookup.error = error
        finally:
            with self._lock:
                del self._under_way[key]
            lookup.done.set()


def _is_address(host: str) -> bool:
    """Whether it is an IPv4 or IPv6 address, with or without a zone, which `getaddrinfo` answers at once."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except OSError:
            continue
        return True
    return False
