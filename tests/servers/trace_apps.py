"""A service that calls others on behalf of each request, for servers to load: what arrives there is what matters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import flask
import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import interservice.asgi
import interservice.wsgi
from interservice import AccessLog, Gate, Tracing
from interservice.outbound import ServiceAdapter

if TYPE_CHECKING:
    from starlette.requests import Request

log = Path(os.environ["TEST_ACCESS_LOG"]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - as long as the process
gate = Gate(service="peer", policies=[Tracing()], listeners=[AccessLog(stream=log)])
session = requests.Session()
session.mount("http://", ServiceAdapter())


def call(times: int) -> None:
    for _ in range(times):
        session.post(os.environ["TEST_CALLED"], timeout=5).raise_for_status()


flask_app = flask.Flask("peer")


@flask_app.post("/call/<int:times>")
def calling(times: int) -> str:
    call(times)
    return "called"


async def calling_async(request: Request) -> PlainTextResponse:
    await run_in_threadpool(call, request.path_params["times"])
    return PlainTextResponse("called")


wsgi = interservice.wsgi.Middleware(flask_app.wsgi_app, gate)
asgi = interservice.asgi.Middleware(Starlette(routes=[Route("/call/{times:int}", calling_async, methods=["POST"])]), gate)
