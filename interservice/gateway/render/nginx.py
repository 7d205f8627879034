"""NGINX: the gate asked by `auth_request`, pools by version, retries without a POST, an edge cache.

    nginx -p /var/lib/edge/ -c /etc/edge/nginx.conf

What is written in the file without a path (temporary files, the cache, the process id) lies in the folder that -p names.
NGINX verifies no tokens by itself: a gate with `JWTAuth` needs `forward_auth`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interservice.errors import ConfigurationError
from interservice.gateway.edge import READY
from interservice.gateway.hygiene import ENVOY, FORWARDED, REQUEST_ID, TIMEOUT, spoofable

from .nginx_answers import answers, problems
from .nginx_auth import FIELDS, asking, identity
from .nginx_services import locations, maps, upstreams
from .plan import listening, mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.gateway.edge import Edge

#: Those whose retries NGINX knows to be safe or not; it takes any other for idempotent.
_METHODS = "GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|PROPFIND|PROPPATCH|MKCOL|COPY|MOVE|LOCK|UNLOCK"
_LOG = (
    '{"time":"$time_iso8601","request_id":"$request_id","client":"$remote_addr","method":"$request_method","path":"$uri",'
    '"status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,"upstream":"$upstream_addr",'
    '"upstream_status":"$upstream_status","version":"$auth_version","subject":"$auth_subject","traceparent":"$http_traceparent"}'
)


def nginx(edge: Edge) -> str:
    """The whole text of an nginx.conf.

    Raises:
        ConfigurationError: The gate wants tokens and nobody is to be asked, or something cannot be said in NGINX' grammar.
    """
    if mode(edge) == "native":
        raise ConfigurationError("Edge.forward_auth must be given for NGINX, which verifies no tokens by itself")
    return "\n".join([*_main(), "http {", *_indented(_http(edge)), "}", ""])


def _main() -> Iterable[str]:
    yield "# Rendered by interservice. Start: nginx -p FOLDER/ -c this-file"
    yield "pid nginx.pid;"
    yield "error_log stderr notice;"
    yield "worker_processes auto;"
    yield "events { worker_connections 4096; }"


def _http(edge: Edge) -> Iterable[str]:
    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        yield f"{kind}_temp_path {kind};"
    yield f"log_format edge escape=json '{_LOG}';"
    yield f"access_log {edge.access_log} edge;"
    yield "server_tokens off;"
    if any(service.cache for service in edge.services):
        yield "proxy_cache_path cache levels=1:2 keys_zone=edge:8m max_size=256m inactive=10m use_temp_path=off;"
    # Nothing but websockets is upgraded to: h2c would be a tunnel past all of this.
    yield 'map $http_upgrade $edge_upgrade { default ""; "~*^websocket$" websocket; }'
    yield 'map $edge_upgrade $edge_connection { default ""; websocket upgrade; }'
    yield from maps(edge)
    yield from problems(edge)
    yield from upstreams(edge)
    yield "server {"
    yield from _indented(_server(edge))
    yield "}"


def _server(edge: Edge) -> Iterable[str]:
    yield f"listen {listening(edge).address} default_server;"
    yield "server_name _;"
    # A field with an underscore would be the one with hyphens to a WSGI application.
    yield "underscores_in_headers off;"
    yield "ignore_invalid_headers on;"
    yield f"client_max_body_size {edge.max_body};"
    yield 'set $timeout_ms "";'
    yield f"if ($request_method !~ ^(?:{_METHODS})$) {{ return 501; }}"
    yield from identity(edge)
    yield from _fields(edge)
    yield f"add_header {REQUEST_ID} $request_id always;"
    yield f"proxy_hide_header {REQUEST_ID};"
    yield "proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Charset;"
    yield from answers(edge)
    yield f"location = {READY} {{"
    yield "    auth_request off;"
    yield "    access_log off;"
    yield "    default_type application/json;"
    yield '    return 200 \'{"status":"ok"}\';'
    yield "}"
    yield from asking(edge)
    yield from locations(edge)


def _fields(edge: Edge) -> Iterable[str]:
    """What services see in the head of a request; locations set no field of their own, or they would inherit none of these."""
    yield "proxy_http_version 1.1;"
    given = {
        "host": "$http_host",
        "connection": "$edge_connection",
        "upgrade": "$edge_upgrade",
        REQUEST_ID.lower(): "$request_id",
        "x-forwarded-for": "$remote_addr",
        "x-forwarded-proto": "$scheme",
        "x-forwarded-host": "$http_host",
        "x-forwarded-port": "$server_port",
        TIMEOUT.lower(): "$timeout_ms",
    }
    for name in (*spoofable(edge), *ENVOY, *FORWARDED):
        given.setdefault(name, '""')
    given |= dict(_identity(edge))
    for name, value in given.items():
        yield f"proxy_set_header {name} {value};"


def _identity(edge: Edge) -> Iterable[tuple[str, str]]:
    """The fields that the gate has answered with, and the client's token or not."""
    if mode(edge) == "forward":
        yield from FIELDS.items()
    if not edge.forward_token:
        yield "authorization", '""'


def _indented(lines: Iterable[str]) -> Iterable[str]:
    return (f"    {line}" for line in lines)
