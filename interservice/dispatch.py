"""Several applications behind one gate, chosen by the version that it negotiated: for WSGI and for ASGI.

The public names are `interservice.wsgi.VersionDispatcher` and `interservice.asgi.VersionDispatcher`. The gate in front has
`Versions(path="strip")`, so that each application sees its own paths, mounted under the version. Only the choice is made here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .errors import ConfigurationError, Rejection
from .exchange import Exchange, current
from .http import Reply, problem
from .inbound.versions import parse
from .lifespan import Lifespans
from .options import check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

App = TypeVar("App")


class Choice(Generic[App]):
    """Which application answers which version. Equal spellings of a version agree.

    Args:
        apps: The applications by version.
        unversioned: The application for requests without a version, or None.

    Raises:
        ConfigurationError: No application, one that cannot be called, a key that is no version, or two equal ones.
    """

    __slots__ = ("_by_number", "_by_text", "apps", "unversioned")

    def __init__(self, apps: Mapping[str, App], unversioned: App | None) -> None:
        check(
            hasattr(apps, "items") and bool(apps),
            "VersionDispatcher.apps",
            "a mapping of at least one version to its application",
            apps,
        )
        check(unversioned is None or callable(unversioned), "VersionDispatcher.unversioned", "an application", unversioned)
        self._by_text: dict[str, App] = dict(apps)
        self._by_number: dict[Any, App] = {}
        for text, app in apps.items():
            number = parse(text) if isinstance(text, str) else None
            if number is None:
                raise ConfigurationError(f"VersionDispatcher.apps must have versions as keys, not {text!r}")
            check(number not in self._by_number, "VersionDispatcher.apps", "free of equal versions", text)
            check(callable(app), f"VersionDispatcher.apps[{text!r}]", "an application", app)
            self._by_number[number] = app
        self.unversioned = unversioned
        #: Each application once, in the order given, however many versions it answers.
        self.apps: tuple[App, ...] = tuple({id(app): app for app in (*apps.values(), unversioned) if app is not None}.values())

    def of(self, exchange: Exchange | None) -> App:
        """The application for a request.

        Raises:
            Rejection: 404: the request has no version, or one that no application answers.
        """
        version = None if exchange is None else exchange.version or exchange.preflight_version
        if version is None:
            if self.unversioned is None:
                raise Rejection("The request must name an API version.", status=404, code="api-version-unspecified")
            return self.unversioned
        text = str(version)
        app = self._by_text.get(text) or self._by_number.get(parse(text))
        if app is None:
            raise Rejection(f"API version '{text}' is not supported.", status=404, code="api-version-unsupported")
        return app


def _refuse(rejection: Rejection, exchange: Exchange | None) -> Reply:
    """The refusal, also noted on the exchange, so that its log line and event name it."""
    if exchange is not None:
        exchange.refusal = rejection
    return problem(rejection, None if exchange is None else exchange.request_id)


class WSGIVersions:
    """A WSGI application that hands each request to the application of its version.

    Args:
        apps: The applications by version, as the gate's `Versions` spells them or equal: `{"1": app_v1, "2": app_v2}`.
        unversioned: Answers requests without a version: neutral paths, and preflights whose path names none. None is 404.

    Raises:
        ConfigurationError: No application, one that cannot be called, or a key that is no version.
    """

    def __init__(self, apps: Mapping[str, WSGIApplication], *, unversioned: WSGIApplication | None = None) -> None:
        self._choice = Choice(apps, unversioned)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer by the chosen application, or with 404."""
        exchange = environ.get("interservice.exchange") or current()
        try:
            app = self._choice.of(exchange)
        except Rejection as rejection:
            reply = _refuse(rejection, exchange)
            start_response(f"{reply.status} {reply.reason}", reply.headers)
            return [] if environ.get("REQUEST_METHOD") == "HEAD" else [reply.body]
        return app(environ, start_response)


class ASGIVersions:
    """An ASGI application that hands each request and websocket to the application of its version, and the lifespan to all.

    Start-up is complete when every application's is, and failed when one's is; the others are then shut down again. What an
    application puts into its lifespan's `state` is seen by its own requests alone.

    Args:
        apps: The applications by version, as the gate's `Versions` spells them or equal: `{"1": app_v1, "2": app_v2}`.
        unversioned: Answers requests without a version: neutral paths, and preflights whose path names none. None is 404.

    Raises:
        ConfigurationError: No application, one that cannot be called, or a key that is no version.
    """

    def __init__(self, apps: Mapping[str, ASGI3Application], *, unversioned: ASGI3Application | None = None) -> None:
        self._choice = Choice(apps, unversioned)
        self._lifespans = Lifespans(self._choice.apps)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer by the chosen application, or with 404; a websocket is refused before it is accepted."""
        if scope["type"] == "lifespan":
            await self._lifespans(scope, receive, send)
            return
        known: Any = scope
        exchange = known.get("interservice.exchange") or current()
        try:
            app = self._choice.of(exchange)
        except Rejection as rejection:
            await _send_refusal(known, send, _refuse(rejection, exchange))
            return
        self._lifespans.lend_state(app, known)
        await app(scope, receive, send)


async def _send_refusal(scope: Any, send: Any, reply: Reply) -> None:
    """A response, or for a websocket its denial, as a response where the server can send one (ASGI's websocket.http.response)."""
    kind = "http.response"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        kind = "websocket.http.response"
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    await send({"type": f"{kind}.start", "status": reply.status, "headers": headers})
    body = b"" if scope.get("method") == "HEAD" else reply.body
    await send({"type": f"{kind}.body", "body": body, "more_body": False})
