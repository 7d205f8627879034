"""The decision: which version answers a request, or why none does. One pure procedure for every binding.

1. Neutral paths and CORS preflights pass without a version; no reader runs.
2. All readers run. One malformed text refuses the request, even beside good ones; texts that differ in meaning are ambiguous.
3. Alternatives (Accept) are walked from the best rank down; the first that is supported counts.
4. Without any text, the default answers, if there is one.
5. A known version that is no longer served is retired; an unknown one is unsupported; the default never comes to the rescue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from .memo import MAX_KEY_CHARACTERS, Memo
from .neutral import has_dot_segments
from .version import Number, Version, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interservice.exchange import Exchange

    from .catalog import Catalog, Known
    from .neutral import Globs
    from .readers import PathVersion, Reader, Reading


class Outcome(StrEnum):
    """How a decision ended. The refusals' values are the last words of their `code`."""

    MATCHED = "matched"
    NEUTRAL = "neutral"
    PREFLIGHT = "preflight"
    UNSPECIFIED = "unspecified"
    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    RETIRED = "retired"
    AMBIGUOUS = "ambiguous"


class Decision(NamedTuple):
    """What was decided.

    Attributes:
        outcome: How it ended.
        version: The version that answers, when matched; on a preflight, the one that the path names.
        known: The configured version behind it, when matched or retired.
        source: Where the text was read that decided, or None.
        raw: That text, or None.
        prefix: What stands for the version at the start of a path, where nothing else can.
    """

    outcome: Outcome
    version: Version | None = None
    known: Known | None = None
    source: str | None = None
    raw: str | None = None
    prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rules:
    """A policy's options, compiled.

    Attributes:
        catalog: The known versions.
        readers: Asked in this order.
        templates: Those of them that read the path.
        neutral: The paths without a version.
        default: The candidates when a request names no version, best first.
        chooser: Called instead with the exchange; gives a version's text, "newest", "oldest" or None.
        latest: Whether clients may ask for "latest".
        reject_equal_rank: Whether equally good alternatives are ambiguous, rather than the newest active winning.
        enforce_sunset: Whether versions are no longer served after their sunset.
        matched: Decisions by reading. Only matches are kept, and they do not depend on time.
    """

    catalog: Catalog
    readers: tuple[Reader, ...]
    templates: tuple[PathVersion, ...] = ()
    neutral: Globs
    default: tuple[Known, ...] = ()
    chooser: Callable[[Any], str | None] | None = None
    latest: bool = False
    reject_equal_rank: bool = False
    enforce_sunset: bool = False
    matched: Memo[Reading, Decision] = field(default_factory=Memo)

    def parse(self, raw: str) -> Number | None:
        """The meaning of a client's text, the keyword "latest" included where it is allowed."""
        if self.latest and raw == "latest":
            newest = self.catalog.select("newest")
            return newest[0].number if newest else None
        return parse(raw)

    def now(self, exchange: Exchange) -> float:
        """The moment by which sunsets are judged; before all of them where they are not enforced."""
        return exchange.clock.time() if self.enforce_sunset else -inf


def decide(rules: Rules, exchange: Exchange) -> Decision:
    """Which version answers, or why none does."""
    request = exchange.request
    path = request.path
    if rules.neutral.match(path) and not has_dot_segments(path):
        return _NEUTRAL
    if request.method == "OPTIONS" and request.is_preflight:
        return _preflight(rules, exchange)
    readings: Sequence[Reading] = ()
    for reader in rules.readers:
        found = reader.read(request)
        if found:
            readings = (*readings, *found) if readings else found
    if not readings:
        return _by_default(rules, exchange)
    decision = rules.matched.get(readings[0]) if len(readings) == 1 else None
    if decision is None:
        decision = settle(rules, readings, rules.now(exchange))
    return _judged(decision, rules.now(exchange)) if rules.enforce_sunset else decision


def settle(rules: Rules, readings: Sequence[Reading], now: float) -> Decision:
    """The decision over what the readers found, at least one text. Whether a match is past its sunset is judged later."""
    numbers = [rules.parse(reading.raw) for reading in readings]
    malformed = [reading for reading, number in zip(readings, numbers, strict=True) if number is None]
    if malformed:
        # Only a path that alone is malformed is "not found"; so another source, if there is one, is named.
        worst = next((reading for reading in malformed if reading.source != "path"), malformed[0])
        return Decision(Outcome.MALFORMED, source=worst.source, raw=worst.raw)
    chosen = _walk(rules, [reading for reading in readings if reading.rank is not None], now)
    if isinstance(chosen, Decision):
        return chosen
    stated = [reading for reading in readings if reading.rank is None] + ([chosen] if chosen else [])
    first = min(stated, key=_precedence)
    number = rules.parse(first.raw)
    if any(rules.parse(reading.raw) != number for reading in stated):
        return _ambiguous(stated)
    decision = _match(rules, number or Number(), first)
    if decision.outcome is Outcome.MATCHED and len(readings) == 1 and len(first.raw) <= MAX_KEY_CHARACTERS:
        rules.matched.keep(first, decision)
    return decision


def _match(rules: Rules, number: Number, reading: Reading) -> Decision:
    """What one number selects. Sunsets are looked at later, for this is remembered."""
    known = rules.catalog.find(number)
    source, raw = reading.source, reading.raw
    if known is None:
        return Decision(Outcome.UNSUPPORTED, source=source, raw=raw)
    if known.retired:
        return Decision(Outcome.RETIRED, known=known, source=source, raw=raw)
    version = Version(known.text, known.number, source, raw, known.deprecation is not None)
    prefix = rules.templates[0].spelt(raw) if source == "path" and len(rules.templates) == 1 else None
    return Decision(Outcome.MATCHED, version, known, source, raw, prefix)


def _walk(rules: Rules, ranked: list[Reading], now: float) -> Reading | Decision | None:
    """The alternative that counts: of the best rank that holds a supported one; else one that is retired, else the best."""
    ranked = sorted(ranked, key=_rank, reverse=True)
    start = 0
    while start < len(ranked):
        end = start
        candidates: dict[str, tuple[Known, Reading]] = {}
        while end < len(ranked) and ranked[end].rank == ranked[start].rank:
            known = _known(rules, ranked[end])
            if known is not None and not known.gone(now):
                candidates.setdefault(known.text, (known, ranked[end]))
            end += 1
        if len(candidates) > 1 and rules.reject_equal_rank:
            return _ambiguous(ranked[start:end])
        if candidates:
            return max(candidates.values(), key=_newest_active)[1]
        start = end
    return next((reading for reading in ranked if _known(rules, reading) is not None), ranked[0] if ranked else None)


def _by_default(rules: Rules, exchange: Exchange) -> Decision:
    """The decision when the request names no version."""
    if rules.chooser is None:
        candidates: Sequence[Known] = rules.default
    else:
        choice = rules.chooser(exchange)
        if choice is None:
            return _UNSPECIFIED
        candidates = rules.catalog.select(choice)
        if not candidates:
            return _chosen(rules, choice, rules.now(exchange))
    now = rules.now(exchange)
    for known in candidates:
        if not known.gone(now):
            version = Version(known.text, known.number, "default", None, known.deprecation is not None)
            return Decision(Outcome.MATCHED, version, known, "default")
    return Decision(Outcome.RETIRED, known=candidates[0], source="default") if candidates else _UNSPECIFIED


def _chosen(rules: Rules, choice: str, now: float) -> Decision:
    """The decision over a chosen default that is not served as it stands: a client's pin to a date, or to what is gone."""
    number = parse(choice)
    if number is None:
        return Decision(Outcome.MALFORMED, source="default", raw=choice)
    known = rules.catalog.find(number)
    if known is None:
        return Decision(Outcome.UNSUPPORTED, source="default", raw=choice)
    if known.gone(now):
        return Decision(Outcome.RETIRED, known=known, source="default", raw=choice)
    version = Version(known.text, known.number, "default", choice, known.deprecation is not None)
    return Decision(Outcome.MATCHED, version, known, "default", choice)


def _ambiguous(readings: Sequence[Reading]) -> Decision:
    return Decision(
        Outcome.AMBIGUOUS, source=readings[0].source, raw=", ".join(dict.fromkeys(reading.raw for reading in readings))
    )


def _known(rules: Rules, reading: Reading) -> Known | None:
    number = rules.parse(reading.raw)
    return None if number is None else rules.catalog.find(number)


def _rank(reading: Reading) -> tuple[float, ...]:
    return reading.rank or ()


def _newest_active(candidate: tuple[Known, Reading]) -> tuple[bool, bool, Number]:
    known = candidate[0]
    return (known.deprecation is None, known.number.stable, known.number)


_SOURCES = {"path": 0, "header": 1, "query": 2, "content-type": 3, "accept": 4}


def _precedence(reading: Reading) -> int:
    """Which of agreeing sources is named, and gives the status: path, header, query, content-type, accept, then custom ones."""
    return _SOURCES.get(reading.source, len(_SOURCES))


def _preflight(rules: Rules, exchange: Exchange) -> Decision:
    """A preflight passes; the version in its path, if it is a good one, only says which application would answer."""
    readings = [reading for template in rules.templates for reading in template.read(exchange.request)]
    now = rules.now(exchange)
    version = _judged(settle(rules, readings, now), now).version if readings else None
    return Decision(Outcome.PREFLIGHT, version)


def _judged(decision: Decision, now: float) -> Decision:
    """A match, unless its version is past an enforced sunset."""
    if decision.outcome is Outcome.MATCHED and decision.known is not None and decision.known.gone(now):
        return decision._replace(outcome=Outcome.RETIRED, version=None)
    return decision


_NEUTRAL = Decision(Outcome.NEUTRAL)
_UNSPECIFIED = Decision(Outcome.UNSPECIFIED)
