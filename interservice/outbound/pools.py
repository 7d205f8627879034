"""Pools of urllib3 whose connections are ours, and managers that tell pools apart that dial differently.

Made through urllib3's public seams: a manager's `pool_classes_by_scheme` and `key_fn_by_scheme`, a pool's `ConnectionCls`.
"""

from __future__ import annotations

from typing import Any

import urllib3

from .connection import AS_IT_IS, Dialling, Noting, PlainConnection, TLSConnection


class _OurKind:
    """A pool's class of connections: ours, or what somebody put in the place of urllib3's, as libraries that record calls do."""

    __slots__ = ("_kind", "_of", "_theirs")

    def __init__(self, kind: type[Any], of: type[urllib3.HTTPConnectionPool]) -> None:
        self._kind = kind
        self._of = of
        self._theirs = of.ConnectionCls

    def __get__(self, pool: object, owner: type | None = None) -> type[Any]:
        now = self._of.ConnectionCls
        return self._kind if now is self._theirs else now


class _Dialling:
    """What both kinds of pool add to urllib3's."""

    def __init__(self, *args: Any, dialling: Dialling | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dialling = dialling or AS_IT_IS

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        if isinstance(connection, Noting):
            connection.dial_as(self._dialling)
        return connection


class PlainPool(_Dialling, urllib3.HTTPConnectionPool):
    """A pool of connections without TLS."""

    ConnectionCls = _OurKind(PlainConnection, urllib3.HTTPConnectionPool)


class TLSPool(_Dialling, urllib3.HTTPSConnectionPool):
    """A pool of connections with TLS."""

    ConnectionCls = _OurKind(TLSConnection, urllib3.HTTPSConnectionPool)


class _KeyFor:
    """A pool manager's key function: urllib3's key and how the pool dials, for which that has no field."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(self, context: dict[str, Any]) -> Any:
        return self._inner({name: value for name, value in context.items() if name != "dialling"}), context.get("dialling")


def ours(pool: urllib3.HTTPConnectionPool) -> bool:
    """Whether the connections of a pool note what happens; those of SOCKS proxies, and of who replaced urllib3's, do not."""
    return issubclass(pool.ConnectionCls, Noting)


def instrument(manager: Any) -> None:
    """Have a `PoolManager` make our pools, and tell pools that dial differently apart."""
    manager.pool_classes_by_scheme = {"http": PlainPool, "https": TLSPool}
    manager.key_fn_by_scheme = {scheme: _KeyFor(inner) for scheme, inner in manager.key_fn_by_scheme.items()}
