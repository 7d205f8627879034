"""What HAProxy answers by itself, as problem documents, and what it logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interservice.gateway.hygiene import TEMPORARY, problem

if TYPE_CHECKING:
    from collections.abc import Iterable

_ID: Final = "%[unique-id]"
#: The statuses for which HAProxy has a template (`http-error`).
_TEMPLATES: Final = (400, 404, 405, 408, 413, 500, 501, 502, 503, 504)
_FIELDS: Final = {
    "time": '"%tr"', "request_id": '"%ID"', "client": '"%ci"', "method": '"%HM"', "path": '"%[var(txn.path),json(utf8s)]"',
    "status": "%ST", "bytes": "%B", "milliseconds": "%Ta", "backend": '"%b"', "upstream": '"%s"', "retries": '"%rc"',
    "end": '"%ts"',
    "traceparent": '"%[var(txn.traceparent),json(utf8s)]"',
}  # fmt: skip
LOG: Final = "'{" + ",".join(f'"{name}":{value}' for name, value in _FIELDS.items()) + "}'"


def templates() -> Iterable[str]:
    """The answers to what HAProxy notices outside of any rule."""
    for status in _TEMPLATES:
        retry = " hdr Retry-After 1" if status in TEMPORARY else ""
        yield f"http-error status {status} {_content(problem(status, _ID))}{retry} hdr Cache-Control no-store"


def refuse(status: int, condition: str, words: tuple[str, str, str] | None = None, challenge: str = "") -> str:
    """A rule that answers."""
    extra = f" hdr WWW-Authenticate {_quoted(challenge)}" if challenge else ""
    suffix = f" if {condition}" if condition else ""
    return (
        f"http-request return status {status} {_content(problem(status, _ID, words))} hdr Cache-Control no-store{extra}{suffix}"
    )


def _content(text: str) -> str:
    return f"content-type application/problem+json lf-string {_quoted(text)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
