"""Where an authorization server's token endpoint is: its metadata, by RFC 8414 or OpenID Connect Discovery 1.0.

Pure: which URLs to ask, and what an answer is worth. The identifier in the document must be the one asked for, to the letter
(RFC 8414 section 3.3), or another server could pass its endpoint off as this one's.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from interservice.errors import ConfigurationError
from interservice.hosts import check_url

from .token_state import Failure

_PAUSE = 60.0


def metadata_urls(issuer: str) -> tuple[str, str]:
    """The document's URLs in the order to try: RFC 8414's before the issuer's path, OpenID's after it."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    root = f"{parts.scheme}://{parts.netloc}"
    return f"{root}/.well-known/oauth-authorization-server{path}", f"{root}{path}/.well-known/openid-configuration"


def token_endpoint(body: bytes, issuer: str, *, allow_http: bool) -> str | Failure:
    """The token endpoint in a metadata document, or why it cannot be used."""
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return Failure("the metadata document is no JSON object", _PAUSE)
    if document.get("issuer") != issuer:
        return Failure("the metadata document is another issuer's", _PAUSE)
    endpoint = document.get("token_endpoint")
    try:
        check_url("token_endpoint", endpoint, allow_http=allow_http)
    except ConfigurationError:
        return Failure("the metadata document names no token endpoint that a secret may be sent to", _PAUSE)
    return str(endpoint)
