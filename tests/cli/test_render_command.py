"""`interservice render`: configuration from an Edge in a module."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from interservice.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

_MODULE = """
from interservice import Gate, JWTAuth, Rule, Versions
from interservice.gateway import Edge, Service
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier

issuer = Issuer("https://issuer.test", algorithms=["ES256"])
gate = Gate([JWTAuth(Verifier("https://issuer.test", "edge", keys=StaticKeys(issuer.jwks)), rules=[Rule("GET", "/orders")])])
services = [Service(name="orders", prefix="/orders", endpoints=["http://10.0.0.1:8000"])]
edge = Edge(gate=gate, services=services)
asked = Edge(gate=gate, services=services, forward_auth="http://127.0.0.1:9000")
class nested:
    edge = asked
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"an_edge_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(_MODULE)
    (tmp_path / "broken_edge.py").write_text("import no_such_thing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.mark.parametrize(
    ("server", "text"), [("nginx", "auth_request /-/auth;"), ("caddy", "forward_auth http://127.0.0.1:9000")]
)
def test_configuration_goes_to_standard_output(module: str, server: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", server, f"{module}:asked"]) == 0
    assert text in capsys.readouterr().out


def test_attribute_may_be_dotted(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "envoy", f"{module}:nested.edge"]) == 0
    assert json.loads(capsys.readouterr().out)["static_resources"]


def test_configuration_goes_to_a_file(module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "envoy", f"{module}:edge", "--output", str(tmp_path / "envoy.json")]) == 0
    assert json.loads((tmp_path / "envoy.json").read_text())["static_resources"]
    assert capsys.readouterr().out == ""


def test_keys_for_haproxy_are_written_beside_its_configuration(module: str, tmp_path: Path) -> None:
    assert main(["render", "haproxy", f"{module}:edge", "--output", str(tmp_path / "haproxy.cfg")]) == 0
    (key,) = tmp_path.glob("*.pem")
    assert key.name in (tmp_path / "haproxy.cfg").read_text()
    assert key.read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----")


def test_keys_for_haproxy_need_a_place(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "haproxy", f"{module}:edge"]) == 2
    assert "--output is needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("shop.edge", "MODULE:ATTRIBUTE is wanted"),
        (":edge", "MODULE:ATTRIBUTE is wanted"),
        ("no_such_module:edge", "there is no module 'no_such_module'"),
        ("broken_edge:edge", "broken_edge cannot be imported: No module named 'no_such_thing'"),
        ("{module}:nothing", "has no 'nothing'"),
        ("{module}:gate", "must be an Edge, not Gate"),
    ],
)
def test_place_without_an_edge_is_told_in_a_line(
    module: str, place: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", "nginx", place.format(module=module)]) == 2
    written = capsys.readouterr()
    assert message in written.err
    assert written.out == ""


def test_what_a_server_cannot_carry_out_is_told_in_a_line(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "kong", f"{module}:edge"]) == 2
    assert "interservice: Kong cannot carry out Rules (/orders)" in capsys.readouterr().err
