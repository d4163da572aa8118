"""Routes that answer what is asked all the time by themselves (ADR 63, 117).

FastAPI's way, with its search for the route, dependencies and models, takes several times as long
to the same answer. It remains for everything else, errors of the request included, and makes the
document.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from fastapi import FastAPI, Request, Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.segments import unescaped

Answer = Callable[[Request], Awaitable[Response | None]]
"""Answers a request as the documented route would, or leaves it to that one (None)."""


class ShortWay(NamedTuple):
    """A route as its documented one is called; its path holds no converters."""

    method: str
    path: str
    answer: Answer


def add_short_ways(app: FastAPI, *ways: ShortWay) -> None:
    """Let `ways` be asked first. Errors and middleware are the application's."""
    app.router.middleware_stack = _ShortWays(app.router.middleware_stack, ways)


class _ShortWays:
    def __init__(self, documented: ASGIApp, ways: tuple[ShortWay, ...]) -> None:
        self._documented = documented
        self._ways: Mapping[str, list[tuple[re.Pattern[str], ShortWay]]] = {
            each.method: [
                (compile_path(way.path)[0], way) for way in ways if way.method == each.method
            ]
            for each in ways
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for pattern, way in self._ways.get(scope.get("method", ""), ()):
            found = pattern.match(scope["path"])
            if found is not None:
                read = receive = _Read(receive)
                scope["route"] = way  # as the application's measures name it
                scope["path_params"] = {
                    name: unescaped(value) for name, value in found.groupdict().items()
                }
                answer = await way.answer(Request(scope, receive))
                if answer is not None:
                    await answer(scope, receive, send)
                    return
                read.again()
                break
        await self._documented(scope, receive, send)


class _Read:
    """What was received, to be received again by whoever asks after the one that left it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._taken: list[Message] = []
        self._left = 0

    async def __call__(self) -> Message:
        if self._left:
            self._left -= 1
            return self._taken.pop(0)
        message = await self._receive()
        self._taken.append(message)
        return message

    def again(self) -> None:
        """Begin from the beginning."""
        self._left = len(self._taken)
