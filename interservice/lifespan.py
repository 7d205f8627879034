"""One ASGI lifespan for several applications: each gets it exactly once, and the server gets one answer.

An application that ends or raises without an answer does not know the protocol; as with servers, that is no failure. State of the
process, not of a request, is kept: what each application put into its `state` at start-up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class Lifespans:
    """Runs the lifespans of applications side by side.

    Args:
        apps: ASGI applications, each once.
    """

    __slots__ = ("_apps", "_states")

    def __init__(self, apps: Sequence[Any]) -> None:
        self._apps = tuple(apps)
        self._states: dict[int, dict[str, Any]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Start all applications, and stop all, as the server says; start-up fails when one's does."""
        running = [_Running(app, self._scope(app, scope)) for app in self._apps]
        try:
            await receive()
            failures = [message for message in await asyncio.gather(*(one.start() for one in running)) if message is not None]
            if failures:
                await asyncio.gather(*(one.stop() for one in running))
                await send({"type": "lifespan.startup.failed", "message": "; ".join(failures)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
            failures = [message for message in await asyncio.gather(*(one.stop() for one in running)) if message is not None]
            if failures:
                await send({"type": "lifespan.shutdown.failed", "message": "; ".join(failures)})
            else:
                await send({"type": "lifespan.shutdown.complete"})
        finally:
            for one in running:
                one.cancel()

    def lend_state(self, app: Any, scope: Any) -> None:
        """Show an application's own lifespan state to one of its requests, in the server's per-request copy."""
        state = self._states.get(id(app))
        if state and "state" in scope:
            scope["state"].update(state)

    def _scope(self, app: Any, scope: Any) -> dict[str, Any]:
        """The application's own scope: versions of one service use the same names in `state`, and must not meet there."""
        own = dict(scope)
        if "state" in scope:
            own["state"] = self._states[id(app)] = dict(scope["state"])
        return own


class _Running:
    """One application's lifespan, as a task that is fed two messages and gives two answers."""

    __slots__ = ("_answers", "_messages", "_started", "_task")

    def __init__(self, app: Any, scope: dict[str, Any]) -> None:
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._started = False
        self._task = asyncio.ensure_future(self._run(app, scope))

    async def _run(self, app: Any, scope: dict[str, Any]) -> None:
        await app(scope, self._messages.get, self._answers.put)

    async def start(self) -> str | None:
        """Start the application; the message of its failure, or None."""
        answer = await self._ask("lifespan.startup")
        self._started = answer is not None and answer["type"] == "lifespan.startup.complete"
        failed = answer is not None and answer["type"] == "lifespan.startup.failed"
        return str(answer.get("message", "") or "start-up failed") if failed and answer is not None else None

    async def stop(self) -> str | None:
        """Stop the application, if it was started; the message of its failure, or None."""
        if not self._started:
            return None
        self._started = False
        answer = await self._ask("lifespan.shutdown")
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            return str(answer.get("message", "") or "shutdown failed")
        if answer is None and not self._task.cancelled() and self._task.exception() is not None:
            return repr(self._task.exception())
        return None

    def cancel(self) -> None:
        """Let go of the application's task, whatever state it is in."""
        if self._task.done():
            if not self._task.cancelled():
                self._task.exception()  # seen, so that asyncio does not report it as never retrieved
        else:
            self._task.cancel()

    async def _ask(self, kind: str) -> dict[str, Any] | None:
        """Send a message and wait for the answer; None when the application ended without one."""
        await self._messages.put({"type": kind})
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            # The application may have answered and ended in one step.
            await asyncio.sleep(0)
        if answer.done():
            return answer.result()
        answer.cancel()
        return None
