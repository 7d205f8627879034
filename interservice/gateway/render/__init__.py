"""Configuration of other people's gateways, rendered from an `Edge`: whole files, which the servers' own checks accept.

Nothing is rendered more weakly than the gate decides: what a server cannot carry out is a `ConfigurationError` that names it.
"""

from __future__ import annotations

from .caddy import caddy
from .envoy import envoy
from .haproxy import haproxy, haproxy_keys
from .kong import kong
from .nginx import nginx

__all__ = ["caddy", "envoy", "haproxy", "haproxy_keys", "kong", "nginx"]
