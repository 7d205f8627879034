"""HAProxy: pools with health checks, and tokens verified with configured keys (`jwt_verify`).

    haproxy -db -f haproxy.cfg

Asks nobody: a gate that must be asked goes behind NGINX, Envoy or Caddy. Public keys lie in files beside the configuration, as
`haproxy_keys` gives them; HAProxy looks for them where it was started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interservice.errors import ConfigurationError
from interservice.gateway.edge import READY
from interservice.gateway.hygiene import ENVOY, FORWARDED, REQUEST_ID, spoofable

from .haproxy_answers import LOG, refuse, templates
from .haproxy_jwt import haproxy_keys, verification
from .haproxy_services import backends, choices
from .plan import listening, mode, ordered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.gateway.edge import Edge

__all__ = ["haproxy", "haproxy_keys"]


def haproxy(edge: Edge) -> str:
    """The whole text of a haproxy.cfg.

    Raises:
        ConfigurationError: The gate is to be asked, or a rule or a verifier cannot be expressed in HAProxy's terms; it is named.
    """
    if mode(edge) == "forward":
        raise ConfigurationError("Edge.forward_auth must be None for HAProxy, which asks nobody")
    sections = {
        "global": ["log stdout format raw local0 info", "hard-stop-after 30s"],
        "defaults": _defaults(),
        "frontend edge": _frontend(edge),
        **{f"backend {name}": lines for name, lines in backends(edge)},
        "backend edge.none": [refuse(404, "")],
    }
    lines = ["# Rendered by interservice. Start: haproxy -db -f this-file"]
    for name, body in sections.items():
        lines += [name, *(f"    {line}" for line in body)]
    return "\n".join([*lines, ""])


def _defaults() -> Iterable[str]:
    yield "mode http"
    yield "log global"
    yield "option dontlognull"
    yield "timeout http-request 10s"
    yield "timeout client 60s"
    yield "timeout http-keep-alive 10s"
    yield "timeout queue 1s"
    yield "timeout check 1s"
    yield "timeout connect 1s"
    yield "timeout server 60s"
    yield "timeout tunnel 1h"
    yield from templates()


def _frontend(edge: Edge) -> Iterable[str]:
    # HTTP/1 alone: so that a request has a body only if it says so.
    yield f"bind {listening(edge).address} proto h1"
    yield "unique-id-format %[uuid()]"
    yield f"log-format {LOG}"
    yield "http-request set-var(txn.path) path"
    yield "http-request set-var(txn.traceparent) req.hdr(traceparent)"
    # Also on HAProxy's own answers.
    yield f"http-after-response set-header {REQUEST_ID} %[unique-id]"
    yield f'http-request return status 200 content-type application/json string \'{{"status":"ok"}}\' if {{ path {READY} }}'
    yield from _hygiene(edge)
    if mode(edge) == "native":
        yield from verification(edge)
    yield refuse(413, f"{{ req.hdr_val(content-length) gt {edge.max_body} }}")
    yield refuse(411, "{ req.hdr(transfer-encoding) -m found }")
    if not edge.forward_token:
        yield "http-request del-header authorization"
    for service in ordered(edge):
        yield from choices(edge, service)
    yield "default_backend edge.none"


def _hygiene(edge: Edge) -> Iterable[str]:
    """HAProxy adds fields where others replace them: so they are taken off first."""
    yield "http-request del-header _ -m sub"
    for prefix in ("x-auth-", "x-envoy-", "x-forwarded-"):
        yield f"http-request del-header {prefix} -m beg"
    names = dict.fromkeys((*spoofable(edge), *ENVOY, *FORWARDED, REQUEST_ID.lower()))
    for name in names:
        if not name.startswith(("x-auth-", "x-envoy-", "x-forwarded-")):
            yield f"http-request del-header {name}"
    # Nothing but websockets is upgraded to: h2c would be a tunnel past all of this.
    yield "http-request del-header upgrade unless { req.fhdr(upgrade) -m str -i websocket }"
    yield f"http-request set-header {REQUEST_ID} %[unique-id]"
    yield "http-request set-header X-Forwarded-For %[src]"
    yield "http-request set-header X-Forwarded-Proto http"
    yield "http-request set-header X-Forwarded-Host %[req.hdr(host)]"
    yield "http-request set-header X-Forwarded-Port %[dst_port]"
