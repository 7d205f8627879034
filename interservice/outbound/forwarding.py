"""A request that a gateway passes on: it says what its sender said, and nothing that `requests` or urllib3 would add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.util import SKIP_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What urllib3 says for itself where nobody else does.
_OWN_WORDS = ("User-Agent", "Accept-Encoding")


class PassedOn(requests.PreparedRequest):
    """A prepared request whose target goes out as it came, byte for byte, and with its own header fields alone.

    Args:
        method: As sent.
        origin: The service's URL without a path, such as "http://orders".
        target: Path and query, printable ASCII from "/".
        headers: The header fields. Content-Length must be among them where the body's length is known.
        body: Bytes, or what can be iterated over or read once; None for none.
    """

    def __init__(
        self,
        method: str = "GET",
        origin: str = "",
        target: str = "/",
        headers: Mapping[str, str] | None = None,
        *,
        body: Any = None,
    ) -> None:
        super().__init__()
        self._target = target
        self.method = method
        self.url = origin + target
        self.headers = CaseInsensitiveDict(headers or {})
        for name in _OWN_WORDS:
            self.headers.setdefault(name, SKIP_HEADER)
        self.body = body

    @property
    def path_url(self) -> str:
        """Path and query, untouched."""
        return self._target
