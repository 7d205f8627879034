"""Names and small shapes of Envoy's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .plan import Endpoint

HTTP: Final = "filters.network.http_connection_manager.v3.HttpConnectionManager"


def typed(name: str, /, **fields: Any) -> dict[str, Any]:
    """An extension's message."""
    return {"@type": f"type.googleapis.com/envoy.extensions.{name}", **fields}


def extension(name: str, message: str, /, **fields: Any) -> dict[str, Any]:
    """A named extension with its message."""
    return {"name": name, "typed_config": typed(message, **fields)}


def socket_address(endpoint: Endpoint) -> dict[str, Any]:
    """A TCP address."""
    return {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}


def seconds(value: float) -> str:
    """A duration."""
    return f"{value:.3f}s"


def regex(pattern: str) -> dict[str, Any]:
    """A matcher for a whole value."""
    return {"safe_regex": {"regex": pattern}}


def header(name: str, **matcher: Any) -> dict[str, Any]:
    """A header matcher by a string matcher, such as exact="GET"."""
    return {"name": name, "string_match": matcher}


def cel(expression: str) -> dict[str, Any]:
    """An access log filter by an expression."""
    config = {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
        "expression": expression,
    }
    return {"extension_filter": {"name": "envoy.access_loggers.extension_filters.cel", "typed_config": config}}
