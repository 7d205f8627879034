"""The embedded gateway keeps what every rendered gateway does: the same edge, the same instances, the same tests.

Left out is what the gate's own `Tracing` decides here (whose request id counts; the trace goes on with a span of its own), and
the gate that is down: here it is in the process.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from interservice.gateway import Edge
from interservice.testing import Issuer
from tests.servers.edge_embedded import told
from tests.servers.edge_gate import gate
from tests.servers.edges import NAMES, Gateway, ask, instances, options, services
from tests.servers.parity import pairs, verdict
from tests.servers.peer import ROOT, Peer, answers
from tests.servers.running import command, running
from tests.servers.test_render_gateways import (  # noqa: F401 - collected here once more, with the fixtures below
    Edged,
    edged,
    test_anonymous_spoof_reaches_no_service,
    test_body_beyond_the_limit_is_refused,
    test_gateway_is_ready_without_a_token,
    test_identity_comes_from_the_gate_alone,
    test_longest_prefix_gets_whole_segments_alone,
    test_refusal_reaches_the_client_as_the_gate_gave_it,
    test_reset_is_followed_by_another_try_for_get_alone,
    test_slow_service_is_given_up_in_time,
    test_version_chooses_the_instances_and_no_path_is_rewritten,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def start(folder: Path) -> Iterator[Edged]:
    """The embedded gateway under gunicorn, with all that is behind it."""
    issuer = Issuer(algorithms=["ES256"])
    with issuer.serve() as url, instances(*NAMES) as found:
        ours: dict[str, Any] = options(folder)
        edge = Edge(
            gate=gate(url),
            services=services(found, timeout=2.0, connect_timeout=0.3),
            forward_token=False,
            max_body=400_000,
            **ours,
        )
        port = int(edge.listen.rpartition(":")[2])
        argv = [*command("gunicorn-gthread", port, "module")[:-1], "tests.servers.edge_embedded:load()"]
        env = {**told(edge), "TEST_ISSUER": url, "PYTHONPATH": str(ROOT)}
        with Peer(argv, lambda: answers(port), cwd=folder, env=env):
            yield Edged("embedded", Gateway(port, folder / "access.log"), found, issuer)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edged]:
    with start(tmp_path_factory.mktemp("embedded")) as started:
        yield started


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Edged]:
    with start(tmp_path / "gateway") as started:
        yield started


@pytest.mark.timeout(180)
def test_every_decision_is_that_of_the_gate_in_the_service(started: Edged, tmp_path: Path) -> None:
    env = {"TEST_ISSUER": started.issuer.issuer, "TEST_SECRET": secrets.token_bytes(32).hex()}
    with running("gunicorn-gthread", tmp_path, "tests.servers.edge_apps", **env) as service:
        odd = []
        for token, fields, asked in pairs(started.issuer, Issuer(started.issuer.issuer, algorithms=["ES256"])):
            here, there = (
                verdict(ask(port, asked.target, asked.method, [*asked.headers, *fields]))
                for port in (started.gateway.port, service.port)
            )
            if here != there and not (here.code == "no_route" and asked.target == "/nothing"):
                odd.append((token, asked, here, there))
    assert odd == []
