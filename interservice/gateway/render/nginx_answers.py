"""What NGINX answers by itself, as problem documents; and the gate's refusals, which `auth_request` does not let through.

The gate tells the real status and document in fields of its answer. A status in `return` must stand in the file, so that there is
a line for each that a gate may give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interservice.gateway.hygiene import PROBLEMS, REQUEST_ID, TEMPORARY, UNDECIDED, problem

from .plan import mode
from .quoting import nginx_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.gateway.edge import Edge

#: The statuses that gates give.
REFUSALS: Final = (
    400,
    401,
    403,
    404,
    405,
    406,
    409,
    410,
    411,
    412,
    413,
    414,
    415,
    421,
    422,
    428,
    429,
    431,
    451,
    500,
    501,
    502,
    503,
    504,
)
#: NGINX' own words for 431 and for requests that TLS should have carried.
_OTHER: Final = {400: (400, 495, 496, 497), 431: (431, 494)}
_ID: Final = "$request_id"


def problems(edge: Edge) -> Iterable[str]:
    """What is said where the gate has said nothing: it is down, or does not speak this contract."""
    if mode(edge) != "forward":
        return
    refused = problem(403, _ID, ("Forbidden", "This is not allowed.", "forbidden"))
    yield f'map $auth_problem $auth_refusal {{ default $auth_problem; "" {nginx_text(refused)}; }}'
    yield f'map $auth_problem $auth_failure {{ default $auth_problem; "" {nginx_text(problem(503, _ID, UNDECIDED))}; }}'
    yield 'map $auth_retry_after $auth_wait { default $auth_retry_after; "" 1; }'


def answers(edge: Edge) -> Iterable[str]:
    """Where errors go, and what is said there."""
    asked = mode(edge) == "forward"
    own = [status for status in PROBLEMS if not (asked and status == 500)]  # noqa: PLR2004
    for status in own:
        yield f"error_page {' '.join(map(str, _OTHER.get(status, (status,))))} = @own_{status};"
    for status in own:
        yield from _location(
            f"own_{status}", [f"return {status} {nginx_text(problem(status, _ID))};"], retry="1" if status in TEMPORARY else ""
        )
    if not asked:
        return
    yield "error_page 401 403 = @refused;"
    yield "error_page 500 = @undecided;"
    told = [f"if ($auth_status = {status}) {{ return {status} $auth_refusal; }}" for status in REFUSALS]
    yield from _location("refused", [*told, "return 403 $auth_refusal;"], retry="$auth_retry_after", challenge=True)
    told = [f"if ($auth_status = {status}) {{ return {status} $auth_failure; }}" for status in REFUSALS]
    yield from _location("undecided", [*told, "return 503 $auth_failure;"], retry="$auth_wait")


def _location(name: str, body: Iterable[str], *, retry: str = "", challenge: bool = False) -> Iterable[str]:
    yield f"location @{name} {{"
    yield "    internal;"
    yield "    auth_request off;"
    yield "    default_type application/problem+json;"
    yield f"    add_header {REQUEST_ID} $request_id always;"
    yield "    add_header Cache-Control no-store always;"
    if retry:
        yield f"    add_header Retry-After {retry} always;"
    if challenge:
        # On a 401 NGINX has copied the challenge already; the gate gives this one where it has not.
        yield "    add_header WWW-Authenticate $auth_challenge always;"
    yield from (f"    {line}" for line in body)
    yield "}"
