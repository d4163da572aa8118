"""A browser that leaves before it is answered is nobody's failure."""

import asyncio

import pytest
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from shared.http.app import create_app

SCOPE: Scope = {
    "type": "http",
    "method": "GET",
    "path": "/pictures/one",
    "query_string": b"",
    "headers": [],
}


async def silent(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Answer nothing, as an application does that is told that nobody waits."""


async def ask(receive: Receive) -> None:
    async def send(_: Message) -> None:
        """Drop it, as the server does where nobody waits."""

    app = create_app("test", checks={})
    pictures = BaseHTTPMiddleware(silent, dispatch=lambda request, call_next: call_next(request))
    app.mount("/pictures", pictures)
    async with asyncio.timeout(10):
        await app(dict(SCOPE), receive, send)


async def gone() -> Message:
    return {"type": "http.disconnect"}


async def waiting() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_who_has_hung_up_is_no_failure() -> None:
    with capture_logs() as logs:
        await ask(gone)
    assert [(each["event"], each["status"]) for each in logs] == [("request", 499)]


async def test_no_answer_for_somebody_who_waits_is_a_failure() -> None:
    with (
        capture_logs() as logs,
        pytest.raises(RuntimeError, match="No response returned"),
    ):
        await ask(waiting)
    assert [each["event"] for each in logs] == ["request failed", "request"]
