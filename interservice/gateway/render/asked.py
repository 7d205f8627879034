"""Which version a request asks for, as far as a table can tell: for gateways that do not ask the gate.

The first row that matches counts: path, header, query, media type. Whether all that a request says agrees, and which of several
media types is preferred, is for the service behind to judge: it negotiates again, and refuses what it does not serve.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from interservice.errors import ConfigurationError
from interservice.gateway.edge import gate_versions
from interservice.inbound.versions import HeaderVersion, MediaTypeVersion, PathVersion, QueryVersion
from interservice.inbound.versions.version import parse

from .patterns import behind, spellings, template
from .plan import mode, versions_of
from .quoting import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.gateway.edge import Edge
    from interservice.inbound.versions import Versions

_SOURCES: Final = {PathVersion: 0, HeaderVersion: 1, QueryVersion: 2, MediaTypeVersion: 3}
_PLAIN: Final = re.compile(r"[A-Za-z0-9_\-]+", re.ASCII)


class Asked(NamedTuple):
    """One row: who asks so gets this version.

    Attributes:
        source: Where to look: "path", "query" (the whole of it), or "header".
        name: The header's name in lower case, or "".
        pattern: For the whole value.
        version: As the gate spells it.
    """

    source: Literal["path", "query", "header"]
    name: str
    pattern: str
    version: str


def leads(edge: Edge) -> list[str]:
    """The beginnings of paths in which a version stands.

    Where the gate is asked it has refused what is not served. Otherwise only what is served is a version, however it is spelt:
    behind anything else there is no service, and no rule.
    """
    return [lead for versions in gate_versions(edge.gate) for lead in _leads(versions, asks=mode(edge) == "forward")]


def _leads(versions: Versions, *, asks: bool) -> list[str]:
    readers = [reader for reader in versions.readers if isinstance(reader, PathVersion)]
    if asks:
        return [template(reader) for reader in readers]
    if readers and versions.match != "exact":
        raise ConfigurationError('Versions.match must be "exact" to be rendered without forward_auth')
    served = "|".join(spellings(number) for version in versions.supported if (number := parse(version)) is not None)
    return [template(reader, served) for reader in readers]


def asked(edge: Edge) -> list[Asked]:
    """The rows, in the order in which they count; none where no version has instances of its own.

    Raises:
        ConfigurationError: The gate reads versions in a way that no table has.
    """
    versions = versions_of(edge)
    if not any(service.versions for service in edge.services):
        return []
    if versions is None:
        raise ConfigurationError("VersionSets cannot be rendered without forward_auth where a service has versions of its own")
    _check(versions)
    readers = sorted(versions.readers, key=lambda reader: _SOURCES[type(reader)])
    return [row for reader in readers for version in versions.supported for row in _rows(reader, version)]


def unasked(edge: Edge) -> str | None:
    """The version of a request that asks for none, as the gate spells it; None where that is refused."""
    versions = versions_of(edge)
    if versions is None or not any(service.versions for service in edge.services) or versions.default is None:
        return None
    _check(versions)
    # The policy has been made, so that its default can be found.
    return versions._rules.default[0].text  # noqa: SLF001 - compiled, and of this package


def _check(versions: Versions) -> None:
    for reader in versions.readers:
        if type(reader) not in _SOURCES:
            raise ConfigurationError(
                f"Versions.readers must be the package's own to be rendered without forward_auth, not {reader!r}"
            )
    if versions.match != "exact":
        raise ConfigurationError('Versions.match must be "exact" to be rendered without forward_auth')
    if callable(versions.default):
        raise ConfigurationError("Versions.default must be no callable to be rendered without forward_auth")


def _rows(reader: object, version: str) -> Iterable[Asked]:
    number = parse(version)
    assert number is not None  # noqa: S101 - the edge has checked that the gate serves it
    spelt = spellings(number)
    if isinstance(reader, PathVersion):
        yield Asked("path", "", behind(template(reader, spelt)), version)
    elif isinstance(reader, HeaderVersion):
        _check_name("HeaderVersion.name", reader.name)
        yield Asked("header", reader.name.lower(), rf"[ \t]*{spelt}[ \t]*", version)
    elif isinstance(reader, QueryVersion):
        _check_name("QueryVersion.name", reader.name)
        name = reader.name.replace("-", r"\-")
        yield Asked("query", "", rf"(?:.*&)?{name}={spelt}(?:&.*)?", version)
    elif isinstance(reader, MediaTypeVersion):
        for field in ("content-type", "accept"):
            for pattern in _media_types(reader, spelt):
                yield Asked("header", field, pattern, version)


def _media_types(reader: MediaTypeVersion, spelt: str) -> Iterable[str]:
    if reader.parameter is not None:
        _check_name("MediaTypeVersion.parameter", reader.parameter)
        name = "".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c.replace("-", r"\-") for c in reader.parameter)
        yield rf'(?:.*;)[ \t]*{name}="?{spelt}"?[ \t]*(?:[;,].*)?'
    if reader.template is not None:
        before, _, after = printable("MediaTypeVersion.template", reader.template).partition("{version}")
        if "{" in before + after:
            raise ConfigurationError("MediaTypeVersion.template must have {version} alone to be rendered without forward_auth")
        yield rf"(?:.*,)?[ \t]*{_media(before)}{spelt}{_media(after)}(?:[+;, ].*)?"


def _media(text: str) -> str:
    return "".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c if c.isdigit() or c == "/" else f"[{c}]" for c in text)


def _check_name(option: str, name: str) -> None:
    if _PLAIN.fullmatch(name) is None:
        raise ConfigurationError(
            f"{option} must be of letters, digits, '-' and '_' to be rendered without forward_auth, not {name!r}"
        )
