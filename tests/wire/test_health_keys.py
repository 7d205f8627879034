"""Readiness of a service that has no keys yet, with a real issuer on loopback: probes alone bring them."""

from __future__ import annotations

import json
from typing import Any

from werkzeug.test import Client

from interservice import Gate, Health, JWTAuth
from interservice.testing import Issuer
from interservice.tokens import JWKS, Verifier
from interservice.wsgi import Middleware


def app(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served"]


def test_first_probe_fetches_the_keys_so_that_the_first_request_need_not_wait() -> None:
    issuer = Issuer()
    with issuer.serve():
        keys = JWKS(f"{issuer.url}/jwks")
        verifier = Verifier(issuer.issuer, "orders", keys=keys)
        client = Client(Middleware(app, Gate([Health(checks={"keys": verifier}), JWTAuth(verifier)])))
        assert str(keys.state) == "empty"
        assert client.get("/readyz").status_code == 200
        assert str(keys.state) == "fresh"
        token = issuer.mint(sub="a", aud="orders")
        assert verifier.wants(token) is None
        assert client.get("/orders", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_instance_whose_issuer_is_away_lives_and_is_not_ready() -> None:
    issuer = Issuer()
    with issuer.serve():
        url = f"{issuer.url}/jwks"
    verifier = Verifier(issuer.issuer, "orders", keys=JWKS(url, timeout=1.0))
    client = Client(Middleware(app, Gate([Health(checks={"keys": verifier})])))
    refused = client.get("/readyz", environ_base={"REMOTE_ADDR": "127.0.0.1"})
    assert refused.status_code == 503
    assert json.loads(refused.data)["checks"]["keys"] == [{"status": "fail", "output": "keys are empty"}]
    assert client.get("/healthz").status_code == 200
