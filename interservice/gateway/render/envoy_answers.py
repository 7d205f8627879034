"""What Envoy answers by itself, as problem documents. The gate's refusals pass as they are."""

from __future__ import annotations

from typing import Any, Final

from interservice.gateway.hygiene import PROBLEMS, TEMPORARY, UNDECIDED, document

from .envoy_types import cel

_ID: Final = "%REQ(X-REQUEST-ID)%"
_JSON: Final = "application/problem+json"
#: Refusals of jwt_authn and rbac. The challenge is in the head already.
_REFUSED: Final = {
    401: ("Unauthorized", "The request needs a valid access token.", "invalid_token"),
    403: ("Forbidden", "This is not allowed.", "forbidden"),
}


def local_replies() -> dict[str, Any]:
    """Mappers, of which the first that matches counts."""
    undecided = _mapper("response.code_details == 'ext_authz_error'", 503, UNDECIDED)
    own = "response.code_details != 'ext_authz_denied'"
    mapped = [_mapper(f"{own} && response.code == {status}", status, None) for status in PROBLEMS]
    refused = [_mapper(f"{own} && response.code == {status}", status, words) for status, words in _REFUSED.items()]
    return {"mappers": [undecided, *refused, *mapped]}


def _mapper(expression: str, status: int, words: tuple[str, str, str] | None) -> dict[str, Any]:
    fields = {"cache-control": "no-store"}
    if status in TEMPORARY:
        fields["retry-after"] = "1"
    return {
        "filter": cel(expression),
        "status_code": status,
        "headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in fields.items()
        ],
        "body_format_override": {"json_format": document(status, _ID, words), "content_type": _JSON},
    }
