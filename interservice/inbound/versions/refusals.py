"""Decisions as refusals: the table of statuses, and the problem documents (RFC 9457)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interservice.errors import Rejection
from interservice.options import one_of

from .decide import Outcome

if TYPE_CHECKING:
    from .decide import Decision

#: A client's text is repeated up to here, in the body alone.
MAX_ECHO = 64

#: The status of an unsupported version, by the source that named it; header and query have an option.
_UNSUPPORTED = {"path": 404, "accept": 406, "content-type": 415}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statuses:
    """Which status refuses, where that is a matter of configuration.

    Args:
        path_only: Whether the path is the only reader, so that no version means no such resource.
        unsupported: For an unsupported version in a header or the query.
        unspecified: For no version where other readers than the path exist.
    """

    path_only: bool
    unsupported: int = 400
    unspecified: int = 400

    def __post_init__(self) -> None:
        one_of("Versions.unsupported_status", self.unsupported, (400, 404, 406, 501))
        one_of("Versions.unspecified_status", self.unspecified, (400, 406))

    def of(self, decision: Decision) -> int:
        """The status that a refusal gets."""
        match decision.outcome:
            case Outcome.RETIRED:
                return 410
            case Outcome.UNSPECIFIED:
                return 404 if self.path_only else self.unspecified
            case Outcome.UNSUPPORTED if decision.source in {"header", "query"}:
                return self.unsupported
            case Outcome.UNSUPPORTED:
                return _UNSUPPORTED.get(decision.source or "", 400)
            case Outcome.MALFORMED if decision.source == "path":
                return 404
            case _:
                return 400


def refusal(
    decision: Decision,
    statuses: Statuses,
    supported: tuple[str, ...],
    deprecated: tuple[str, ...],
    headers: tuple[tuple[str, str], ...],
) -> Rejection:
    """The Rejection for a decision that let nothing through; it reveals the public lists and nothing else."""
    return Rejection(
        _detail(decision),
        status=statuses.of(decision),
        code=f"api-version-{decision.outcome}",
        title=f"{decision.outcome.capitalize()} API version",
        headers=headers,
        extra={"supported": list(supported), "deprecated": list(deprecated)},
    )


def _detail(decision: Decision) -> str:
    text = None if decision.raw is None else _shown(decision.raw)
    if text is None and decision.known is not None:
        text = decision.known.text
    match decision.outcome:
        case Outcome.UNSPECIFIED:
            return "The request must name an API version."
        case Outcome.MALFORMED:
            return f"'{text}' is not a well-formed API version."
        case Outcome.RETIRED:
            return f"API version '{text}' is no longer served."
        case Outcome.AMBIGUOUS:
            return f"The request names different API versions: '{text}'."
        case _:
            return f"API version '{text}' is not supported."


def _shown(raw: str) -> str:
    """A client's text, cut, with everything unprintable escaped, so that no log or terminal is led astray."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in raw[:MAX_ECHO])
