"""Libraries that build on `requests` or get between it and the wire work as they do with its own adapter, and policies apply."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3

from interservice.faultserver import FaultServer, Reply
from interservice.outbound import Backoff, DeadlineExceeded, Retry, ServiceAdapter, ServiceSession, Timeouts

QUICK = Retry(backoff=Backoff(base=0.0), overload_backoff=Backoff(base=0.0))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def on(adapter: requests.adapters.BaseAdapter) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", adapter)
    return session


def statuses(response: requests.Response) -> list[Any]:
    return [attempt.status for attempt in vars(response)["attempts"]]


class TestVCR:
    """vcrpy takes the place of the connections: what it plays never touches the network."""

    @staticmethod
    def cassette(path: Path, mode: str) -> Any:
        import vcr

        return vcr.use_cassette(str(path / "calls.yaml"), record_mode=mode, allow_playback_repeats=True)

    def test_calls_are_recorded_and_played(self, server: FaultServer, tmp_path: Path) -> None:
        server.expect(Reply(headers={"X-A": "1", "Set-Cookie": "k=v"}, body=b"recorded"))
        with self.cassette(tmp_path, "once") as recorded, on(ServiceAdapter()) as session:
            first = session.post(f"{server.url}/a?b=c", data=b"x")
        assert first.text == "recorded"
        assert len(recorded) == 1
        server.refuse()
        with self.cassette(tmp_path, "none") as played, on(ServiceAdapter()) as session:
            for stream in (False, True):
                again = session.post(f"{server.url}/a?b=c", data=b"x", stream=stream)
                assert (again.text, again.headers["X-A"], again.cookies["k"]) == ("recorded", "1", "v")
                assert statuses(again) == [200]
            assert played.play_count == 2
        assert len(server.requests) == 1

    def test_a_played_503_is_tried_again(self, server: FaultServer, tmp_path: Path) -> None:
        server.expect(Reply(status=503))
        with self.cassette(tmp_path, "new_episodes") as cassette:
            cassette.allow_playback_repeats = False
            with on(ServiceAdapter(retry=QUICK)) as session:
                assert statuses(session.get(server.url)) == [503, 200]

    def test_endpoints_and_pooled_connections_are_replaced_too(self, server: FaultServer, tmp_path: Path) -> None:
        adapter = ServiceAdapter("billing", endpoints=[server.url])
        with ServiceSession({"billing": adapter}) as session:
            assert session.get("http://billing/").text == "ok"
            (tmp_path / "calls.yaml").write_text(
                "version: 1\ninteractions:\n- request: {method: GET, uri: 'http://billing/', body: null, headers: {}}\n"
                "  response: {status: {code: 200, message: OK}, headers: {}, body: {string: played}}\n"
            )
            with self.cassette(tmp_path, "none"):
                assert session.get("http://billing/").text == "played"
            assert session.get("http://billing/").text == "ok"
        assert adapter.snapshot()["in_flight"] == 0
        assert len(server.requests) == 2


class TestReplacedConnections:
    """Who puts connections of their own in the place of urllib3's tells no facts of the wire: so nothing counts as unsent."""

    @pytest.fixture(autouse=True)
    def theirs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Theirs(urllib3.connection.HTTPConnection):
            pass

        monkeypatch.setattr(urllib3.HTTPConnectionPool, "ConnectionCls", Theirs)

    @pytest.mark.parametrize("fault", [Reply.reset(), Reply.drop(), Reply(cut=7, end="close"), Reply.truncated(), Reply.stall()])
    def test_post_is_never_sent_twice(self, server: FaultServer, fault: Reply) -> None:
        server.expect(fault)
        timeouts = Timeouts(connect=5.0, read=0.2)
        with on(ServiceAdapter(retry=QUICK, timeouts=timeouts)) as session, pytest.raises(requests.RequestException):
            session.post(server.url, data=b"once")
        assert len(server.requests) == 1

    def test_get_is_tried_again(self, server: FaultServer) -> None:
        server.expect(Reply.reset())
        with on(ServiceAdapter(retry=QUICK)) as session:
            assert statuses(session.get(server.url)) == [None, 200]

    def test_a_stall_ends_at_the_deadline(self, server: FaultServer) -> None:
        server.expect(Reply.stall())
        timeouts = Timeouts(connect=5.0, read=20.0, total=0.3)
        with on(ServiceAdapter(retry=QUICK, timeouts=timeouts)) as session, pytest.raises(DeadlineExceeded) as caught:
            session.get(server.url)
        assert caught.value.elapsed < 20 * caught.value.budget

    def test_a_stream_is_left_to_the_caller(self, server: FaultServer) -> None:
        server.expect(Reply.trickle(0.005, b"x" * 100))
        adapter = ServiceAdapter()
        with on(adapter) as session, session.get(server.url, stream=True) as response:
            assert sum(map(len, response.iter_content(10))) == 100
        assert adapter.snapshot()["in_flight"] == 0


class TestCacheControl:
    """CacheControl is an adapter itself; ours can be mixed with it, or be wrapped by it."""

    CACHED = Reply(headers={"Cache-Control": "max-age=86400", "ETag": '"1"', "Date": formatdate(usegmt=True)}, body=b"fresh")

    def test_its_adapter_can_be_mixed_with_ours(self, server: FaultServer) -> None:
        from cachecontrol import CacheControlAdapter

        class Cached(CacheControlAdapter, ServiceAdapter):
            pass

        server.expect(Reply(status=503), self.CACHED)
        with on(Cached()) as session:
            first, second = session.get(server.url), session.get(server.url)
        assert [first.text, second.text] == ["fresh", "fresh"]
        assert vars(second)["from_cache"]
        assert len(server.requests) == 2

    def test_a_stale_answer_is_revalidated(self, server: FaultServer) -> None:
        from cachecontrol import CacheControlAdapter

        class Cached(CacheControlAdapter, ServiceAdapter):
            pass

        old = {"Cache-Control": "max-age=0", "ETag": '"1"', "Date": formatdate(usegmt=True)}
        server.expect(Reply(headers=old, body=b"kept"), Reply(status=304, headers={"ETag": '"1"'}))
        with on(Cached()) as session:
            assert [session.get(server.url).text for _ in range(2)] == ["kept", "kept"]
        assert server.requests[1].headers["if-none-match"] == '"1"'


class TestToolbelt:
    """requests-toolbelt: bodies that are encoded as they are sent, and adapters of its own."""

    def test_a_multipart_stream_is_sent_once_and_whole(self, server: FaultServer) -> None:
        from requests_toolbelt import MultipartEncoder

        body = MultipartEncoder({"field": "value", "file": ("name", b"x" * 100_000, "text/plain")})
        server.expect(Reply(status=503))
        with on(ServiceAdapter(retry=QUICK)) as session:
            response = session.put(server.url, data=body, headers={"Content-Type": body.content_type})
        assert response.status_code == 503  # it cannot be rewound, so it is not sent again
        assert [len(request.body) for request in server.requests] == [body.len]
        assert server.requests[0].body.count(b"x") >= 100_000

    def test_a_monitored_upload_reports_its_progress(self, server: FaultServer) -> None:
        from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

        seen: list[int] = []
        monitor = MultipartEncoderMonitor(MultipartEncoder({"a": "b" * 50_000}), lambda each: seen.append(each.bytes_read))
        with on(ServiceAdapter()) as session:
            session.post(server.url, data=monitor, headers={"Content-Type": monitor.content_type})
        assert seen[-1] == len(server.requests[0].body)

    def test_its_socket_options_can_be_mixed_with_ours(self, server: FaultServer) -> None:
        from requests_toolbelt.adapters.socket_options import TCPKeepAliveAdapter

        mixed: Any = type("Kept", (TCPKeepAliveAdapter, ServiceAdapter), {})
        with on(mixed(idle=60, interval=20, count=5)) as session:
            assert statuses(session.get(server.url)) == [200]

    def test_a_dump_has_both_messages(self, server: FaultServer) -> None:
        from requests_toolbelt.utils import dump

        with on(ServiceAdapter()) as session:
            text = dump.dump_all(session.post(f"{server.url}/a", data=b"sent"))
        assert b"POST /a HTTP/1.1" in text
        assert b"HTTP/1.1 200 OK" in text


class TestOpenTelemetry:
    """The instrumentation of requests sees one span for a call, and its traceparent goes out."""

    def test_a_call_is_a_span_and_the_trace_goes_along(self, server: FaultServer) -> None:
        from opentelemetry.instrumentation.requests import RequestsInstrumentor
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        spans, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(spans))
        server.expect(Reply(status=503))
        RequestsInstrumentor().instrument(tracer_provider=provider)
        try:
            with on(ServiceAdapter(retry=QUICK)) as session:
                response = session.get(server.url)
        finally:
            RequestsInstrumentor().uninstrument()
            provider.shutdown()
        assert statuses(response) == [503, 200]
        (span,) = spans.get_finished_spans()
        assert span.name == "GET"
        trace = f"{span.context.trace_id:032x}"
        assert [request.headers["traceparent"].split("-")[1] for request in server.requests] == [trace] * 2


class TestSentry:
    """Sentry patches http.client: every try is a span of its own, and breadcrumbs tell of it."""

    def test_tries_are_spans_and_failures_are_reported(self, server: FaultServer) -> None:
        import sentry_sdk
        from sentry_sdk.transport import Transport

        sent: list[Any] = []

        class Kept(Transport):
            def capture_envelope(self, envelope: Any) -> None:
                sent.extend(item.payload.json for item in envelope.items)

        server.expect(Reply(status=503))
        client = sentry_sdk.Client(
            dsn="http://key@127.0.0.1:1/1", transport=Kept, traces_sample_rate=1.0, auto_enabling_integrations=False
        )
        scope = sentry_sdk.Scope(client=client)
        from sentry_sdk.scope import use_isolation_scope, use_scope

        with use_isolation_scope(scope), use_scope(scope), on(ServiceAdapter(retry=QUICK)) as session:
            with sentry_sdk.start_transaction(name="t", op="test"):
                assert statuses(session.get(server.url)) == [503, 200]
            server.refuse()
            try:
                session.get(server.url)
            except requests.ConnectionError as error:
                sentry_sdk.capture_exception(error)
        client.close()
        (transaction,) = [item for item in sent if item.get("type") == "transaction"]
        assert [span["data"]["http.response.status_code"] for span in transaction["spans"] if span["op"] == "http.client"] == [
            503,
            200,
        ]
        assert any("exception" in item for item in sent)
        assert all("sentry-trace" in request.headers for request in server.requests)


class TestTimeouts:
    """Adapters that set a timeout by overriding send, as everybody has written one."""

    def test_a_subclass_that_sets_a_default_timeout_is_heeded(self, server: FaultServer) -> None:
        class Hurried(ServiceAdapter):
            def send(self, request: Any, **how: Any) -> requests.Response:  # type: ignore[override]
                how["timeout"] = how.get("timeout") or 0.1
                return super().send(request, **how)

        server.expect(Reply.stall())
        with on(Hurried(retry=None)) as session, pytest.raises(requests.ReadTimeout):
            session.get(server.url)

    def test_urllib3s_own_timeout_bounds_the_call(self, server: FaultServer) -> None:
        server.expect(Reply.trickle(0.02, b"x" * 400))
        whole: Any = urllib3.Timeout(total=0.3)
        with on(ServiceAdapter(timeouts=Timeouts(total=20.0))) as session, pytest.raises(DeadlineExceeded) as caught:
            session.get(server.url, timeout=whole)
        assert caught.value.budget == pytest.approx(0.3)
