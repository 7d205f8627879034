"""Calls to other services, behind `requests`: deadlines, retries, circuits, bulkheads, load balancing, tokens and propagation."""

from .adapter import ServiceAdapter
from .attempt import Attempt
from .backoff import Backoff
from .balancer import Balancer
from .breaker import CircuitBreaker
from .budget import Budget, RetryBudget
from .bulkhead import Bulkhead
from .circuit import Circuit
from .credentials import ClientCredentials
from .errors import BodyReadTimeout, BulkheadFull, CircuitOpen, DeadlineExceeded, NoEndpoint, OutboundError, TokenUnavailable
from .outcome import Outcome
from .retry import Retry
from .session import ServiceSession, mount
from .timeouts import Timeouts

__all__ = [
    "Attempt",
    "Backoff",
    "Balancer",
    "BodyReadTimeout",
    "Budget",
    "Bulkhead",
    "BulkheadFull",
    "Circuit",
    "CircuitBreaker",
    "CircuitOpen",
    "ClientCredentials",
    "DeadlineExceeded",
    "NoEndpoint",
    "OutboundError",
    "Outcome",
    "Retry",
    "RetryBudget",
    "ServiceAdapter",
    "ServiceSession",
    "Timeouts",
    "TokenUnavailable",
    "mount",
]
