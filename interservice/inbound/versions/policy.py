"""`Versions`: the policy that finds out which API version a request is for, refuses what is not served, and says so on responses.

The object is its configuration, compiled once. What belongs to a request goes to the exchange: `version`, and with `path="strip"`
also `path` and `mount`. The memories that it keeps are bounded and hold results of pure functions alone.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import KW_ONLY, dataclass, field, replace
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from interservice.errors import ConfigurationError, Rejection
from interservice.inbound.policy import Policy
from interservice.options import check, one_of, strings

from .catalog import Catalog, Known
from .decide import Decision, Outcome, Rules, decide
from .headers import Saying, Table, announcement
from .media import MediaTypeVersion
from .neutral import NEUTRAL, Globs, has_dot_segments
from .readers import HeaderVersion, PathVersion
from .refusals import Statuses, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from interservice.exchange import Exchange
    from interservice.http import Head

    from .deprecation import Deprecation
    from .readers import Reader

#: Python 3.11 takes as long to find a member of an enumeration as to call a function.
_MATCHED = Outcome.MATCHED
_READERS = (PathVersion("/v{version}"), HeaderVersion("API-Version"), MediaTypeVersion("version"))


@dataclass(frozen=True, slots=True, eq=False)
class Versions(Policy):
    """Negotiates the API version by path, header, query or media type.

    `Versions(["1", "2"], default="2")` serves `/v1/...`, `API-Version: 1` and `Accept: application/json; version=1`; all that a
    request says must agree. Refusals are problem documents with the code `api-version-unspecified`, `api-version-malformed`,
    `api-version-unsupported`, `api-version-retired` or `api-version-ambiguous`.

    Args:
        supported: All that is served, the deprecated included: numbers ("1", "1.2"), perhaps with a status ("2.0-beta"), or dates
            ("2026-01-31").
        default: What answers a request that names none: a version, "newest" (neither deprecated nor with a status), "oldest"
            (deprecated included), or a callable that is given the Exchange and returns one of these. None refuses.
        deprecated: How the end of some is announced. May hold retired ones, for their links.
        retired: What is no longer served: 410.
        readers: Where versions are read. All are asked.
        match: "exact", or "floor": a date selects the newest version that is not newer.
        path: What the application sees of a path with a version: "keep" all of it, or "strip": the prefix goes to the mount
            (SCRIPT_NAME, root_path), and dot segments behind it are 404.
        neutral: Globs of paths without a version; "*" also stands for "/". Replaces the list `NEUTRAL`.
        enforce_sunset: Whether a version is refused with 410 once its sunset is past, rather than served and noted in the log.
        allow_future: Whether, with match="floor", a date after the newest version selects that one.
        latest: Whether clients may ask for "latest". A smell: such clients break at each release; it is noted in the log.
        on_equal_rank: What two supported versions of equal rank in Accept mean: "newest" (active one), or "reject": ambiguous.
        unsupported_status: The status of an unsupported version in a header or the query: 400, 404, 406 or 501.
        unspecified_status: The status of no version, 400 or 406; where the path is the only reader it is 404.
        rewrite_accept: Whether the application sees Accept without versions ("application/json" for "application/json;
            version=2"), as some are strict about parameters.
        advertise: Whether responses list the versions in api-supported-versions and api-deprecated-versions.
        warning: Whether deprecated versions' responses carry a Warning field (obsolete, but printed by Kubernetes' clients).
        debug: Whether responses say where the version was read, in a field named like the header reader's with "-Source".

    Raises:
        ConfigurationError: An option cannot work.
    """

    supported: Sequence[str]
    _: KW_ONLY
    default: str | Callable[[Exchange], str | None] | None = None
    deprecated: Mapping[str, Deprecation] = field(default_factory=dict)
    retired: Collection[str] = ()
    readers: Sequence[Reader] = _READERS
    match: Literal["exact", "floor"] = "exact"
    path: Literal["keep", "strip"] = "keep"
    neutral: Collection[str] = NEUTRAL
    enforce_sunset: bool = False
    allow_future: bool = False
    latest: bool = False
    on_equal_rank: Literal["newest", "reject"] = "newest"
    unsupported_status: int = 400
    unspecified_status: int = 400
    rewrite_accept: bool = False
    advertise: bool = True
    warning: bool = False
    debug: bool = False
    _rules: Rules = field(init=False, repr=False)
    _statuses: Statuses = field(init=False, repr=False)
    _echo: str | None = field(init=False, repr=False)
    _sunsets: tuple[float, ...] = field(init=False, repr=False)
    _tables: tuple[Table, ...] = field(init=False, repr=False)
    _media: tuple[MediaTypeVersion, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        one_of("Versions.match", self.match, ("exact", "floor"))
        one_of("Versions.path", self.path, ("keep", "strip"))
        one_of("Versions.on_equal_rank", self.on_equal_rank, ("newest", "reject"))
        future = self.allow_future and self.match == "exact"
        check(not future, "Versions.allow_future", 'False unless match is "floor"', self.allow_future)
        rules = self._compile()
        prefixed = self.path == "keep" or bool(rules.templates)
        check(prefixed, "Versions.path", '"keep" without a PathVersion among the readers', self.path)
        path_only = len(rules.templates) == len(rules.readers)
        served = rules.catalog.served
        sunsets = sorted({known.sunset for known in served} - {inf}) if self.enforce_sunset else []
        saying = self._saying(rules.readers)
        compiled = {
            "supported": tuple(self.supported),
            "deprecated": MappingProxyType(dict(self.deprecated)),
            "retired": tuple(self.retired),
            "readers": tuple(self.readers),
            "neutral": tuple(self.neutral),
            "_rules": rules,
            "_media": tuple(reader for reader in rules.readers if isinstance(reader, MediaTypeVersion) and self.rewrite_accept),
            "_statuses": Statuses(path_only=path_only, unsupported=self.unsupported_status, unspecified=self.unspecified_status),
            "_echo": saying.echo,
            "_sunsets": tuple(sunsets),
            "_tables": tuple(saying.table(served, now) for now in (-inf, *sunsets)),
        }
        for name, value in compiled.items():
            object.__setattr__(self, name, value)

    def admit(self, exchange: Exchange) -> None:
        """Find the version, or refuse.

        Raises:
            Rejection: No version, or not one that is served; or dot segments behind a stripped prefix.
        """
        decision = decide(self._rules, exchange)
        outcome, version, known, _, _, prefix = decision
        if outcome is _MATCHED:
            exchange.version = version
        elif outcome is Outcome.PREFLIGHT:
            exchange.preflight_version = version
        elif outcome is Outcome.NEUTRAL:
            return
        else:
            raise self._refusal(exchange, decision)
        if self.path == "strip":
            self._strip(exchange, prefix)
        if self._media:
            self._rewrite(exchange)
        if known is not None and (self.latest or known.deprecation is not None):
            self._note(exchange, decision, known)

    def respond(self, exchange: Exchange, head: Head) -> None:
        """Say which version answered, and for how long it will; on refusals, which there are. Neutral paths stay untouched."""
        version = exchange.version
        if version is None:
            path = exchange.request.path
            if has_dot_segments(path) or not self._rules.neutral.match(path):
                self._at(exchange).unversioned.amend(head)
            return
        table = self._at(exchange)
        table.versions.get(str(version), table.unversioned).amend(head)
        if self.debug and self._echo is not None:
            head.default(f"{self._echo}-Source", version.source)

    def _strip(self, exchange: Exchange, known: str | None) -> None:
        """Move the prefix that names the version, `known` already or found by the templates, from the path to the mount."""
        path = exchange.path
        if known is not None and (path.startswith(known + "/") or path == known):
            prefix, rest = known, path[len(known) :]
        else:
            split = next(filter(None, (template.split(path) for template in self._rules.templates)), None)
            if split is None:
                return
            prefix, rest = split
        if has_dot_segments(rest):
            # A router or proxy that resolves them would run another version's code than was decided on.
            exchange.version = None
            raise Rejection("The path has dot segments.", status=404, code="not_found")
        exchange.mount += prefix
        exchange.path = rest

    def _rewrite(self, exchange: Exchange) -> None:
        """Have the application see an Accept that says nothing of versions."""
        sent = exchange.request.headers.get("accept")
        if sent is None:
            return
        plain = sent
        for reader in self._media:
            plain = reader.without_versions(plain)
        if plain != sent:
            exchange.rewritten = {**(exchange.rewritten or {}), "accept": plain}

    def _note(self, exchange: Exchange, decision: Decision, known: Known) -> None:
        """Put on the log line what an operator wants to count."""
        if known.sunset <= exchange.clock.time():
            exchange.annotate(**{"api.version.sunset_passed": True})
        if self.latest and decision.raw == "latest":
            exchange.annotate(**{"api.version.latest": True})

    def _refusal(self, exchange: Exchange, decision: Decision) -> Rejection:
        table = self._at(exchange)
        deprecation = None if decision.known is None else decision.known.deprecation
        links = "" if deprecation is None else deprecation.links
        headers = (*announcement(decision.known), *((("Link", links),) if links else ()))
        return refusal(decision, self._statuses, table.supported, table.deprecated, headers)

    def _at(self, exchange: Exchange) -> Table:
        """What responses say now."""
        return self._tables[bisect_right(self._sunsets, exchange.clock.time()) if self._sunsets else 0]

    def _compile(self) -> Rules:
        """The options in the form that decides."""
        readers = _readers(self.readers, latest=self.latest)
        floor = self.match == "floor"
        catalog = Catalog(self.supported, self.deprecated, self.retired, floor=floor, allow_future=self.allow_future)
        return Rules(
            catalog=catalog,
            readers=readers,
            templates=tuple(reader for reader in readers if isinstance(reader, PathVersion)),
            neutral=Globs(strings("Versions.neutral", self.neutral)),
            default=_default(catalog, self.default),
            chooser=self.default if callable(self.default) else None,
            latest=self.latest,
            reject_equal_rank=self.on_equal_rank == "reject",
            enforce_sunset=self.enforce_sunset,
        )

    def _saying(self, readers: tuple[Reader, ...]) -> Saying:
        """The options in the form that speaks."""
        labels = (reader.parameter for reader in readers if isinstance(reader, MediaTypeVersion) and reader.label)
        return Saying(
            advertise=self.advertise,
            echo=next((reader.name for reader in readers if isinstance(reader, HeaderVersion)), None),
            warn=self.warning,
            vary=tuple({name.lower(): name for reader in readers for name in reader.vary}.values()),
            label=next(labels, None),
        )


def _readers(readers: object, *, latest: bool) -> tuple[Reader, ...]:
    """The readers, checked, and told whether "latest" counts."""
    given: tuple[Reader, ...] = tuple(readers) if isinstance(readers, (list, tuple)) else ()
    sound = bool(given) and all(callable(getattr(reader, "read", None)) and hasattr(reader, "vary") for reader in given)
    check(sound, "Versions.readers", "a list of readers, such as [HeaderVersion()]", readers)
    return tuple(replace(reader, latest=True) if latest and isinstance(reader, PathVersion) else reader for reader in given)


def _default(catalog: Catalog, default: object) -> tuple[Known, ...]:
    """The candidates for a fixed default, best first."""
    if default is None or callable(default):
        return ()
    found = catalog.select(default) if isinstance(default, str) else ()
    if not found:
        msg = f'Versions.default must be a supported version, "newest", "oldest" or a callable, not {default!r}'
        raise ConfigurationError(msg)
    return found
