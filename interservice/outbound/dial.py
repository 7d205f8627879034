"""Making the TCP connection: all addresses of a name share one connect timeout, and none holds up the others (RFC 8305)."""

from __future__ import annotations

import errno
import math
import os
import selectors
import socket
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import LocationParseError
from urllib3.util import connection

from .resolve import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .wire import Wire

#: Less than this is no time to connect in; also keeps a socket's timeout above 0, which would mean "do not block".
_LEAST = 0.001
#: Seconds that an address has for itself before the next is tried at the same time (RFC 8305 section 5).
_HEAD_START = 0.25
#: What a connect that does not block says when it has begun.
_BEGUN = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY})


def dial(
    host: str,
    port: int,
    wire: Wire,
    *,
    source_address: tuple[str, int] | None = None,
    options: Iterable[tuple[int, int, int | bytes]] | None = None,
    resolver: Resolver | None = None,
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
    addresses = (resolver or Resolver()).addresses(_checked(host), port, connection.allowed_gai_family(), limit)
    wire.phase = "connect"

    def opened(entry: Any) -> socket.socket:
        family, kind, protocol, _, _ = entry
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            if source_address:
                sock.bind(source_address)
        except BaseException:
            sock.close()
            raise
        return sock

    def left() -> float:
        return until - wire.monotonic()

    if len(addresses) == 1:
        sock = _connected(opened(addresses[0]), addresses[0][4], left())
    else:
        sock = _first(interleaved(addresses), opened, left)
    sock.settimeout(_timeout(left()))
    return sock


def interleaved(addresses: Sequence[Any]) -> list[Any]:
    """The addresses in their order, but that families take turns, so that one that is broken costs one head start.

    RFC 8305 section 4, with a First Address Family Count of 1.
    """
    if not addresses:
        return []
    preferred = [entry for entry in addresses if entry[0] == addresses[0][0]]
    others = [entry for entry in addresses if entry[0] != addresses[0][0]]
    turns: list[Any] = []
    for position in range(max(len(preferred), len(others))):
        turns += preferred[position : position + 1] + others[position : position + 1]
    return turns


def _connected(sock: socket.socket, address: Any, left: float) -> socket.socket:
    try:
        sock.settimeout(_timeout(left))
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _first(addresses: list[Any], opened: Callable[[Any], socket.socket], left: Callable[[], float]) -> socket.socket:
    """The first of several connections to be made; the others are closed."""
    error: OSError | None = None
    with selectors.DefaultSelector() as racing:
        try:
            while addresses or racing.get_map():
                if addresses:
                    error = _begin(racing, addresses.pop(0), opened) or error
                winner, failure = _wait(racing, addresses, left)
                error = failure or error
                if winner is not None:
                    return winner
        finally:
            for key in list(racing.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]
    raise error or OSError("the name has no address")


def _begin(racing: selectors.BaseSelector, entry: Any, opened: Callable[[Any], socket.socket]) -> OSError | None:
    """Have one more connection made; the error where that is not even begun."""
    try:
        sock = opened(entry)
    except OSError as failure:  # a family that this machine does not have
        return failure
    sock.setblocking(False)  # noqa: FBT003
    code = sock.connect_ex(entry[4])
    if code and code not in _BEGUN:
        sock.close()
        return OSError(code, os.strerror(code))
    racing.register(sock, selectors.EVENT_WRITE)
    return None


def _wait(
    racing: selectors.BaseSelector, addresses: list[Any], left: Callable[[], float]
) -> tuple[socket.socket | None, OSError | None]:
    """The connection that was made, or what became of one that was not; neither when it is time for the next address.

    Raises:
        TimeoutError: no time is left.
    """
    if not racing.get_map():
        return None, None
    rest = left()
    patience = min(_HEAD_START, rest / (len(addresses) + 1)) if addresses else rest
    ready = racing.select(_timeout(patience))
    failure: OSError | None = None
    for key, _ in ready:
        sock: Any = key.fileobj
        racing.unregister(sock)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0:
            return sock, None
        sock.close()
        failure = OSError(code, os.strerror(code))
    if not ready and not addresses:
        msg = "no address took the connection in time"
        raise TimeoutError(msg)
    return None, failure


def _timeout(left: float) -> float | None:
    return None if left == math.inf else max(_LEAST, left)


def _checked(host: str) -> str:
    host = host.strip("[]")
    try:
        host.encode("idna")
    except UnicodeError:
        msg = f"'{host}', label empty or too long"
        raise LocationParseError(msg) from None
    return host
