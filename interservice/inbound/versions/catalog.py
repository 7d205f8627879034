"""The versions that a service knows: served, deprecated and gone; and which of them a number selects. Immutable."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from interservice.options import check, strings

from .deprecation import Deprecation
from .version import Number, parse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One version, as configured.

    Attributes:
        text: As the service writes it.
        number: What that means.
        deprecation: How its end is announced, if it is deprecated.
        retired: Whether it is no longer served.
        sunset: Seconds since the epoch after which it is no longer promised; inf without a date.
    """

    text: str
    number: Number
    deprecation: Deprecation | None = None
    retired: bool = False
    sunset: float = inf

    def gone(self, now: float) -> bool:
        """Whether it is no longer served at `now`, in seconds since the epoch."""
        return self.retired or self.sunset <= now


def _known(text: str, number: Number, deprecation: Deprecation | None, *, retired: bool) -> Known:
    sunset = None if deprecation is None else deprecation.sunset
    return Known(text, number, deprecation, retired, inf if sunset is None else sunset.timestamp())


class Catalog:
    """Every known version, found by number.

    Args:
        supported: The texts of what is served, the deprecated included.
        deprecated: How the end of some is announced; may name retired ones, for their links.
        retired: The texts of what is no longer served.
        floor: Whether a date selects the newest version that is not newer.
        allow_future: Whether, with `floor`, a date after the newest version selects that one.

    Raises:
        ConfigurationError: A text is no version, two are equal, or `floor` has no dates to work with.
    """

    __slots__ = ("_by_number", "_days", "_floors", "_last_day", "served")

    def __init__(
        self,
        supported: Collection[str],
        deprecated: Mapping[str, Deprecation],
        retired: Collection[str],
        *,
        floor: bool = False,
        allow_future: bool = False,
    ) -> None:
        announced = _announced(deprecated)
        self._by_number: dict[Number, Known] = {}
        for option, texts in (("supported", supported), ("retired", retired)):
            for text in strings(f"Versions.{option}", texts):
                number = _number(f"Versions.{option}", text)
                check(number not in self._by_number, f"Versions.{option}", "free of equal versions", text)
                self._by_number[number] = _known(text, number, announced.pop(number, None), retired=option == "retired")
        check(not announced, "Versions.deprecated", "versions that are supported or retired", list(deprecated))
        known = sorted(self._by_number.values(), key=lambda item: item.number)
        #: What is served, oldest first.
        self.served = tuple(item for item in known if not item.retired)
        check(bool(self.served), "Versions.supported", "at least one version", supported)
        self._floors = tuple(item for item in known if item.number.day and item.number.stable) if floor else ()
        self._days = [_without_name(item.number) for item in self._floors]
        check(
            not floor or any(not item.retired for item in self._floors),
            "Versions.match",
            '"exact" where no version is a date',
            "floor",
        )
        check(len(set(self._days)) == len(self._days), "Versions.supported", "one version a day for match='floor'", supported)
        newest = max((item.number for item in self._floors if not item.retired), default=Number())
        self._last_day = _FUTURE if allow_future else _without_name(newest)

    def find(self, number: Number) -> Known | None:
        """The version that a number selects: an equal one; else, by the floor policy, the newest that is not newer."""
        exact = self._by_number.get(number)
        if exact is not None or not self._floors or not number.day or not number.stable:
            return exact
        asked = _without_name(number)
        position = bisect_right(self._days, asked)
        # An equal date needs an equal name, so no floor there (Stripe's "2026-02-25.clover").
        if position == 0 or asked > self._last_day or self._days[position - 1] == asked:
            return None
        return self._floors[position - 1]

    def select(self, choice: str) -> tuple[Known, ...]:
        """The candidates for a default, best first; a choice is "newest", "oldest" or a version's text."""
        if choice == "newest":
            return tuple(item for item in reversed(self.served) if item.deprecation is None and item.number.stable)
        if choice == "oldest":
            return tuple(item for item in self.served if item.number.stable) or self.served
        number = parse(choice)
        known = None if number is None else self._by_number.get(number)
        return () if known is None or known.retired else (known,)


_FUTURE = Number(day=2**31)


def _without_name(number: Number) -> Number:
    return number._replace(name="") if number.name else number


def _number(option: str, text: str) -> Number:
    number = parse(text)
    check(number is not None, option, 'a version such as "1", "1.2", "2.0-beta" or "2026-01-31"', text)
    return number or Number()


def _announced(deprecated: Mapping[str, Deprecation]) -> dict[Number, Deprecation]:
    """Deprecations by number."""
    announced: dict[Number, Deprecation] = {}
    items: Iterable[tuple[str, Deprecation]] = deprecated.items() if hasattr(deprecated, "items") else ()
    check(hasattr(deprecated, "items"), "Versions.deprecated", "a mapping of versions to Deprecation", deprecated)
    for text, deprecation in items:
        check(isinstance(text, str), "Versions.deprecated", "a mapping of versions to Deprecation", deprecated)
        check(isinstance(deprecation, Deprecation), f"Versions.deprecated[{text!r}]", "a Deprecation", deprecation)
        number = _number("Versions.deprecated", text)
        check(number not in announced, "Versions.deprecated", "free of equal versions", text)
        announced[number] = deprecation
    return announced
