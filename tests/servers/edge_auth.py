"""The shared gate, asked by gateways; it signs with the secret in TEST_SECRET."""

from __future__ import annotations

import os

from interservice.gateway import Signer, forward_auth
from tests.servers.edge_gate import the_gate

_auth = forward_auth(the_gate(), signer=Signer(secret=bytes.fromhex(os.environ["TEST_SECRET"])))
wsgi = _auth.wsgi
asgi = _auth.asgi
