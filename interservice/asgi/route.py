"""The template of the route that Starlette or FastAPI matched, read from the scope they leave behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .middleware import Scope


def route(scope: Scope) -> str | None:
    """Such as "/orders/{id}"; None where nothing matched or the framework does not tell.

    Of a mounted application Starlette tells only the inner template, and the prefix as it was in the URL: its values are put
    back into names.
    """
    matched = scope.get("route")
    if matched is None:
        return None
    path = getattr(matched, "path", None)
    if not isinstance(path, str):
        return None
    if not hasattr(matched, "endpoint"):  # a mounted application that has no routes of its own: all there is is the prefix
        path = ""
    exchange = scope["interservice.exchange"]
    prefix = (scope.get("root_path") or "").removeprefix(exchange.mount)
    names = {str(value): "{" + name + "}" for name, value in (scope.get("path_params") or {}).items()}
    return "/".join(names.get(part, part) for part in prefix.split("/")) + path
