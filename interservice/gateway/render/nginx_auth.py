"""NGINX' `auth_request`: a sub-request to the gate, always a GET, that may answer 2xx, 401 or 403 and nothing else.

What it really wanted to say comes in fields beside (see `nginx_answers`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interservice.gateway.hygiene import ENVOY, REQUEST_ID, spoofable
from interservice.inbound.gateway_headers import CLIENT_ID, IDENTITY, ISSUER, SCOPES, SUBJECT, VERSION

from .plan import authorization, milliseconds, mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.gateway.edge import Edge

ASK: Final = "/-/auth"
#: What the services get, from what the gate has answered.
FIELDS: Final = {
    name: "$" + name.removeprefix("x-").replace("-", "_") for name in (IDENTITY, SUBJECT, CLIENT_ID, SCOPES, ISSUER, VERSION)
}
#: What tells of a refusal.
STORY: Final = ("x-auth-status", "x-auth-problem", "x-auth-challenge", "x-auth-retry-after")


def identity(edge: Edge) -> Iterable[str]:
    """Ask about each request, and keep what is answered."""
    if mode(edge) != "forward":
        yield 'set $auth_version "";'
        yield 'set $auth_subject "";'
        return
    yield f"auth_request {ASK};"
    for name in (*FIELDS, *STORY):
        variable = name.removeprefix("x-").replace("-", "_")
        yield f"auth_request_set ${variable} $upstream_http_{name.replace('-', '_')};"


def asking(edge: Edge) -> Iterable[str]:
    """The location of the sub-request."""
    if mode(edge) != "forward":
        return
    endpoint, path = authorization(edge)
    scheme = "https" if endpoint.secure else "http"
    yield f"location = {ASK} {{"
    yield "    internal;"
    yield "    auth_request off;"
    yield f"    proxy_pass {scheme}://{'edge.auth' if not endpoint.secure else endpoint.address}{path}/nginx;"
    yield "    proxy_http_version 1.1;"
    yield "    proxy_pass_request_body off;"
    # The problem document and the signed identity come in fields.
    yield "    proxy_buffer_size 16k;"
    yield "    proxy_buffers 4 16k;"
    seconds = f"{milliseconds(edge.auth_timeout)}ms"
    yield f"    proxy_connect_timeout {seconds};"
    yield f"    proxy_read_timeout {seconds};"
    yield "    proxy_next_upstream off;"
    if endpoint.secure:
        yield from (f"    {line}" for line in verified(endpoint.host))
    for name, value in _original(edge).items():
        yield f"    proxy_set_header {name} {value};"
    yield "}"


def verified(host: str) -> Iterable[str]:
    """TLS to what shows a certificate for `host`."""
    yield "proxy_ssl_server_name on;"
    yield f"proxy_ssl_name {host};"
    yield "proxy_ssl_verify on;"
    yield "proxy_ssl_verify_depth 4;"
    yield "proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;"


def _original(edge: Edge) -> dict[str, str]:
    given = {
        "host": "$http_host",
        "connection": '""',
        "upgrade": '""',
        "content-length": '""',
        "transfer-encoding": '""',
        "x-original-method": "$request_method",
        "x-original-uri": "$request_uri",
        REQUEST_ID.lower(): "$request_id",
        "x-forwarded-for": "$remote_addr",
        "x-forwarded-proto": "$scheme",
        "x-forwarded-host": "$http_host",
    }
    return {**dict.fromkeys((*spoofable(edge), *ENVOY), '""'), **given}
