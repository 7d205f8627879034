"""Migrations: JSON bodies carried from the client's version to the newest, and back, so that code exists for the newest alone.

Pure: bytes in, bytes out. Which bodies are whole, and what comes of a refusal, is the bindings' part. What is not JSON, is coded
(gzip) or partial is never touched; a body is only held in memory where a migration applies to it, and then up to a bound.
"""

from __future__ import annotations

import json
import logging
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from interservice.errors import ConfigurationError, Rejection
from interservice.options import check, number, strings

from .accept import parse_media_type
from .neutral import Globs
from .version import Number, Version, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interservice.exchange import Exchange
    from interservice.http import Head

#: Takes the decoded JSON of one shape and gives that of the other; may change it in place, as long as it returns it.
Transform: TypeAlias = "Callable[[Any], Any]"

_LOG = logging.getLogger("interservice")
#: RFC 9110 sections 15.3.5, 15.3.7 and 15.4.5: these have no body, or a part of one.
_NOT_WHOLE = frozenset({204, 205, 206, 304})
_ERROR = 400
#: What a body's bytes prove, which are no longer those.
_PROOFS = frozenset({"content-md5", "digest", "content-digest", "repr-digest"})
#: A body that does not have the shape that its version promises makes functions fail so.
_MISSHAPEN = (LookupError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True, eq=False)
class Migration:
    """What changed in one version, as two functions over JSON: `Migration("2", request=to_2, response=back_to_1)`.

    Clients of an older version have their request's body carried forward by `request`, and get the response's carried back by
    `response`; several migrations form a chain, as Stripe's and Cadwyn's do. Numbers pass as Python's json reads them: floats as
    floats.

    Args:
        version: The version that brought the change.
        request: Gives this version's body for one of the version before; None where requests did not change.
        response: Gives the body of the version before for one of this version; None where responses did not change.
        paths: Globs of the paths it is about, as the application sees them.
        methods: The methods it is about; empty for all.
        errors: Whether responses with a status of 400 and more are carried back as well.

    Raises:
        ConfigurationError: The version is none, there is nothing to do, or an option is of the wrong kind.
    """

    version: str
    _: KW_ONLY
    request: Transform | None = None
    response: Transform | None = None
    paths: Sequence[str] = ("*",)
    methods: Sequence[str] = ()
    errors: bool = False
    _number: Number = field(init=False, repr=False)
    _globs: Globs = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found = parse(self.version) if isinstance(self.version, str) else None
        if found is None:
            raise ConfigurationError(f'Migration.version must be a version such as "2" or "2026-01-31", not {self.version!r}')
        check(self.request is not None or self.response is not None, "Migration.request", "a function, or response one", None)
        for option in ("request", "response"):
            value = getattr(self, option)
            check(value is None or callable(value), f"Migration.{option}", "a function of the decoded JSON", value)
        object.__setattr__(self, "paths", strings("Migration.paths", self.paths))
        object.__setattr__(self, "methods", tuple(name.upper() for name in strings("Migration.methods", self.methods)))
        object.__setattr__(self, "_number", found)
        object.__setattr__(self, "_globs", Globs(self.paths))

    @property
    def number(self) -> Number:
        """What the version's text means."""
        return self._number

    def covers(self, method: str, path: str) -> bool:
        """Whether it is about such requests. HEAD is answered as GET is."""
        methods = self.methods
        listed = not methods or method in methods or (method == "HEAD" and "GET" in methods)
        return listed and self._globs.match(path)


class Chain:
    """Migrations in the order of their versions.

    Args:
        migrations: In any order; those of one version are applied to requests in the order given.
        max_bytes: A body is migrated up to this size.

    Raises:
        ConfigurationError: One is no `Migration`, or the size is no whole number of at least 1.
    """

    __slots__ = ("_migrations", "max_bytes")

    def __init__(self, migrations: Sequence[Migration], max_bytes: int) -> None:
        given = list(migrations) if isinstance(migrations, (list, tuple)) else None
        sound = given is not None and all(isinstance(migration, Migration) for migration in given)
        check(sound, "Migrations.migrations", "a list of Migration", migrations)
        number("Migrations.max_bytes", max_bytes, at_least=1, integer=True)
        self._migrations = tuple(sorted(given or (), key=lambda migration: migration.number))
        self.max_bytes = max_bytes

    def of(self, exchange: Exchange | None) -> Passage | None:
        """What is to be done for a request; None for one without a version, or of the newest."""
        version = None if exchange is None else exchange.version
        if exchange is None or not isinstance(version, Version) or not self._migrations:
            return None
        if version.number >= self._migrations[-1].number:
            return None
        method, path = exchange.request.method, exchange.path
        newer = [one for one in self._migrations if one.number > version.number and one.covers(method, path)]
        return Passage(exchange, str(version), newer, self.max_bytes) if newer else None


class Passage:
    """One exchange's way through the chain: asks for what it needs to see, and carries bodies over.

    Args:
        exchange: The exchange.
        version: The text of the client's version.
        migrations: Those that lie between it and the newest, oldest first.
        max_bytes: A body is migrated up to this size.
    """

    __slots__ = ("_backward", "_exchange", "_forward", "_version", "max_bytes")

    def __init__(self, exchange: Exchange, version: str, migrations: Sequence[Migration], max_bytes: int) -> None:
        self._exchange = exchange
        self._version = version
        self._forward = [one.request for one in migrations if one.request is not None]
        self._backward = [(one.response, one.errors) for one in reversed(migrations) if one.response is not None]
        self.max_bytes = max_bytes

    @property
    def responds(self) -> bool:
        """Whether responses may have to be carried back."""
        return bool(self._backward)

    def wants_request(self) -> bool:
        """Whether the body that comes is one to carry forward, going by its head.

        Raises:
            Rejection: 413: its Content-Length is over the bound.
        """
        headers = self._exchange.request.headers
        if not self._forward or not _is_json(headers.get("content-type"), headers.get("content-encoding")):
            return False
        length = _length(headers.get("content-length"))
        if length is not None and length > self.max_bytes:
            raise self.request_too_large()
        return length != 0

    def wants_response(self, head: Head) -> bool:
        """Whether the body of such a response is one to carry back.

        Raises:
            Rejection: 500: its Content-Length is over the bound.
        """
        if head.status in _NOT_WHOLE or not _is_json(head.get("Content-Type"), head.get("Content-Encoding")):
            return False
        if not any(errors or head.status < _ERROR for _, errors in self._backward):
            return False
        length = _length(head.get("Content-Length"))
        if length is not None and length > self.max_bytes and self._exchange.request.method != "HEAD":
            raise self.response_too_large()
        return True

    def forward(self, body: bytes) -> bytes:
        """The body as the newest version has it; what cannot be read as JSON is left to the application, which refuses it.

        Raises:
            Rejection: 400 `migration_failed`: it has not the shape of its version. 413: it is over the bound. Or what a migration
                raised.
        """
        if len(body) > self.max_bytes:
            raise self.request_too_large()
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return body
        try:
            for transform in self._forward:
                value = transform(value)
        except _MISSHAPEN as error:
            _LOG.warning("a body of version %s could not be migrated: %r", self._version, error)
            detail = f"The body has not the shape of API version '{self._version}'."
            raise Rejection(detail, status=400, code="migration_failed") from error
        return _dumped(value)

    def back(self, status: int, body: bytes) -> bytes:
        """The body as the client's version has it; what cannot be read as JSON is left as it is.

        Raises:
            Rejection: 500 `migration_failed`: a migration failed, which is logged. 500: it is over the bound. Or what a migration
                raised.
        """
        if len(body) > self.max_bytes:
            raise self.response_too_large()
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return body
        try:
            for transform, errors in self._backward:
                if errors or status < _ERROR:
                    value = transform(value)
            return _dumped(value)
        except Rejection:
            raise
        except Exception as error:
            _LOG.exception("a response could not be migrated to version %s", self._version)
            self._exchange.error = error
            detail = f"The response could not be given in API version '{self._version}'."
            raise Rejection(detail, status=500, code="migration_failed") from error

    def request_too_large(self) -> Rejection:
        """The refusal of a request's body that is over the bound (RFC 9110 section 15.5.14)."""
        detail = f"A body of API version '{self._version}' may have {self.max_bytes} bytes."
        return Rejection(detail, status=413, code="migration_too_large")

    def response_too_large(self) -> Rejection:
        """The answer in place of a response's body that is over the bound."""
        _LOG.error("a response of over %d bytes was not migrated to version %s", self.max_bytes, self._version)
        return Rejection(
            f"The response is too large to be given in API version '{self._version}'.", status=500, code="migration_too_large"
        )


def restate(head: Head, length: int | None) -> None:
    """Make a head true again for a body that was carried over: its length, None for unknown, and no proofs of its old bytes."""
    stale = _PROOFS | {"content-length"}
    if any(name.lower() in stale for name, _ in head.headers):
        head.headers[:] = [pair for pair in head.headers if pair[0].lower() not in stale]
    if length is not None:
        head.add("Content-Length", str(length))


def is_whole(head: Head) -> bool:
    """Whether a response tells its length, and so is no stream."""
    return head.get("Content-Length") is not None


def _is_json(content_type: str | None, coding: str | None) -> bool:
    """Whether a body is JSON in UTF-8, not coded."""
    media = None if content_type is None else parse_media_type(content_type)
    if media is None or media.type != "application" or (coding or "identity").strip().lower() != "identity":
        return False
    if media.subtype != "json" and not media.subtype.endswith("+json"):
        return False
    return all(value.lower() in ("utf-8", "utf8", "us-ascii") for value in media.values("charset"))


def _length(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdecimal() and len(value) < 20 else None  # noqa: PLR2004


def _dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
