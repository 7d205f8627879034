"""Claims that cannot be changed: one verified token serves many requests, so that a handler's slip must not reach the next one.

They compare, print and serialize as the dicts and lists they are; copies (`dict(x)`, `copy.deepcopy(x)`) are ordinary and free
to change.
"""

from __future__ import annotations

from typing import Any, NoReturn


def _refused(*_: object, **__: object) -> NoReturn:
    raise TypeError("the claims of a token cannot be changed; change a copy")


class FrozenDict(dict[str, Any]):
    """A dict that refuses every change."""

    __slots__ = ()
    __setitem__ = __delitem__ = __ior__ = _refused
    clear = pop = popitem = setdefault = update = _refused

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, (dict(self),)


class FrozenList(list[Any]):
    """A list that refuses every change."""

    __slots__ = ()
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refused
    append = clear = extend = insert = pop = remove = reverse = sort = _refused

    def __reduce__(self) -> tuple[type, tuple[list[Any]]]:
        return list, (list(self),)


def freeze(value: Any) -> Any:
    """`value`, as JSON has it, with every dict and list in it frozen."""
    kind = type(value)
    if kind is dict:
        if _MUTABLE.isdisjoint(map(type, value.values())):
            return FrozenDict(value)
        return FrozenDict({name: freeze(member) if type(member) in _MUTABLE else member for name, member in value.items()})
    if kind is list:
        return FrozenList([freeze(member) for member in value])
    return value


_MUTABLE = frozenset({dict, list})
