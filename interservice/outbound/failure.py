"""What an exception of urllib3 is to users of `requests`, and what it says about the try."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING

import requests
from urllib3 import exceptions as wire_errors
from urllib3.util.ssl_match_hostname import CertificateError

from .errors import BodyReadTimeout
from .outcome import Outcome, classify_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .wire import Wire

_NEVER_WORKS = (
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidURL,
    requests.exceptions.ContentDecodingError,
    ssl.SSLCertVerificationError,
    CertificateError,
)


def translate(error: Exception, request: requests.PreparedRequest, *, in_body: bool) -> Exception:
    """The exception that `requests` raises for `error`; those of urllib3 that it lets through are mapped into its tree too."""
    return _of_body(error, request) if in_body else _of_head(error, request)


def classify(error: Exception, wire: Wire) -> Outcome:
    """What became of a try that ended with `error`."""
    causes = list(_chain(error))
    timed_out = any(isinstance(cause, (TimeoutError, wire_errors.TimeoutError, requests.Timeout)) for cause in causes)
    return classify_failure(
        wire.facts,
        timed_out=timed_out,
        fatal=any(isinstance(cause, _NEVER_WORKS) for cause in causes) or not isinstance(error, requests.RequestException),
        deadline=timed_out and wire.clamped,
        cancelled=wire.phase == "source",
    )


#: The first that fits; order matters, as some of urllib3's are several of these.
_HEAD: tuple[tuple[tuple[type[Exception], ...], type[requests.RequestException]], ...] = (
    ((requests.RequestException,), requests.RequestException),
    ((wire_errors.ProxyError,), requests.exceptions.ProxyError),
    ((wire_errors.SSLError,), requests.exceptions.SSLError),
    ((wire_errors.ReadTimeoutError,), requests.ReadTimeout),
    ((wire_errors.InvalidHeader,), requests.exceptions.InvalidHeader),
    ((wire_errors.LocationValueError,), requests.exceptions.InvalidURL),
    ((wire_errors.ProtocolError, wire_errors.PoolError, OSError), requests.ConnectionError),
)


def forget_frames(error: BaseException) -> None:
    """Let go of the frames that an exception kept as evidence holds, and with them of every local variable on the way up."""
    for cause in _chain(error):
        cause.__traceback__ = None


def _of_head(error: Exception, request: requests.PreparedRequest) -> Exception:
    if isinstance(error, wire_errors.MaxRetryError):
        return _of_reason(error, request)
    if isinstance(error, wire_errors.ProtocolError) and isinstance(error.args[-1], http.client.IncompleteRead):
        return requests.exceptions.ChunkedEncodingError(error, request=request)  # cut in the head, as elsewhere
    for causes, kind in _HEAD:
        if isinstance(error, causes):
            return error if isinstance(error, kind) else kind(error, request=request)
    return error


def _of_reason(error: wire_errors.MaxRetryError, request: requests.PreparedRequest) -> Exception:
    reason = error.reason
    if isinstance(reason, wire_errors.ConnectTimeoutError) and not isinstance(reason, wire_errors.NewConnectionError):
        return requests.ConnectTimeout(error, request=request)
    if isinstance(reason, wire_errors.ResponseError):
        return requests.exceptions.RetryError(error, request=request)
    if isinstance(reason, wire_errors.ProxyError):
        return requests.exceptions.ProxyError(error, request=request)
    if isinstance(reason, wire_errors.SSLError):
        return requests.exceptions.SSLError(error, request=request)
    return requests.ConnectionError(error, request=request)


def _of_body(error: Exception, request: requests.PreparedRequest) -> Exception:
    if isinstance(error, wire_errors.ReadTimeoutError):
        return BodyReadTimeout(error, request=request)
    if isinstance(error, wire_errors.DecodeError):
        return requests.exceptions.ContentDecodingError(error, request=request)
    if isinstance(error, wire_errors.SSLError):
        return requests.exceptions.SSLError(error, request=request)
    if isinstance(error, wire_errors.ProtocolError):
        return requests.exceptions.ChunkedEncodingError(error, request=request)
    return error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that led to it, as urllib3 nests them: in arguments, `reason` and causes."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [getattr(cause, "reason", None), cause.__cause__, cause.__context__, *cause.args]
