"""What answers say of the end of what was called, read from hostile peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.events import DeprecatedCall, Listeners
from interservice.outbound.lifecycle import Lifecycle, Notices, lifecycle, parse_deprecation, parse_links
from interservice.testing import Recorder

NOW = 1_700_000_000.0
URL = "http://billing/invoices/7"


def fields(**values: str | list[str]) -> Callable[[str], Sequence[str]]:
    known = {name.lower(): [value] if isinstance(value, str) else value for name, value in values.items()}
    return lambda name: known.get(name.lower(), [])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("@1688169599", (True, 1688169599.0)),
        (" @1688169599 ", (True, 1688169599.0)),
        ("@1688169599; note=x", (True, 1688169599.0)),
        ("@1800000000", (False, 1800000000.0)),
        ("@0", (True, 0.0)),
        ("Fri, 30 Jun 2023 23:59:59 GMT", (True, 1688169599.0)),
        ("Fri, 30 Jun 2023 23:59:59 UTC", (True, 1688169599.0)),
        ("true", (True, None)),
        ("?1", (True, None)),
        ("false", None),
        ("?0", None),
        ("@-5", None),
        ("@1.5", None),
        ("@9999999999999999", None),
        ("@999999999999999", None),
        ("@\u0661", None),
        ("soon", None),
        ("", None),
    ],
)
def test_deprecation_in_every_spelling(value: str, told: tuple[bool, float | None] | None) -> None:
    assert parse_deprecation(value, NOW) == told


@pytest.mark.parametrize(
    ("value", "links"),
    [
        ('<https://d.example/v1>; rel="deprecation"; type="text/html"', {"deprecation": "https://d.example/v1"}),
        ("</v2>;rel=successor-version", {"successor-version": "http://billing/v2"}),
        ('<x>; rel="sunset latest-version"', {"sunset": "http://billing/invoices/x", "latest-version": "http://billing/invoices/x"}),
        ('<a>; title="x, <y>; rel=sunset", <b>; REL=Sunset', {"sunset": "http://billing/invoices/b"}),
        ("<a>; rel=sunset, <b>; rel=sunset", {"sunset": "http://billing/invoices/a"}),
        ("<a>; rel=next; rel=sunset", {}),
        ('<a>; rel=sunset; anchor="/other"', {}),
        ("<javascript:alert(1)>; rel=sunset", {}),
        ("<http://[bad>; rel=sunset", {}),
        ("<a>; rel=sunset garbage, <b>; rel=deprecation", {}),
        ("a; rel=sunset", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_links_about_the_end(value: str, links: dict[str, str]) -> None:
    assert parse_links([value], URL) == links


def test_links_of_several_fields_count() -> None:
    assert parse_links(["<a>; rel=sunset", "</b>; rel=deprecation"], "http://h/") == {
        "sunset": "http://h/a",
        "deprecation": "http://h/b",
    }


@given(st.text(max_size=300) | st.from_regex(r'(<a>(; ?[a-z]+( *= *("[^"]*"|[a-z]*))?)*,? ?)*', fullmatch=True))
def test_reading_is_total(text: str) -> None:
    lifecycle(fields(Deprecation=text, Sunset=text, Link=text), URL, NOW)
    parse_links([text], URL)


@pytest.mark.timeout(5)
def test_hostile_links_cost_what_they_weigh() -> None:
    for text in ("<a>" + ";x=  " * 2000 + "!", "<a>" + " " * 8000 + "!", '<a>;x="' + '\\"' * 4000, "<" * 8000, "<a>;" * 2000):
        assert parse_links([text], URL) == {}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (fields(), None),
        (fields(Link="<a>; rel=deprecation"), None),
        (fields(Deprecation="nonsense"), None),
        (fields(Deprecation="nonsense", Sunset="nonsense"), None),
        (fields(Deprecation="true"), Lifecycle(True, None, None, {})),
        (fields(Deprecation=["nonsense", "true"]), Lifecycle(True, None, None, {})),
        (fields(Sunset="Sun, 06 Nov 1994 08:49:37 GMT"), Lifecycle(False, None, 784111777.0, {})),
    ],
    ids=["nothing", "link", "nonsense", "more-nonsense", "true", "second", "sunset"],
)
def test_what_an_answer_says(answer: Callable[[str], Sequence[str]], told: Lifecycle | None) -> None:
    assert lifecycle(answer, URL, NOW) == told


def look(notices: Notices, answer: Callable[[str], Sequence[str]], *, service: str | None, recorder: Recorder) -> None:
    notices.look(answer, URL, NOW, service=service, version="1", listeners=Listeners([recorder]))


def test_one_warning_for_a_dependency_and_an_event_for_each_call(caplog: pytest.LogCaptureFixture) -> None:
    notices, recorder = Notices(), Recorder()
    for service in ("billing", "billing", "stock", None, None):
        look(notices, fields(Deprecation="@1800000000"), service=service, recorder=recorder)
    assert [record.getMessage() for record in caplog.records] == [
        "version 1 of billing will be deprecated on 2027-01-15",
        "version 1 of stock will be deprecated on 2027-01-15",
    ]
    assert [event.service for event in recorder.of(DeprecatedCall)] == ["billing", "billing", "stock", None, None]


def test_a_peers_text_cannot_forge_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    look(Notices(), fields(Deprecation="true", Link="<http://h/a\nERROR forged>; rel=sunset"), service="b", recorder=Recorder())
    assert "\n" not in caplog.records[0].getMessage()


def test_dependencies_that_were_warned_of_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices()
    for number in range(1100):
        notices.look(fields(Deprecation="true"), f"http://h{number}/", NOW, service=None, version=None, listeners=Listeners())
    assert len(caplog.records) == 1024
