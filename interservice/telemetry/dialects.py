"""Lines of the StatsD protocol, in four dialects that differ in where tags go.

plain      name:1|c                        names hold the labels
dogstatsd  name:1|c|#key:value,key:value   Datadog, and statsd_exporter
influx     name,key=value:1|c              Telegraf
graphite   name;key=value:1|c              Graphite 1.1

Packed values (a:1:2|ms) are in none of them: only Datadog's agent takes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DIALECTS = ("plain", "dogstatsd", "influx", "graphite")


class Series(NamedTuple):
    """What stands before and after the value in the lines of one series."""

    head: str
    tail: str


class Dialect:
    """Names series, with the words of each label bounded.

    Args:
        dialect: plain, dogstatsd, influx or graphite.
        prefix: What every name starts with, or None.
        tags: Tags of every series; only with a dialect that has tags.
        limit: Distinct values of a label.
    """

    def __init__(self, dialect: str, prefix: str | None, tags: Mapping[str, str], limit: int) -> None:
        self._dialect = dialect
        self._plain = dialect == "plain"
        self._prefix = f"{names.name(prefix)}." if prefix else ""
        self._tags = [(names.word(key), names.tag(value)) for key, value in tags.items()]
        self._limit = limit
        special: dict[str, Callable[[str], str]] = (
            {"route": names.route_word, "endpoint": names.endpoint_word}
            if self._plain
            else {"route": names.route_tag, "endpoint": names.endpoint_word}
        )
        self._make = special
        self._words: dict[str, names.Words] = {}
        self._own = names.Words("metrics of your own", names.name, limit)
        self._own_tags = names.Words("tags of your own", names.word, limit)

    def series(self, metric: str, labels: Mapping[str, str | None]) -> Series:
        """The series of a metric of the table; a label without a value is "_none" in a plain name, and no tag."""
        row = names.METRICS[metric]
        if self._plain:
            words = {label: "_none" if value is None else self._word(label, value) for label, value in labels.items()}
            return Series(self._prefix + row.plain.format_map(words), "")
        tags = [(label, self._word(label, value)) for label in row.labels if (value := labels.get(label)) is not None]
        return self._tagged(row.tagged, tags)

    def own(self, name: str, tags: Sequence[tuple[str, str]]) -> Series:
        """The series of a metric that a user named; without tags in dialect plain."""
        clean = self._own(name)
        if self._plain:
            return Series(self._prefix + clean, "")
        keyed = [(self._own_tags(key), value) for key, value in tags]
        return self._tagged(clean, [(key, self._word(f"tag {key}", value)) for key, value in keyed])

    def _word(self, label: str, value: str) -> str:
        words = self._words.get(label)
        if words is None:
            make = self._make.get(label, names.word if self._plain else names.tag)
            words = self._words[label] = names.Words(label, make, self._limit)
        return words(value)

    def _tagged(self, name: str, tags: Sequence[tuple[str, str]]) -> Series:
        name = self._prefix + name
        pairs = [*self._tags, *tags]
        if not pairs:
            return Series(name, "")
        if self._dialect == "dogstatsd":
            return Series(name, "|#" + ",".join(f"{key}:{value}" for key, value in pairs))
        separator = "," if self._dialect == "influx" else ";"
        return Series(name + "".join(f"{separator}{key}={value}" for key, value in pairs), "")

    def timing(self, milliseconds: float, rate: float) -> str:
        """A timing's value and type, with three decimals.

        The rate goes only to Datadog, which weighs by it: collectd divides the *time* by it, so a plain line never has one.
        """
        sampled = f"|@{rate:.6g}" if rate < 1.0 and self._dialect == "dogstatsd" else ""
        return f"{milliseconds:.3f}|ms{sampled}"

    def gauge(self, value: float) -> list[str]:
        """A gauge's values, in order: in most receivers "-5" is a change, so a negative one starts from 0."""
        told = f"{value:.6f}".rstrip("0").rstrip(".") if not float(value).is_integer() else str(int(value))
        return [f"{told}|g"] if value >= 0 or self._dialect == "dogstatsd" else ["0|g", f"{told}|g"]
