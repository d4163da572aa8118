"""What every process answers: whether it lives, whether it can work, and its metrics."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

Check = Callable[[], Awaitable[str | None]]
"""A readiness check: returns what is wrong in plain words, or None."""

PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


def routes(checks: Mapping[str, Check]) -> list[BaseRoute]:
    """Return the routes; `/readyz` asks the checks, each of which names a dependency."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        found = {name: await check() for name, check in checks.items()}
        wrong = {name: problem for name, problem in found.items() if problem is not None}
        return JSONResponse(
            {"status": "unavailable" if wrong else "ok", "problems": wrong},
            HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK,
        )

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
