"""How something does that requests depend on: what key sets, lists of revocations and adapters say to `Health`.

The words are those of the draft "Health Check Response Format for HTTP APIs" (draft-inadarei-api-health-check).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Status: TypeAlias = Literal["pass", "warn", "fail"]
_BADNESS: Final = {"pass": 0, "warn": 1, "fail": 2}


class Condition(NamedTuple):
    """How one thing does, as far as is known without asking anybody.

    Attributes:
        status: pass; warn when requests are served, but not as well as they might be; fail when they cannot be.
        output: Why, for operators, where it is not pass. Holds no secret.
        critical: Whether an instance for which it fails should get no requests.
    """

    status: Status
    output: str | None = None
    critical: bool = True

    @property
    def badness(self) -> tuple[int, bool]:
        """What orders conditions: fail is worse than warn and that than pass, and critical is worse than not."""
        return _BADNESS[self.status], self.critical


#: All is well.
PASS: Final = Condition("pass")


def worst(conditions: Iterable[Condition]) -> Condition:
    """The worst of several, the first of equals; pass when there are none."""
    return max(conditions, key=lambda condition: condition.badness, default=PASS)
