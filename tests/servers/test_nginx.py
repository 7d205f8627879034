"""NGINX as a plain proxy in front of a gated service: trace and request id arrive, and both logs tell the same."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.peer import TOOLS, Peer, answers, eventually, free_port, program
from tests.servers.running import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_HOW = "apt-get install nginx-light, or make servers"


@dataclass(frozen=True)
class Proxied(Running):
    """A server behind NGINX: requests go to NGINX's port, `log` is the application's."""

    nginx_log: Path

    def nginx_lines(self, request_id: str) -> list[dict[str, Any]]:
        """What NGINX logged of a request that it knows by an id, sent or given."""
        lines = [json.loads(line) for line in self.nginx_log.read_text().splitlines()]
        return [line for line in lines if request_id in (line["sent"], line["own"])]


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    nginx = program("nginx", Path("/usr/sbin/nginx"), TOOLS / "nginx/usr/sbin/nginx", how=_HOW)
    folder = tmp_path_factory.mktemp("nginx")
    # Workers of a root's NGINX are nobody, who must get in.
    folder.chmod(0o755)
    folder.parent.chmod(0o755)
    with running("gunicorn-gthread", tmp_path_factory.mktemp("behind-nginx")) as app:
        port = free_port()
        conf = (Path(__file__).parent / "nginx.conf").read_text().replace("@APP@", str(app.port)).replace("@PORT@", str(port))
        (folder / "nginx.conf").write_text(conf)
        with Peer([nginx, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"], lambda: answers(port), cwd=folder):
            yield Proxied(port, app.stats, app.log, folder / "nginx.log")


def test_trace_and_request_id_pass_through(proxied: Proxied) -> None:
    request_id = uuid.uuid4().hex
    sent = {"X-Request-ID": request_id, "traceparent": f"00-{_TRACE}-00f067aa0ba902b7-01"}
    status, headers, body = proxied.ask("/as-sent/hello", headers=sent)
    assert (status, body) == (200, b"hello")
    assert headers["x-request-id"] == request_id
    (line,) = proxied.lines(request_id)
    assert line["trace_id"] == _TRACE
    assert line["parent_span_id"] == "00f067aa0ba902b7"


def test_id_that_nginx_gives_is_the_one_in_both_logs(proxied: Proxied) -> None:
    sent = uuid.uuid4().hex
    _, headers, _ = proxied.ask("/own-id/hello", headers={"X-Request-ID": sent})
    given = headers["x-request-id"]
    assert given != sent
    assert len(proxied.lines(given)) == 1
    assert eventually(lambda: [line["own"] for line in proxied.nginx_lines(sent)] == [given])


def test_stream_passes_whole(proxied: Proxied) -> None:
    request_id = uuid.uuid4().hex
    status, _, body = proxied.ask("/as-sent/stream", headers={"X-Request-ID": request_id})
    assert (status, body) == (200, b"part" * 3)
    (line,) = proxied.lines(request_id)
    assert line["http.response.body.size"] == 12
    assert eventually(lambda: [seen["status"] for seen in proxied.nginx_lines(request_id)] == [200])
