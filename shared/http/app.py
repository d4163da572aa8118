"""The frame of every HTTP role: probes, metrics, problem documents, limits, log lines."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Depends, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from shared.http import probes, problems, segments
from shared.http.auth import Verifier
from shared.http.probes import Check
from shared.http.problems import Problem
from shared.http.short_way import ShortWay, ShortWays
from shared.observability import tracing
from shared.observability.logs import get_logger
from shared.observability.metrics import HTTP_SECONDS

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

MAX_BODY_BYTES = 5 * 1024 * 1024
_log = get_logger("http")


def create_app(
    title: str,
    *,
    verifier: Verifier | None = None,
    checks: Mapping[str, Check] | None = None,
    lifespan: Lifespan | None = None,
    secret_below: Sequence[str] = (),
    short_ways: Sequence[ShortWay] = (),
) -> FastAPI:
    """Return an application with everything that is the same for all services.

    `checks` are asked by `/readyz`, each naming a dependency; the keys of tokens are one more.
    What comes after one of `secret_below` in a path lets its bearer in, and is never logged.
    Routes take `Depends(require(scope))` from `shared.http.auth`; `short_ways` are asked before.
    """
    asked = dict(checks or {})
    if verifier is not None:
        asked["keys"] = verifier.check
    app = _Api(
        title=f"Lowtide {title}",
        version="1",
        lifespan=lifespan if verifier is None else _following(verifier, lifespan),
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(segments.whole)],
        responses=problems.RESPONSES,
    )
    app.front = _RequestLog(_BodyLimit(ShortWays(app, app.behind, short_ways)), secret_below)
    app.state.verifier = verifier
    problems.install(app)
    app.router.routes += probes.routes(asked)
    return app


def _following(verifier: Verifier, lifespan: Lifespan | None) -> Lifespan:
    """Return a lifespan that also keeps the keys of tokens fresh."""

    @asynccontextmanager
    async def followed(app: FastAPI) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group, AsyncExitStack() as stack:
            following = group.create_task(verifier.follow())
            stack.callback(following.cancel)
            if lifespan is not None:
                await stack.enter_async_context(lifespan(app))
            yield

    return followed


class _Api(FastAPI):
    """An application whose routes see paths as they were sent, and whose document all errors.

    What logs and limits requests stands in front of FastAPI's own layers, so that the short ways
    can as well (ADR 166).
    """

    front: ASGIApp

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            scope = {**scope, "path": segments.path_of(scope)}
        await self.front(scope, receive, send)

    async def behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what has come through the front."""
        await super().__call__(scope, receive, send)

    @override
    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        known = document.setdefault("components", {}).setdefault("schemas", {})
        known.update(problems.schemas())
        return document


class _BodyLimit:
    """Answers 413 as soon as a body is known to be over the limit, whatever its headers say."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
            await too_large("The body").response(scope["path"])(scope, receive, send)
            return
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                # FastAPI passes its own exceptions on from wherever it reads the body.
                raise HTTPException(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large("The body").detail
                )
            return message

        await self._app(scope, limited, send)


def too_large(what: str) -> Problem:
    """Return the problem for a request over a limit."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"{what} is over the limit (1,000 entries, 5 MiB); send it in smaller parts.",
    )


class _RequestLog:
    """One canonical line and one metric per request; the trace context goes on and comes back.

    What is answered as asked is for who looks closely; a refusal is told by default, and a failure
    is a warning.
    """

    def __init__(self, app: ASGIApp, secret_below: Sequence[str]) -> None:
        self._app = app
        self._secret_below = secret_below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in probes.PATHS:
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(tracing.HEADER.encode())
        traceparent = tracing.continued(given.decode("latin-1") if given else None)
        scope.setdefault("state", {})["traceparent"] = traceparent
        path = self._legible(segments.unescaped(scope["path"]))
        status = 500
        started = time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (tracing.HEADER.encode(), traceparent.encode()),
                ]
            await send(message)

        bound = structlog.contextvars.bind_contextvars(traceparent=traceparent)
        try:
            await self._app(scope, receive, noted)
        except ClientDisconnect:
            status = 499  # it hung up while sending: there is nobody left to answer
        except Exception as error:
            if await _has_hung_up(error, scope, receive):
                status = 499
            else:
                _log.exception("request failed", path=path)
                raise
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            HTTP_SECONDS.labels(scope["method"], route, str(status)).observe(seconds)
            _log.log(
                _level(status),
                "request",
                method=scope["method"],
                path=path,
                status=status,
                ms=round(seconds * 1000, 2),
            )
            structlog.contextvars.reset_contextvars(**bound)

    def _legible(self, path: str) -> str:
        # Not by route: what is refused may have none. Wherever it is: a proxy may put more before.
        for prefix in self._secret_below:
            before, found, secret = path.partition(prefix)
            if secret:
                return f"{before}{found}****"
        return path


async def _has_hung_up(error: Exception, scope: Scope, receive: Receive) -> bool:
    """Return whether there was no answer since nobody waits for it any more.

    Starlette's BaseHTTPMiddleware, which NiceGUI uses, stops the answer then, and misses it.
    """
    is_missed = isinstance(error, RuntimeError) and str(error) == "No response returned."
    return is_missed and await Request(scope, receive).is_disconnected()


def _level(status: int) -> int:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return logging.WARNING
    return logging.INFO if status >= HTTPStatus.BAD_REQUEST else logging.DEBUG
