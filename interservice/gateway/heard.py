"""What a gate has answered about a gateway's question, and whether that lets the request pass.

Only what reached the application under the gate passes with an identity, and nothing that was refused passes at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interservice.inbound.gateway_headers import ALL

from .contracts import Answer

if TYPE_CHECKING:
    from interservice.errors import Rejection
    from interservice.exchange import Exchange

_OK, _REDIRECT = 200, 300
#: Of a 200 to a gateway.
EMPTY: Final = (("Content-Type", "text/plain"), ("Content-Length", "0"), ("Cache-Control", "no-store"))


class Heard:
    """The answer of the gate, as it comes in."""

    __slots__ = ("body", "headers", "reached", "status")

    def __init__(self) -> None:
        self.reached = False
        self.status = 500
        self.headers: list[tuple[str, str]] = []
        self.body = b""

    def answer(self, exchange: Exchange | None) -> Answer:
        """Grants only what the application under the gate was reached for, and only while every policy agrees.

        A policy that answers by itself with 2xx does so to anybody: the request may pass, but as nobody's, without identity.

        Args:
            exchange: What the gate made of it; a refusal in it stays one, whatever status a policy has put on it.
        """
        if exchange is not None:
            self.status = no_success(self.status, exchange.refusal)
        passes = _OK <= self.status < _REDIRECT and exchange is not None
        headers = self.headers
        if not (passes and self.reached):
            headers = [pair for pair in headers if pair[0].lower() not in ALL]
        if passes and not self.reached:
            headers = [pair for pair in headers if not pair[0].lower().startswith(("content-", "cache-control"))]
            headers += EMPTY
        return Answer(_OK, headers) if passes else Answer(self.status, headers, self.body)


def no_success(status: int, refusal: Rejection | None) -> int:
    """The status of an answer: that of the refusal where it would let the refused pass."""
    return refusal.status if refusal is not None and _OK <= status < _REDIRECT else status


def finished(answer: Answer, method: str) -> list[tuple[str, str]]:
    """The answer's fields with the length of its body, which a HEAD keeps as it would have been."""
    if method == "HEAD":
        return answer.headers
    kept = [pair for pair in answer.headers if pair[0].lower() != "content-length"]
    return [*kept, ("Content-Length", str(len(answer.body)))]
