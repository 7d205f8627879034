"""Making the TCP connection: every address of a name shares one connect timeout, instead of getting the whole of it each."""

from __future__ import annotations

import math
import socket
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import LocationParseError
from urllib3.util import connection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .wire import Wire

#: Less than this is no time to connect in; also keeps a socket's timeout above 0, which would mean "do not block".
_LEAST = 0.001


def dial(
    host: str,
    port: int,
    wire: Wire,
    *,
    source_address: tuple[str, int] | None = None,
    options: Iterable[tuple[int, int, int | bytes]] | None = None,
) -> socket.socket:
    """A connected socket, whose timeout is what is left of `wire.connect` and of the call, for the handshake that may follow.

    Raises:
        socket.gaierror: the name has no address.
        TimeoutError: time ran out.
        OSError: no address took the connection; the last one's error.
    """
    limit = wire.patience(wire.connect)
    until = math.inf if limit is None else wire.monotonic() + limit
    wire.phase = "dns"
    addresses = _resolve(host, port)
    wire.phase = "connect"
    error: OSError = OSError(f"{host} has no address")
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(_share(until - wire.monotonic(), len(addresses) - position))
            if source_address:
                sock.bind(source_address)
            sock.connect(address)
            sock.settimeout(_share(until - wire.monotonic(), 1))
        except OSError as failure:
            sock.close()
            error = failure
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise error


def _share(left: float, among: int) -> float | None:
    return None if left == math.inf else max(_LEAST, left / among)


def _resolve(host: str, port: int) -> list[Any]:
    host = host.strip("[]")
    try:
        host.encode("idna")
    except UnicodeError:
        msg = f"'{host}', label empty or too long"
        raise LocationParseError(msg) from None
    return socket.getaddrinfo(host, port, connection.allowed_gai_family(), socket.SOCK_STREAM)
