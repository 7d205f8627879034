"""The gate in front of invoices, named by the setting INTERSERVICE_GATE."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from interservice import AccessLog, Deadlines, Gate, Health, JWTAuth, Rule, StatsD, Tracing, Versions
from interservice.tokens import Verifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interservice.events import Listener

RULES = (
    Rule("POST", "/invoices", scopes=["invoices:write"]),
    Rule("GET", "/invoices/{id}", scopes=["invoices:read"]),
)


def make_listeners(environ: Mapping[str, str]) -> list[Listener]:
    """Where events go: the log always, StatsD where there is one."""
    log = environ.get("ACCESS_LOG")
    stream = Path(log).open("a", buffering=1, encoding="utf-8") if log else None  # noqa: SIM115 - open as long as the process
    listeners: list[Listener] = [AccessLog(stream=stream)]
    if environ.get("STATSD"):
        listeners.append(StatsD(environ["STATSD"], prefix="invoices"))
    return listeners


verifier = Verifier(issuer=os.environ["ISSUER"], audience="invoices")
gate = Gate(
    service="invoices",
    policies=[
        Health(checks={"keys": verifier}, drain_file=os.environ.get("DRAIN_FILE") or None),
        Tracing(),
        Deadlines(maximum=30.0),
        Versions(["1"], default="1"),
        JWTAuth(verifier, rules=RULES),
    ],
    listeners=make_listeners(os.environ),
)
