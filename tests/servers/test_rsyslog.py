"""rsyslog as the judge of our lines: whatever a request holds, its ECS line is parsed and none is rejected."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.telemetry import AccessLog
from tests.properties.test_log_lines import hostile_event, keys, long_texts, values
from tests.servers.peer import TOOLS, Peer, accepts, eventually, free_port, program
from tests.telemetry.material import TRACE, Sink
from tests.telemetry.test_schemas import check_ecs

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Receiver:
    """A running rsyslog."""

    port: int
    folder: Path

    def send(self, text: str) -> None:
        """Hand lines over."""
        with socket.create_connection(("127.0.0.1", self.port), 10.0) as sock:
            sock.sendall(text.encode())

    def read(self, name: str) -> list[str]:
        """The whole lines of one of its files."""
        path = self.folder / name
        return path.read_text("utf-8", "replace").split("\n")[:-1] if path.exists() else []


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    daemon = program("rsyslogd", Path("/usr/sbin/rsyslogd"), TOOLS / "rsyslog/usr/sbin/rsyslogd", how="apt-get install rsyslog")
    port = free_port()
    conf = (Path(__file__).parent / "rsyslog.conf").read_text().replace("@PORT@", str(port)).replace("@DIR@", str(tmp_path))
    (tmp_path / "rsyslog.conf").write_text(conf)
    argv: list[str | Path] = [daemon, "-n", "-f", tmp_path / "rsyslog.conf", "-i", tmp_path / "rsyslog.pid"]
    with Peer(argv, lambda: accepts(port), cwd=tmp_path):
        yield Receiver(port, tmp_path)


def test_every_line_is_parsed_whatever_the_request_holds(receiver: Receiver) -> None:
    sink = Sink()
    log = AccessLog(stream=sink, preset="ecs", service="orders")

    @given(
        st.lists(long_texts, min_size=6, max_size=6), st.dictionaries(keys, values, max_size=5), st.sampled_from([200, 500, None])
    )
    def written(text: list[str], fields: dict[Any, Any], status: int | None) -> None:
        log(hostile_event(text, fields, status))

    written()
    sent = sink.records()
    assert len(sent) >= 10
    receiver.send(sink.getvalue())
    assert eventually(lambda: len(receiver.read("parsed.json")) >= len(sent))
    assert receiver.read("rejected.txt") == []
    parsed = [json.loads(line) for line in receiver.read("parsed.json")]
    assert len(parsed) == len(sent)
    for ours, theirs in zip(sent, parsed, strict=True):
        check_ecs(ours)
        for name in (
            "@timestamp",
            "log.level",
            "ecs.version",
            "event.dataset",
            "trace.id",
            "interservice.outcome",
            "service.name",
        ):
            assert theirs[name] == ours[name]
        assert theirs["trace.id"] == TRACE.trace_id


def test_it_would_reject_what_is_no_json(receiver: Receiver) -> None:
    receiver.send("{'no': json}\n")
    assert eventually(lambda: len(receiver.read("rejected.txt")) == 1)
    assert receiver.read("parsed.json") == []
