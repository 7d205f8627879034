"""How long a call and each of its tries may take."""

from __future__ import annotations

from dataclasses import dataclass

from interservice import options


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """How long a call may take, in seconds. Any of them may be None: unbounded.

    Args:
        connect: To resolve the name, connect and shake hands, per try.
        read: For the server to say something, per try; `total` is what bounds a response that trickles.
        total: For the whole call: waiting for a slot, every try, the pauses between them, and the body.

    Raises:
        ConfigurationError: a timeout is not a number above 0.
    """

    connect: float | None = 2.0
    read: float | None = 5.0
    total: float | None = 10.0

    def __post_init__(self) -> None:
        for name in ("connect", "read", "total"):
            options.number(f"Timeouts.{name}", getattr(self, name), above=0, optional=True)


#: Of an adapter that stands in for `HTTPAdapter` and may meet any host: nothing is waited for without end, as `requests` does,
#: and nothing that works is cut short. 10 s are three lost SYNs (sent again after 1, 3 and 7 s, RFC 6298); 60 s is the read
#: timeout of botocore and of proxies (NGINX's proxy_read_timeout); a download may take as long as it goes on.
ANY_HOST = Timeouts(connect=10.0, read=60.0, total=None)
