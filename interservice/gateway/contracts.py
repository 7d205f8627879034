"""How gateways ask whether a request may pass, and what each of them makes of the answer.

NGINX's `auth_request`, Envoy's `ext_authz` (HTTP) and the `forward_auth` of Caddy and Traefik differ in where the original
request stands and in which answers they pass on. The operator's own URL says which of them asks; nothing a client can send does.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote, unquote

from interservice.errors import Rejection

from .original import Original, missing, original, told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interservice.http import Request

_IN_URL = re.compile(r"/([^/]+)(/.*)", re.ASCII)
_OK, _UNAUTHORIZED, _SERVER_ERROR = 200, 401, 500
_MAX_PROBLEM = 2048
_PATH_SAFE = "/!$&'()*+,;=:@~"


@dataclass(slots=True)
class Answer:
    """The answer to a gateway: 200, or the refusal that the client is to get."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request from a gateway, as its server gives it.

    Attributes:
        request: It.
        rest: What stands in its URL behind the name of the contract, undecoded; "" or from "/".
        joined: Whether the server may have joined repeated fields, or taken `X_A` for `X-A`, as under WSGI.
    """

    request: Request
    rest: str
    joined: bool


class Contract(Protocol):
    """How one kind of gateway asks and is answered."""

    @property
    def fields(self) -> frozenset[str]:
        """The fields that tell of the original request, in lower case; no policy sees them."""

    def original(self, asked: Asked) -> Original:
        """The client's request.

        Raises:
            Rejection: 403 `no_original` where it is not told, or told twice; 400 `bad_original` where it cannot be one.
        """

    def answered(self, answer: Answer) -> Answer:
        """The answer in the form that this gateway understands."""


@dataclass(frozen=True, slots=True)
class Named:
    """The original's method and target stand in fields, or in the URL behind the contract's name: `/nginx/POST/orders?x=1`.

    Or in both, which must then agree. To the URL no client can add anything, whatever the server does with fields that come twice
    or are spelt with underscores; but some gateways decode it.
    """

    method: str
    target: str
    fields: frozenset[str]

    def original(self, asked: Asked) -> Original:
        """As `Contract.original`."""
        headers = asked.request.headers
        if not asked.rest:
            method, target = told(headers, self.method, self.target)
            path, _, query = target.partition("?")
            if asked.joined and "," in path:
                raise Rejection("The original URI may be two.", status=400, code="bad_original")
            return original(method, path, query, headers)
        match = _IN_URL.fullmatch(asked.rest)
        if match is None:
            raise missing()
        method, path, query = match[1], match[2], asked.request.query
        if headers.get(self.target) is not None:
            its_method, target = told(headers, self.method, self.target)
            named, _, its_query = target.partition("?")
            if its_method != method or unquote(named) != unquote(path) or its_query != query:
                raise missing()
            path = named
        return original(method, path, query, headers)

    def answered(self, answer: Answer) -> Answer:
        """As it is: every 2xx lets the request pass, and the client gets every other answer."""
        return answer


class Nginx(Named):
    """`auth_request`: 401 and 403 refuse, all else is an error, and nothing of the answer reaches the client by itself.

    So the refusal is told in fields, from which the configuration makes it again.
    """

    __slots__ = ()

    def answered(self, answer: Answer) -> Answer:
        """Refusals as 401, 403 or 503, with what they were in X-Auth-Status, -Problem, -Challenge and -Retry-After."""
        real = answer.status
        if real == _OK:
            return answer
        status = 401 if real in {400, 401} else 403 if real < _SERVER_ERROR else 503
        headers = [("X-Auth-Status", str(real)), *answer.headers]
        challenges = [value for name, value in headers if name.lower() == "www-authenticate"]
        if challenges:
            headers = [(name, value) for name, value in headers if name.lower() != "www-authenticate"]
            # NGINX copies the first such field of a 401, and of nothing else.
            headers.append(("WWW-Authenticate" if status == _UNAUTHORIZED else "X-Auth-Challenge", ", ".join(challenges)))
        headers += [("X-Auth-Retry-After", value) for name, value in answer.headers if name.lower() == "retry-after"]
        if problem := _one_line(answer):
            headers.append(("X-Auth-Problem", problem))
        return Answer(status, headers, answer.body)


@dataclass(frozen=True, slots=True)
class Envoy:
    """`ext_authz` over HTTP: the original's own method, and its path behind a prefix. 200 alone lets it pass."""

    fields: frozenset[str] = frozenset()

    def original(self, asked: Asked) -> Original:
        """As `Contract.original`."""
        if not asked.rest:
            raise missing()
        # Envoy keeps the client's Host; an X-Forwarded-Host would be the client's too.
        request = asked.request
        return replace(original(request.method, asked.rest, request.query, request.headers), host=None)

    def answered(self, answer: Answer) -> Answer:
        """As it is: the client gets every answer but 200."""
        return answer


_FORWARDED = Named("x-forwarded-method", "x-forwarded-uri", frozenset({"x-forwarded-method", "x-forwarded-uri"}))
#: The contracts by the name that stands in the URL.
CONTRACTS: Final[Mapping[str, Contract]] = {
    "nginx": Nginx("x-original-method", "x-original-uri", frozenset({"x-original-method", "x-original-uri"})),
    "envoy": Envoy(),
    "caddy": _FORWARDED,
    "traefik": _FORWARDED,
}


def asked(request: Request, base: str, *, joined: bool) -> tuple[Contract, Asked] | None:
    """The contract that a request's URL names, and what stands behind; None where it names none."""
    for name, contract in CONTRACTS.items():
        prefix = f"{base}/{name}"
        if request.path == prefix or request.path.startswith(prefix + "/"):
            return contract, Asked(request, _rest(request, prefix), joined)
    return None


def _rest(request: Request, prefix: str) -> str:
    """What the path has behind a prefix, as it was sent where the server tells, and otherwise as it must have been."""
    raw = request.raw_path
    if raw:
        # With the mount point, as servers have it; some leave it out.
        starts = [start.encode() for start in (request.mount + prefix, prefix)]
        return next((raw[len(start) :].decode("latin-1") for start in starts if raw.startswith(start)), "")
    return quote(request.path[len(prefix) :], safe=_PATH_SAFE)


def _one_line(answer: Answer) -> str | None:
    """The problem document in one line of ASCII, shortened to its status and code where it is long; None without one."""
    try:
        document = json.loads(answer.body)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    line = json.dumps(document)
    if len(line) <= _MAX_PROBLEM:
        return line
    members = ("type", "title", "status", "code", "instance")
    line = json.dumps({name: document[name] for name in members if name in document})
    return line if len(line) <= _MAX_PROBLEM else None
