"""Memory of a gated service over a million requests, no two alike."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.draw import Chart
from benchmarks.scene import AUDIENCE, ISSUER, PATH, SCOPE, TRACEPARENT, Scene
from interservice.testing import Issuer

from .scenarios import CONNECTIONS, environment
from .server import serving
from .wrk import VARIED, wrk

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = """\
Flask under granian behind the whole gate, as above, and no two requests alike: paths, versions and request ids change all the
time, and each request has one of {tokens:,} tokens (ES256), more than the verifier keeps (4,096), so that tokens are
forgotten and verified anew throughout. Memory is what the server's processes hold (resident, from /proc), sampled between
slices of {slice} s. Warm-up is the first fifth. After it memory may grow by {limit:g} MB at most: the median of the last tenth
of the samples over that of the tenth after the warm-up."""
#: More than the 4,096 that a verifier keeps.
TOKENS = 6000
#: Megabytes of growth that count as flat.
LIMIT = 3.0
_SLICES = 100
_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory over requests.

    Attributes:
        samples: How many requests had been answered, and bytes held then.
        errors: As wrk counts them.
        seconds: How long wrk asked.
        slice: Seconds between two samples.
    """

    samples: list[tuple[int, int]]
    errors: int
    seconds: float
    slice: int

    @property
    def growth(self) -> float:
        """Megabytes by which it grew after the warm-up."""
        held = [memory for _, memory in self.samples]
        tenth = max(1, len(held) // 10)
        warm = len(held) // 5
        return (statistics.median(held[-tenth:]) - statistics.median(held[warm : warm + tenth])) / _MEGABYTE

    @property
    def title(self) -> str:
        """A heading that says how many requests it was."""
        return f"Memory over {self.samples[-1][0]:,} requests"

    def chart(self) -> str:
        """The line, as SVG."""
        points = [(float(requests), memory / _MEGABYTE) for requests, memory in self.samples]
        return Chart(title=self.title, lines={"Flask, the whole gate in front": points}, across="requests", up="MB").svg()


def watch(requests: int, progress: Callable[[str], None], tokens: int = TOKENS) -> Memory:
    """Have wrk ask until so many requests are answered, slice by slice, and sample between."""
    with ExitStack() as stack:
        scene = ManyTokens(stack, tokens)
        server = stack.enter_context(serving("granian-wsgi", "flask_gated", scene.env))
        samples, errors, spent, answered = [(0, server.memory())], 0, 0.0, 0
        length = 1
        while answered < requests:
            progress(f"memory: {answered:,} of {requests:,} requests")
            env = {**scene.variables, "SEED": str(answered)}
            seen = wrk(server.url + PATH, seconds=length, connections=CONNECTIONS, headers=scene.fields, script=VARIED, env=env)
            if not seen.requests:
                raise RuntimeError("nothing is answered")
            answered += seen.requests
            errors += seen.errors
            spent += seen.seconds
            samples.append((answered, server.memory()))
            if len(samples) == 2:  # noqa: PLR2004 - the first slice tells how many there will be
                length = max(1, round(requests / seen.rate / _SLICES))
    return Memory(samples, errors, spent, length)


class ManyTokens:
    """An issuer with many tokens, and what wrk and the application need to know of it."""

    def __init__(self, stack: ExitStack, count: int) -> None:
        scene = Scene(stack)
        issuer = Issuer(ISSUER, algorithms=("ES256",), expires_in=86400)
        url = stack.enter_context(issuer.serve()) + "/jwks"
        self.env = {**environment(scene, stack, calls=False), "LOAD_JWKS": url}
        tokens = Path(stack.enter_context(TemporaryDirectory())) / "tokens"
        lines = (issuer.mint(sub=f"client-{number}", aud=AUDIENCE, scope=SCOPE) for number in range(count))
        tokens.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.variables = {"TOKENS": str(tokens)}
        self.fields = {"traceparent": TRACEPARENT, "X-Request-Timeout-Ms": "2000"}
