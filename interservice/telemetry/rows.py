"""The fields of a kind of line that comes often, as a row of values under names that are known beforehand.

Filling a dictionary field by field costs more than encoding it; a tuple costs next to nothing, and its names are JSON already.
A value of None is a field that the line does not have.
"""

from __future__ import annotations

from functools import partial
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Row(Protocol):
    """One line: as many values as there are names."""

    @property
    def columns(self) -> Columns:
        """The names."""

    @property
    def values(self) -> tuple[Any, ...]:
        """The values, None where there is none."""

    def record(self) -> dict[str, Any]:
        """The line as a dictionary."""


class Columns:
    """The names of a kind of line, in order, each once.

    Attributes:
        names: The names.
        written: The same as they stand in JSON, with the comma before and the colon behind.
    """

    __slots__ = ("names", "written")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.written = tuple(f",{encode_basestring_ascii(name)}:" for name in names)

    def rows(self) -> Callable[..., Row]:
        """What makes a row of the values, given one by one."""
        return partial(_Row, self)

    def structures(self) -> Callable[..., Row]:
        """The same, of a type of msgspec (the extra `fast`), which its encoder writes faster than a dictionary."""
        from msgspec import defstruct  # noqa: PLC0415 - an extra, and lazy
        from msgspec.structs import astuple  # noqa: PLC0415

        fields = [(f"field{position}", Any, None) for position in range(len(self.names))]
        renamed = {name: column for (name, _, _), column in zip(fields, self.names, strict=True)}
        namespace = {"columns": self, "values": property(astuple), "record": _record}
        made: Any = defstruct("Line", fields, rename=renamed, omit_defaults=True, gc=False, namespace=namespace)
        return cast("Callable[..., Row]", made)


def _record(row: Row) -> dict[str, Any]:
    return {name: value for name, value in zip(row.columns.names, row.values, strict=True) if value is not None}


class _Row:
    __slots__ = ("columns", "values")

    def __init__(self, columns: Columns, *values: Any) -> None:
        self.columns = columns
        self.values = values

    record = _record
