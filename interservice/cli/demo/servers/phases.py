"""The phases that real servers have besides those of every stack, and all of them in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interservice.cli.demo.phases import (
    Findings,
    Scene,
    bad_tokens,
    healthy,
    issuer_down,
    keys_rotated,
    killed_instance,
    old_version,
    overload,
    slow_instance,
)
from interservice.cli.demo.tokens import minted
from interservice.cli.demo.traffic import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from .stack import ServersStack

_LIFETIME = 60.0
#: A revocation is to reach every process within this many seconds.
_HEARD_WITHIN = 5.0
_LOOK_EVERY = 0.02


def restarted_instance(scene: Scene[ServersStack]) -> Findings:
    """One of two instances is restarted in good order, out of the traffic, then stopped: nothing fails, nothing is repeated."""
    findings = scene.begin("one restarted, drained")
    restarted = scene.stack.orders[0]
    scene.load(findings, lambda: scene.stack.restart(restarted))
    findings.expect_all()
    findings.expect(findings.retries + findings.tally.repeats == 0, "nobody should have had to try again")
    findings.expect(scene.taken_out(restarted.name, findings), f"{restarted.name} should have been taken out")
    findings.expect(scene.let_in(restarted.name, findings), f"{restarted.name} should have been let in again")
    findings.remark = "orders-a: /readyz 503, then SIGTERM, then started"
    return findings


def revoked_token(scene: Scene[ServersStack]) -> Findings:
    """A token is revoked in Redis: what was believed a moment ago is refused, though it has not expired."""
    findings = scene.begin("token revoked")
    before, after = Tally(), findings.tally
    now = scene.clock.time()
    token = minted(scene.stack, scene.clock, token_id="revoked")  # noqa: S106 - the token's id
    scene.traffic.get(before, "/v2/orders", token)
    scene.stack.revoke("revoked", now + _LIFETIME)
    give_up = scene.clock.monotonic() + _HEARD_WITHIN
    while not after.statuses[401] and scene.clock.monotonic() < give_up:
        scene.traffic.get(after, "/v2/orders", token)
        scene.clock.sleep(_LOOK_EVERY)
    findings.expect(before.successes == 1, f"it should have been believed at first, not {dict(before.statuses)}")
    findings.expect(after.codes["invalid_token"] == 1, f"it should be refused now, not {dict(after.statuses)}")
    findings.remark = f"refused {scene.clock.time() - now:.2f} s after its revocation"
    return findings


PHASES: tuple[Callable[[Scene[ServersStack]], Findings], ...] = (
    healthy, slow_instance, killed_instance, restarted_instance, keys_rotated, issuer_down, bad_tokens, revoked_token,
    old_version, overload,
)  # fmt: skip
