"""Caddy: the gate asked by `forward_auth`, pools by version.

    caddy run --config Caddyfile --adapter caddyfile

Caddy verifies no tokens by itself: a gate with `JWTAuth` needs `forward_auth`. It repeats requests without a body that could not
be sent, and GETs whose connection broke; never because of a status. A body it cannot send twice, not even to an instance that is
the first to take it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interservice.errors import ConfigurationError
from interservice.gateway.edge import READY
from interservice.gateway.hygiene import ENVOY, REQUEST_ID, spoofable
from interservice.inbound.gateway_headers import ALL

from .caddy_errors import errors
from .caddy_services import proxies, seconds
from .plan import authorization, listening, mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.gateway.edge import Edge

_DEVICES = {"/dev/stdout": "stdout", "/dev/stderr": "stderr"}
#: Left alone: `forward_auth` sets them from what Caddy saw, and a client's do not count.
_CADDYS = frozenset({"x-forwarded-method", "x-forwarded-uri"})


def caddy(edge: Edge) -> str:
    """The whole text of a Caddyfile.

    Raises:
        ConfigurationError: The gate wants tokens and nobody is to be asked, or something cannot be said in a Caddyfile.
    """
    if mode(edge) == "native":
        raise ConfigurationError("Edge.forward_auth must be given for Caddy, which verifies no tokens by itself")
    here = listening(edge)
    lines = [
        "# Rendered by interservice. Start: caddy run --config this-file --adapter caddyfile",
        "{",
        "\tadmin off",
        "\tauto_https off",
        "}",
        f"http://:{here.port} {{",
        *_indented(_site(edge)),
        "}",
        "",
    ]
    return "\n".join(lines)


def _site(edge: Edge) -> Iterable[str]:
    yield f"bind {listening(edge).host}"
    yield "log {"
    yield f"\toutput {_DEVICES.get(edge.access_log) or f'file {edge.access_log}'}"
    yield "\tformat json"
    yield "}"
    # As written: Caddy would put the removal of fields behind forward_auth, and take the verified ones off.
    yield "route {"
    yield from _indented(_route(edge))
    yield "}"
    yield "handle_errors {"
    yield from _indented(errors(edge))
    yield "}"


def _route(edge: Edge) -> Iterable[str]:
    yield f'respond {READY} `{{"status":"ok"}}` 200'
    # Every spelling with an underscore, and whatever claims to come from a gateway.
    for pattern in ("*_*", "X-Auth-*", "X-Envoy-*", "X-Forwarded-*"):
        yield f"request_header -{pattern}"
    for name in (*spoofable(edge), *ENVOY):
        if not name.startswith(("x-auth-", "x-envoy-", "x-forwarded-")) and name not in _CADDYS:
            yield f"request_header -{name}"
    # Nothing but websockets is upgraded to: h2c would be a tunnel past all of this.
    # And whatever Connection names is taken off behind all of this: a client could name the fields of the gate.
    yield "@websocket header_regexp Upgrade `(?i)^websocket$`"
    yield "@plain not header_regexp Upgrade `(?i)^websocket$`"
    yield "request_header @plain -Upgrade"
    yield "request_header @plain -Connection"
    yield "request_header @websocket Connection Upgrade"
    yield f"request_header {REQUEST_ID} {{http.request.uuid}}"
    yield "header {"
    yield f"\t{REQUEST_ID} {{http.request.uuid}}"
    yield "\tdefer"
    yield "}"
    if mode(edge) == "forward":
        yield from _asking(edge)
        yield "vars edge_asked yes"
    length = "{http.request.header.Content-Length}"
    yield f'@long expression `{length} != "" && int({length}) > {edge.max_body}`'
    yield "error @long 413"
    yield "request_body {"
    yield f"\tmax_size {edge.max_body}"
    yield "}"
    yield from proxies(edge)
    yield "error 404"


def _asking(edge: Edge) -> Iterable[str]:
    endpoint, path = authorization(edge)
    yield f"forward_auth {'https' if endpoint.secure else 'http'}://{endpoint.address} {{"
    yield f"\turi {path}/caddy"
    for name in ALL:
        yield f"\tcopy_headers {name}"
    yield "\ttransport http {"
    yield f"\t\tdial_timeout {seconds(edge.auth_timeout)}"
    yield f"\t\tresponse_header_timeout {seconds(edge.auth_timeout)}"
    yield "\t}"
    yield "}"
    # What the gate has not said is there, as the name of the placeholder or empty.
    for name in ALL:
        matcher = f"@no_{name.replace('-', '_')}"
        yield f"{matcher} header_regexp {name} `^({{http\\.reverse_proxy\\..*)?$`"
        yield f"request_header {matcher} -{name}"


def _indented(lines: Iterable[str]) -> Iterable[str]:
    return (f"\t{line}" for line in lines)
