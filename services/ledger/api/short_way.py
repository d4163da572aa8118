"""Routes that answer what is asked all the time by themselves (ADR 63).

FastAPI's way, with dependencies and models, takes several times as long to the same answer. It
remains for everything else, errors included, and makes the document.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from typing_extensions import override

Answer = Callable[[Request], Awaitable[Response | None]]
"""Answers a request as the documented route would, or leaves it to that one (None)."""


def short_way(answer: Answer) -> type[APIRoute]:
    """Return a class for routes that ask `answer` first."""

    class ShortWay(APIRoute):
        @override
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            documented = super().get_route_handler()

            async def handler(request: Request) -> Response:
                answered = await answer(request)
                return await documented(request) if answered is None else answered

            return handler

    return ShortWay
