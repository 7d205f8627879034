"""`ServiceSession` finds an adapter by a look-up, and always the one that requests would find by comparing prefixes."""

from __future__ import annotations

import pickle

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter

from interservice.outbound import ServiceAdapter, ServiceSession, mount

HOSTS = st.sampled_from(["a", "b", "A", "a.b", "ab", "a:80"])
PREFIXES = st.builds(
    "{}://{}{}".format, st.sampled_from(["http", "https"]), HOSTS, st.sampled_from(["", "/", "/x", "/x/", "/X/y/", "//"])
)
URLS = st.builds("{}{}".format, PREFIXES, st.sampled_from(["", "x", "?q=/", "/x/y", "#/"]))


@given(st.lists(PREFIXES, max_size=8), st.lists(URLS, min_size=1, max_size=8))
def test_adapter_is_the_one_that_requests_finds(prefixes: list[str], urls: list[str]) -> None:
    ours, theirs = ServiceSession(), requests.Session()
    theirs.adapters = ours.adapters
    for prefix in prefixes:
        ours.mount(prefix, HTTPAdapter())
        for url in urls:
            assert ours.get_adapter(url) is theirs.get_adapter(url)


def test_adapters_that_come_and_go_without_mount_are_seen() -> None:
    session = ServiceSession({"billing": ServiceAdapter("billing", endpoints=["http://127.0.0.1:9"])})
    billing, below = session.get_adapter("http://billing/x"), HTTPAdapter()
    mount(session, "http://billing/x/", below)
    assert session.get_adapter("http://billing/x/1") is below
    assert session.get_adapter("http://billing/y") is billing
    del session.adapters["http://billing/x/"]
    assert session.get_adapter("http://billing/x/1") is billing
    del session.adapters["http://billing/"]
    assert session.get_adapter("http://billing/x") is session.adapters["http://"]


def test_url_of_no_scheme_that_is_mounted_is_refused_as_by_requests() -> None:
    with pytest.raises(requests.exceptions.InvalidSchema):
        ServiceSession().get_adapter("ftp://billing/x")


def test_pickled_session_finds_its_adapters() -> None:
    session = ServiceSession()
    session.mount("http://billing/", HTTPAdapter())
    copy = pickle.loads(pickle.dumps(session))
    assert copy.get_adapter("http://billing/x") is copy.adapters["http://billing/"]
