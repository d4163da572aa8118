"""Routes that answer what is asked all the time by themselves (ADR 63, 117).

FastAPI's way, with its search for the route, dependencies and models, takes several times as long
to the same answer. It remains for everything else, errors of the request included, and makes the
document.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

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


class ShortWays:
    """Asks `ways` first, and has the application, `documented`, answer what they leave.

    Their errors are answered by its handlers; it has one for every exception (`problems.install`).
    """

    def __init__(self, app: FastAPI, documented: ASGIApp, ways: Sequence[ShortWay]) -> None:
        self._app = app
        self._documented = documented
        self._refusals: Mapping[Any, Any] = app.exception_handlers
        self._ways: Mapping[str, list[tuple[re.Pattern[str], ShortWay]]] = {
            each.method: [
                (compile_path(way.path)[0], way) for way in ways if way.method == each.method
            ]
            for each in ways
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        for pattern, way in self._ways.get(scope.get("method", ""), ()):
            found = pattern.match(scope["path"])
            if found is not None:
                read = receive = _Read(receive)
                scope["app"] = self._app
                scope["route"] = way  # as the application's measures name it
                scope["path_params"] = {
                    name: unescaped(value) for name, value in found.groupdict().items()
                }
                request = Request(scope, receive)
                try:
                    answer = await way.answer(request)
                except Exception as error:
                    kind = next(each for each in type(error).__mro__ if each in self._refusals)
                    refusal = await self._refusals[kind](request, error)
                    await refusal(scope, receive, send)
                    if kind is Exception:
                        raise  # whoever logs requests tells of it
                    return
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
