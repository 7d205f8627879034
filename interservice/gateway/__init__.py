"""The gate at the edge: forward authentication for NGINX, Envoy, Caddy and Traefik, and an embedded gateway for small set-ups."""

from __future__ import annotations

from interservice.inbound.gateway_identity import GatewayIdentity

from .edge import Edge, Service
from .embedded import Embedded, embedded
from .forward_auth import ForwardAuth, forward_auth
from .identity import Signer
from .proxy import Proxy

__all__ = ["Edge", "Embedded", "ForwardAuth", "GatewayIdentity", "Proxy", "Service", "Signer", "embedded", "forward_auth"]
