"""HTTP of the authorization server: requests to its decisions, and decisions to JSON. Nothing here redirects.

What holds a token or an error is never to be stored (RFC 6749 section 5); the keys may be cached, and discovery with them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from .errors import OAuthError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed.wsgi import WSGIEnvironment

    from .server import AuthorizationServer

_MAX_FORM: Final = 65536
_MAX_PARTS: Final = 100
_FORM: Final = "application/x-www-form-urlencoded"
#: RFC 8707 section 2 and RFC 8693 section 2.1: only these may be sent more than once.
_REPEATABLE: Final = frozenset({"resource", "audience"})
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class _Request(Request):
    max_content_length = _MAX_FORM
    max_form_memory_size = _MAX_FORM
    max_form_parts = _MAX_PARTS


def respond(server: AuthorizationServer, environ: WSGIEnvironment) -> Response:
    """The response to one request."""
    request = _Request(environ)
    try:
        return _route(server, request)
    except OAuthError as error:
        headers = {**_NO_STORE, "WWW-Authenticate": error.challenge} if error.challenge else _NO_STORE
        return _json({"error": error.error, "error_description": error.description}, error.status, headers)
    except HTTPException as error:
        return _json({"error": "invalid_request", "error_description": error.name}, error.code or 400, _NO_STORE)


def _route(server: AuthorizationServer, request: Request) -> Response:
    base, path = server.base_path, request.path
    if path in _discovery_paths(base):
        return _published(server, request, server.metadata())
    if path == f"{base}/jwks":
        return _published(server, request, server.keys.jwks)
    if path == f"{base}/token":
        form, targets = _form(request)
        return _json(server.token(_authorization(request), form, targets), 200, _NO_STORE)
    if path == f"{base}/introspect":
        form, _ = _form(request)
        return _json(server.introspect(_authorization(request), form), 200, _NO_STORE)
    if path == f"{base}/admin/rotate" and server.has_admin:
        return _rotate(server, request)
    raise OAuthError("invalid_request", "There is nothing here", status=404)


def _discovery_paths(base: str) -> tuple[str, ...]:
    """RFC 8414 section 3.1 puts the well-known part before the issuer's path, OpenID Connect Discovery after it."""
    return (
        f"/.well-known/oauth-authorization-server{base}",
        f"/.well-known/openid-configuration{base}",
        f"{base}/.well-known/openid-configuration",
    )


def _published(server: AuthorizationServer, request: Request, document: Mapping[str, Any]) -> Response:
    _allow(request, "GET", "HEAD")
    response = _json(document, 200, {"Cache-Control": f"public, max-age={server.jwks_max_age}"})
    response.add_etag()
    return response.make_conditional(request.environ)


def _rotate(server: AuthorizationServer, request: Request) -> Response:
    _allow(request, "POST")
    scheme, _, token = (request.headers.get("Authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not server.is_admin(token.strip()):
        raise OAuthError("invalid_token", "The admin token is wrong", status=401, challenge='Bearer realm="issuer"')
    keep = request.args.get("keep", "1")
    if keep not in {"0", "1", "2", "3"}:
        raise OAuthError.invalid_request("keep must be 0 to 3")
    server.rotate(keep=int(keep))
    return _json({"kids": [key.kid for key in server.keys.published]}, 200, _NO_STORE)


def _form(request: Request) -> tuple[dict[str, str], list[str]]:
    """The parameters that occur once, and the audiences, of which there may be several (RFC 6749 section 3.2)."""
    _allow(request, "POST")
    if request.mimetype != _FORM:
        raise OAuthError.invalid_request(f"The request must be {_FORM}")
    if request.query_string:
        raise OAuthError.invalid_request("Parameters belong in the body")
    form: dict[str, str] = {}
    targets: list[str] = []
    for name, values in request.form.lists():
        given = [value for value in values if value]  # a parameter without a value is treated as omitted
        if name in _REPEATABLE:
            targets += given
        elif len(values) > 1:
            raise OAuthError.invalid_request("A parameter occurs more than once")
        elif given:
            form[name] = given[0]
    return form, targets


def _authorization(request: Request) -> str | None:
    return request.headers.get("Authorization")


def _allow(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise OAuthError("invalid_request", f"The method must be {' or '.join(methods)}", status=405)


def _json(document: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> Response:
    return Response(json.dumps(document), status, headers, content_type="application/json")
