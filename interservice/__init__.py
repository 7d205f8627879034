"""interservice makes an existing Flask, Django or any WSGI/ASGI service a good citizen among services.

In front of the application stands a gate (`Gate`, its policies and listeners), mounted by `interservice.wsgi`,
`interservice.asgi` or
`interservice.django`; behind it a `requests` adapter (`interservice.outbound`); between the two one context (`current()`).
Importing this loads no web framework and no requests.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .condition import Condition
from .draining import drain_on_sigterm
from .errors import ConfigurationError, InterserviceError, Rejection
from .exchange import Exchange, current
from .inbound.admission import Admission
from .inbound.auth import JWTAuth
from .inbound.checks import Check
from .inbound.client_certificate import ClientCertificate
from .inbound.deadlines import Deadlines
from .inbound.gate import Gate
from .inbound.gateway_identity import GatewayIdentity
from .inbound.health import Health
from .inbound.policy import Policy
from .inbound.resource import ProtectedResource
from .inbound.rules import Rule
from .inbound.tracing import Tracing
from .inbound.versions import (
    Deprecation,
    HeaderVersion,
    MediaTypeVersion,
    Migration,
    PathVersion,
    QueryVersion,
    Version,
    Versions,
    VersionSets,
)
from .telemetry import AccessLog, StatsD

__version__ = "0.1.0"

__all__ = [
    "AccessLog",
    "Admission",
    "Check",
    "ClientCertificate",
    "Condition",
    "ConfigurationError",
    "Deadlines",
    "Deprecation",
    "Exchange",
    "Gate",
    "GatewayIdentity",
    "HeaderVersion",
    "Health",
    "InterserviceError",
    "JWTAuth",
    "MediaTypeVersion",
    "Migration",
    "PathVersion",
    "Policy",
    "ProtectedResource",
    "QueryVersion",
    "Rejection",
    "Rule",
    "StatsD",
    "Tracing",
    "Version",
    "VersionSets",
    "Versions",
    "current",
    "drain_on_sigterm",
]

if not TYPE_CHECKING:
    _ROOMS = frozenset({"asgi", "django", "gateway", "issuer", "outbound", "testing", "wsgi"})

    def __getattr__(name: str) -> Any:
        """`interservice.wsgi` and the other rooms, loaded when first named: the import alone must not cost asyncio or Django."""
        if name in _ROOMS:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
