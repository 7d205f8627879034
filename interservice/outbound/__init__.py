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
from .discovery import DNS, SRV, Discovery, Found, Polled
from .ejection import Ejection
from .errors import BodyReadTimeout, BulkheadFull, CircuitOpen, DeadlineExceeded, NoEndpoint, OutboundError, TokenUnavailable
from .outcome import Outcome
from .problem import Problem
from .retry import Retry
from .session import ServiceSession, mount
from .timeouts import Timeouts
from .token_exchange import TokenExchange
from .versioning import ClientVersion

__all__ = [
    "DNS",
    "SRV",
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
    "ClientVersion",
    "DeadlineExceeded",
    "Discovery",
    "Ejection",
    "Found",
    "NoEndpoint",
    "OutboundError",
    "Outcome",
    "Polled",
    "Problem",
    "Retry",
    "RetryBudget",
    "ServiceAdapter",
    "ServiceSession",
    "Timeouts",
    "TokenExchange",
    "TokenUnavailable",
    "mount",
]
