"""The fields of a kind of line that comes often, as a row of values under names that are known beforehand.

Filling a dictionary field by field costs more than encoding it; a tuple costs next to nothing, and its names are JSON already.
A value of None is a field that the line does not have.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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

    def structure(self) -> Callable[..., Any]:
        """A type of msgspec (the extra `fast`) for the values, which its encoder writes faster than a dictionary."""
        from msgspec import defstruct  # noqa: PLC0415 - an extra, and lazy

        fields = [(f"field{position}", Any, None) for position in range(len(self.names))]
        renamed = {name: column for (name, _, _), column in zip(fields, self.names, strict=True)}
        return defstruct("Line", fields, rename=renamed, omit_defaults=True, gc=False)


class Row:
    """One line: as many values as there are names."""

    __slots__ = ("columns", "values")

    def __init__(self, columns: Columns, values: tuple[Any, ...]) -> None:
        self.columns = columns
        self.values = values

    def record(self) -> dict[str, Any]:
        """The line as a dictionary."""
        return {name: value for name, value in zip(self.columns.names, self.values, strict=True) if value is not None}
