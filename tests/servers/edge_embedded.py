"""The embedded gateway of an edge that is told by the environment, with the gate that the tests of gateways share."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interservice import AccessLog, Gate
from interservice.gateway import Edge, Service, Signer, embedded
from tests.servers.edge_gate import the_gate

if TYPE_CHECKING:
    from interservice.gateway import Embedded


def told(edge: Edge) -> dict[str, str]:
    """The environment that tells the application below of an edge."""
    services = [{**_plain(service), "endpoints": list(service.endpoints)} for service in edge.services]
    known = {"forward_token": edge.forward_token, "max_body": edge.max_body, "services": services}
    return {"TEST_EDGE": json.dumps(known), "TEST_LOG": edge.access_log}


def _plain(service: Service) -> dict[str, Any]:
    fields = ("name", "prefix", "health", "connect_timeout", "timeout", "retries", "cache")
    return {name: getattr(service, name) for name in fields} | {
        "versions": {version: list(origins) for version, origins in service.versions.items()}
    }


def load() -> Embedded:
    """For a server's factory syntax."""
    known = json.loads(os.environ["TEST_EDGE"])
    log = Path(os.environ["TEST_LOG"]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - as long as the process
    shared = the_gate()
    gate = Gate(shared.policies, [AccessLog(stream=log)], service="edge")
    services = [Service(**service) for service in known.pop("services")]
    return embedded(Edge(gate=gate, services=services, **known), signer=Signer(secret=secrets.token_bytes(32)))
