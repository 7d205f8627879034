"""The metrics, in one table: each with its plain name, its tagged name and its labels; and how text becomes part of a name.

Invariant: whatever text comes in, a name or tag holds only characters that every StatsD receiver takes, and the number of
distinct words of each label is bounded, so that a scanner cannot fill a metrics store.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logging.getLogger("interservice.telemetry")

#: What stands for the routes, clients, ... that come after the limit.
OTHER = "_other"
#: What stands for requests that no route matched.
UNMATCHED = "_unmatched"
_MAX_WORD = 100


class Metric(NamedTuple):
    """One metric.

    Attributes:
        kind: ms (timing), c (counter) or g (gauge).
        plain: The name in dialect `plain`, with the labels in their places.
        tagged: The name in the dialects with tags.
        labels: The tags.
        meaning: What it measures.
    """

    kind: str
    plain: str
    tagged: str
    labels: tuple[str, ...]
    meaning: str


METRICS: dict[str, Metric] = {
    "request": Metric(
        "ms", "request.{method}.{route}.{status}",
        "http.server.request.duration", ("service", "method", "route", "status", "version"),
        "Milliseconds from a request's arrival to its last byte. A response that was not started is 500, after a disconnect 499.",
    ),
    "request_total": Metric(
        "c", "request_total.{method}.{route}.{status}",
        "http.server.requests", ("service", "method", "route", "status", "version"),
        "Requests.",
    ),
    "outcome": Metric(
        "c", "outcome.{outcome}", "http.server.outcomes", ("service", "outcome"),
        "Requests by how they ended: ok, client_error, server_error, exception, client_disconnect, aborted.",
    ),
    "version": Metric(
        "c", "version.{version}.{class}", "http.server.versions", ("service", "version", "class"),
        "Requests by API version and class of status (2xx).",
    ),
    "deprecated": Metric(
        "c", "deprecated.{version}.{client}", "http.server.deprecated", ("service", "version", "client"),
        "Requests to deprecated versions, by the client that still makes them.",
    ),
    "refused": Metric(
        "c", "refused.{code}", "http.server.refusals", ("service", "code"),
        "Refusals by the code of the problem document.",
    ),
    "auth": Metric(
        "c", "auth.{outcome}", "auth.requests", ("service", "outcome"),
        "Requests by what authentication and rules made of them: ok, missing, malformed, forbidden, unavailable.",
    ),
    "token_refused": Metric(
        "c", "auth.invalid.{reason}", "auth.tokens.refused", ("service", "reason"),
        "Tokens that were not believed, by reason.",
    ),
    "token_verified": Metric(
        "ms", "auth.verify", "auth.verify.duration", ("service",),
        "Milliseconds of verifying a token that was not known from an earlier request, without waiting for keys.",
    ),
    "token_fetch": Metric(
        "ms", "token.fetch.{outcome}", "interservice.token.fetch.duration", ("client", "outcome"),
        "Milliseconds of asking a token endpoint for a token of our own: ok, fail.",
    ),
    "token_refresh_early": Metric(
        "c", "token.refresh_early", "interservice.token.refresh_early", ("client",),
        "Fetches that nobody waited for, since the token in hand was still good.",
    ),
    "token_replayed": Metric(
        "c", "token.401_retry.{called}", "interservice.token.replayed", ("called",),
        "Calls made again with another token after a 401.",
    ),
    "keys_fetch": Metric(
        "ms", "jwks.fetch", "auth.jwks.fetch.duration", ("outcome",),
        "Milliseconds of a fetch of an issuer's keys.",
    ),
    "keys_fetch_total": Metric(
        "c", "jwks.fetch.{outcome}", "auth.jwks.fetches", ("outcome",),
        "Fetches of issuers' keys: ok, fail.",
    ),
    "keys_noticed": Metric(
        "c", "jwks.{what}", "auth.jwks.notices", ("what",),
        "stale_served (about once a second while it lasts), unknown_kid, refetch_suppressed.",
    ),
    "introspect": Metric(
        "ms", "introspect", "auth.introspect.duration", ("outcome",),
        "Milliseconds of asking an issuer about an opaque token.",
    ),
    "introspect_total": Metric(
        "c", "introspect.{outcome}", "auth.introspections", ("outcome",),
        "Questions about opaque tokens: active, inactive, failed.",
    ),
    "revocations": Metric(
        "c", "revocations.{state}", "auth.revocations.changes", ("state",),
        "Changes of whether the list of revoked tokens is followed: available, unavailable.",
    ),
    "shed": Metric(
        "c", "shed.{service}", "interservice.shed", ("service",),
        "Requests and calls turned away because too many were under way.",
    ),
    "ejected": Metric(
        "c", "ejected.{called}.{endpoint}.{reason}", "interservice.ejected", ("called", "endpoint", "reason"),
        "Endpoints left out of balancing, by why: consecutive, success_rate, failure_rate, probe.",
    ),
    "deprecated_call": Metric(
        "c", "deprecated_call.{called}", "interservice.deprecated_call", ("called",),
        "Answers that said that what was called is deprecated or will go.",
    ),
    "call": Metric(
        "ms", "call.{called}.{method}.{result}", "http.client.request.duration", ("called", "method", "result"),
        "Milliseconds of a call, all attempts included; the result is the status, or the outcome where there was none.",
    ),
    "call_total": Metric(
        "c", "call_total.{called}.{method}.{result}", "http.client.requests", ("called", "method", "result"),
        "Calls.",
    ),
    "attempt": Metric(
        "ms", "attempt.{called}.{endpoint}.{outcome}", "http.client.attempt.duration", ("called", "endpoint", "outcome"),
        "Milliseconds of each attempt of a call.",
    ),
    "retry": Metric(
        "c", "retry.{called}", "http.client.retries", ("called",),
        "Attempts after a call's first.",
    ),
    "retry_budget_exhausted": Metric(
        "c", "retry_budget_exhausted.{called}", "http.client.retry_budget_exhausted", ("called",),
        "Retries that were due and that the budget would not pay for.",
    ),
    "circuit": Metric(
        "c", "circuit.{called}.{endpoint}.{state}", "http.client.circuit.changes", ("called", "endpoint", "state"),
        "Changes of a circuit, by the state it went to.",
    ),
    "dropped": Metric("c", "telemetry.dropped", "interservice.telemetry.dropped", (), "Samples and lines that were lost here."),
    "packets": Metric("c", "telemetry.packets", "interservice.telemetry.packets", (), "Packets sent, up to the flush before."),
    "bytes": Metric("c", "telemetry.bytes", "interservice.telemetry.bytes", (), "Bytes sent, up to the flush before."),
}  # fmt: skip

_NOT_IN_WORD = re.compile(r"[^A-Za-z0-9_-]")
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_.-]")
_NOT_IN_TAG = re.compile(r"[^A-Za-z0-9_./-]")
_ORIGIN = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/@]*@)?")
#: Frameworks' parameters: {x}, {x:int}, <x>, <int:x>, <regex("..."):x>.
_BRACES = re.compile(r"\{\*?([^{}:]*)[^{}]*\}")
_ANGLES = re.compile(r"<(?:[^<>]*:)?([^<>:]*)>")
_NAMED_GROUP = re.compile(r"\(\?P<(\w+)>")


def word(text: str) -> str:
    """Text as one level of a dotted name: letters, digits, "_" and "-", at most 100."""
    return _NOT_IN_WORD.sub("_", text[:_MAX_WORD]) or "_"


def name(text: str) -> str:
    """Text as a dotted name without empty levels."""
    return ".".join(filter(None, _NOT_IN_NAME.sub("_", text[: 2 * _MAX_WORD]).split("."))) or "_"


def endpoint_word(text: str) -> str:
    """An origin as one level, without its scheme: http://10.0.0.1:8000 is 10_0_0_1_8000."""
    return word(_ORIGIN.sub("", text[: 4 * _MAX_WORD]).rstrip("/"))


def route_word(route: str) -> str:
    """A route's template as one level: /orders/{id}/lines is orders_id_lines; the root is _root."""
    return word(parameters_named(route).strip("/").replace("/", "_")) if route.strip("/^$") else "_root"


def route_tag(route: str) -> str:
    """A route's template as a tag: /orders/{id} is /orders/id."""
    return tag(parameters_named(route) or "/")


def tag(text: str) -> str:
    """Text as a tag's value that every dialect takes."""
    return _NOT_IN_TAG.sub("_", text[:_MAX_WORD]) or "_"


def parameters_named(route: str) -> str:
    """The template with each parameter, of Flask's, Django's or Starlette's kind, replaced by its name."""
    text = route[: 4 * _MAX_WORD]
    text = _without_groups(text)
    return _ANGLES.sub(r"\1", _BRACES.sub(r"\1", text)).lstrip("^").rstrip("$")


def _without_groups(text: str) -> str:
    """A regular expression's groups replaced by their names; unnamed groups go."""
    if ("(" not in text and "/?" not in text) or "<" in text.partition("(")[0]:
        return text
    out: list[str] = []
    depth = 0
    for position, char in enumerate(text):
        if char == "(":
            if depth == 0 and (match := _NAMED_GROUP.match(text, position)):
                out.append(match[1])
            depth += 1
        elif char == ")":
            depth = max(0, depth - 1)
        elif depth == 0 and not (char in "?*+" and text[position - 1] in ")/"):  # how often the group, or a last slash, may come
            out.append(char)
    return "".join(out)


class Words:
    """The words of one label: remembers each text's word, and gives `_other` for texts beyond the limit, with one warning.

    Args:
        label: The label, for the warning.
        make: How a text becomes a word.
        limit: Distinct texts.
    """

    __slots__ = ("_full", "_label", "_limit", "_make", "_words")

    def __init__(self, label: str, make: Callable[[str], str], limit: int) -> None:
        self._label = label
        self._make = make
        self._limit = limit
        self._words: dict[str, str] = {}
        self._full = False

    def __call__(self, text: str) -> str:
        """The word for `text`."""
        known = self._words.get(text)
        if known is not None:
            return known
        if len(self._words) >= self._limit:
            if not self._full:
                self._full = True
                _LOG.warning(
                    "more than %d values of %s in metrics: further ones are counted as %s", self._limit, self._label, OTHER
                )
            return OTHER
        made = self._words[text] = self._make(text)
        return made
