"""The list of revocations as a Redis stream: appended to by whoever revokes, followed by every process.

A stream is one ordered list, so that reading it from its start and going on from there misses nothing. Entries older than the
longest life of a token are trimmed as others are added. Needs Redis 6.2, and redis-py (the extra `redis`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from interservice.errors import ConfigurationError

from .revocation import Revocation

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOG = logging.getLogger("interservice.tokens")
_FIELD = b"revocation"
_PAGE = 1000
_START = b"0-0"
#: Seconds by which trimming errs on the side of keeping.
_MARGIN = 600.0

#: Gives a new client; every process and every thread that needs one has its own.
Connect: TypeAlias = Callable[[], Any]


def connector(url: str, *, timeout: float, block: float) -> Connect:
    """What makes clients for a Redis at `url`, of which each answers in time or fails: no retries of its own.

    Raises:
        ConfigurationError: redis-py is not installed, or the URL is none. The message holds no password.
    """
    try:
        import redis  # noqa: PLC0415 - an extra
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError("Revocations needs redis-py: pip install 'interservice[redis]'") from error

    def connect() -> Any:
        return redis.Redis.from_url(
            url, socket_connect_timeout=timeout, socket_timeout=timeout + block, protocol=2, retry=Retry(NoBackoff(), 0)
        )

    try:
        connect().close()
    except ValueError as error:
        raise ConfigurationError("Revocations.redis must be a URL: redis://, rediss:// or unix://") from error
    return connect


def append(client: Any, key: str, entry: Revocation, *, lifetime: float) -> None:
    """Add an entry, and trim what is older than `lifetime` seconds by the clock of Redis, which numbers the entries."""
    seconds, _ = client.time()
    oldest = max(0, int((seconds - lifetime - _MARGIN) * 1000))
    client.xadd(key, {_FIELD: entry.text()}, minid=oldest, approximate=True)


class Reader:
    """Reads a stream from its start, then what is added to it.

    Args:
        client: A client of redis-py that nobody else uses.
        key: The stream's key.
    """

    def __init__(self, client: Any, key: str) -> None:
        self._client = client
        self._key = key
        self._last: bytes = _START

    def read(self, block: float | None) -> list[Revocation] | None:
        """The next entries; None when there are none, having waited for `block` seconds (None: at once)."""
        milliseconds = None if block is None else max(1, int(block * 1000))
        replies = self._client.xread({self._key: self._last}, count=_PAGE, block=milliseconds)
        found = list(_items(replies))
        if not found:
            return None
        self._last = found[-1][0]
        return [entry for number, fields in found if (entry := _entry(number, fields)) is not None]


def _items(replies: Any) -> Iterator[tuple[bytes, Any]]:
    """Numbers and fields of the one stream asked for."""
    for _, items in replies or ():
        yield from items


def _entry(number: bytes, fields: Any) -> Revocation | None:
    """An entry; None for what somebody else has put there, which must not stop the rest."""
    try:
        return Revocation.read(fields[_FIELD])
    except (KeyError, TypeError, ValueError):
        _LOG.warning("entry %r in the stream of revocations cannot be read", number)
        return None
