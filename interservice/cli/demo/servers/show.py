"""What `make demo-servers` shows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from interservice.cli.demo.runner import Show

from .phases import PHASES
from .stack import ServersStack

if TYPE_CHECKING:
    from .parts import Gateway

#: So few that the callers of one process can be too many.
_ADMITTED = 6


def show(gateway: Gateway) -> Show[ServersStack]:
    """The reference architecture with one of the gateways in front."""
    others = "Redis, collectd, Prometheus, oidc-provider, invoices, two orders instances, HAProxy, forward-auth"
    return Show(
        f"{others} and {gateway}", partial(ServersStack, gateway=gateway, admitted=_ADMITTED), ServersStack.balancing, PHASES
    )
