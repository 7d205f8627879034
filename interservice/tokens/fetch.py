"""One HTTP exchange for a JSON document, trusting the other end with nothing.

No redirect is followed, no cookie kept, nothing taken from the environment; the answer is bounded in size and time, and read
as strict JSON.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

from interservice.clock import SYSTEM

from .parser import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

_CONNECT_TIMEOUT = 2.0
_CHUNK = 16384
_OK, _NOT_MODIFIED = 200, 304
#: Deep enough for any metadata document, and far from the interpreter's recursion limit.
_MAX_DEPTH = 16
_MAX_AGE = re.compile(r'(?:^|[\s,])max-age\s*=\s*"?([0-9]{1,9})', re.IGNORECASE | re.ASCII)
_NO_STORE = re.compile(r"(?:^|[\s,])no-(?:store|cache)(?:$|[\s,])", re.IGNORECASE | re.ASCII)


class FetchFailed(Exception):
    """A document could not be had; the message says why and is safe to log."""


class Posted(NamedTuple):
    """What came back to a form: the status, the JSON object if there is one, and what Retry-After says, in seconds."""

    status: int
    document: dict[str, Any] | None
    retry_after: float | None


class Fetched(NamedTuple):
    """What came back.

    Attributes:
        document: The JSON object; None when it is the one that the caller has (304).
        etag: To send along next time, or None.
        max_age: Seconds for which it may be kept (Cache-Control, less Age), or None where the response does not say.
    """

    document: dict[str, Any] | None
    etag: str | None
    max_age: float | None


def new_session(timeout: float) -> requests.Session:
    """A session that takes nothing from the environment; one for each fetch, so that none is shared with a forked process."""
    from interservice.outbound import ServiceAdapter, ServiceSession, Timeouts  # noqa: PLC0415 - loads requests: when needed only

    session = ServiceSession()
    connect = min(_CONNECT_TIMEOUT, timeout)
    # One try: whoever asked decides about the next one, and waits for longer the more often it fails.
    adapter = ServiceAdapter(
        timeouts=Timeouts(connect=connect, read=timeout, total=timeout), retry=None, breaker=None, bulkhead=None
    )
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def fetch(
    url: str,
    *,
    session: requests.Session | None = None,
    etag: str | None = None,
    timeout: float = 5.0,
    max_bytes: int = 262_144,
) -> Fetched:
    """GET a JSON object.

    Raises:
        FetchFailed: Not reached in `timeout` seconds, not a 200 (or a 304 to the `etag`), larger than `max_bytes`, or not
        strict JSON.
    """
    own = new_session(timeout) if session is None else None
    try:
        return _fetch(own or session, url, etag, SYSTEM.monotonic() + timeout, max_bytes)  # type: ignore[arg-type]
    except FetchFailed:
        raise
    except Exception as error:
        raise FetchFailed(f"{type(error).__name__} on the way to {_shown(url)}") from error
    finally:
        if own is not None:
            own.close()


def post(
    session: requests.Session, url: str, body: bytes, headers: Mapping[str, str], *, timeout: float, max_bytes: int
) -> Posted:
    """POST a form that holds secrets, once, and read the JSON object that answers it.

    Raises:
        FetchFailed: Not reached in `timeout` seconds, a redirect, or larger than `max_bytes`. The exception that `requests`
            raised is its cause.
    """
    until = SYSTEM.monotonic() + timeout
    sent = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": f"interservice/{_version()}",
        **headers,
    }
    limits = (min(_CONNECT_TIMEOUT, timeout), timeout)
    try:
        with session.post(
            url, data=body, headers=sent, timeout=limits, allow_redirects=False, stream=True, auth=_no_auth
        ) as response:
            later = response.headers.get("Retry-After", "")
            text = _read(response, until, max_bytes)
            return Posted(response.status_code, _object(text), float(later) if later.isascii() and later.isdigit() else None)
    except FetchFailed:
        raise
    except Exception as error:
        raise FetchFailed(f"{type(error).__name__} on the way to {_shown(url)}") from error


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        return read_object(text, _MAX_DEPTH)
    except (ValueError, RecursionError):
        return None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps a session from putting its own Authorization over ours."""
    return request


def _fetch(session: requests.Session, url: str, etag: str | None, until: float, max_bytes: int) -> Fetched:
    headers = {
        "Accept": "application/jwk-set+json, application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"interservice/{_version()}",
    }
    if etag is not None:
        headers["If-None-Match"] = etag
    left = until - SYSTEM.monotonic()
    with session.get(
        url, headers=headers, timeout=(min(_CONNECT_TIMEOUT, left), left), allow_redirects=False, stream=True
    ) as response:
        kept = _max_age(response.headers)
        if response.status_code == _NOT_MODIFIED and etag is not None:
            return Fetched(None, etag, kept)
        if response.status_code != _OK:
            raise FetchFailed(f"status {response.status_code} from {_shown(url)}")
        body = _read(response, until, max_bytes)
        try:
            document = read_object(body, _MAX_DEPTH)
        except (ValueError, RecursionError):
            raise FetchFailed(f"no strict JSON object from {_shown(url)}") from None
        return Fetched(document, response.headers.get("ETag"), kept)


def _read(response: requests.Response, until: float, max_bytes: int) -> bytes:
    """The body, in pieces as they come, so that neither its size nor a slow drip goes unnoticed."""
    body = bytearray()
    while piece := response.raw.read1(_CHUNK, decode_content=True):
        body += piece
        if len(body) > max_bytes:
            raise FetchFailed(f"more than {max_bytes} bytes from {_shown(response.url)}")
        if SYSTEM.monotonic() > until:
            raise FetchFailed(f"too slow a response from {_shown(response.url)}")
    return bytes(body)


def _max_age(headers: Any) -> float | None:
    cache_control = headers.get("Cache-Control", "")
    if _NO_STORE.search(cache_control):
        return 0.0
    match = _MAX_AGE.search(cache_control)
    if match is None:
        return None
    age = headers.get("Age", "0").strip()
    return float(match[1]) - (float(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0.0)  # noqa: PLR2004


def _shown(url: str) -> str:
    """A URL for a log line: no query."""
    return url.partition("?")[0]


@cache
def _version() -> str:
    try:
        return version("interservice")
    except PackageNotFoundError:
        return "0"
