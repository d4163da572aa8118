"""A browser that leaves before it is answered is nobody's failure."""

import asyncio

import pytest
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.types import Message, Receive, Scope, Send

from shared.http.app import _RequestLog

SCOPE: Scope = {"type": "http", "method": "GET", "path": "/picture.ico", "headers": []}


async def silent(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Answer nothing, as an application does that is told that nobody waits."""


async def asked(receive: Receive) -> None:
    async def send(message: Message) -> None:
        raise AssertionError(message)

    app = BaseHTTPMiddleware(silent, dispatch=lambda request, call_next: call_next(request))
    async with asyncio.timeout(10):
        await _RequestLog(app)(dict(SCOPE), receive, send)


async def gone() -> Message:
    return {"type": "http.disconnect"}


async def waiting() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_who_has_hung_up_needs_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    await asked(gone)
    assert "failed" not in caplog.text


async def test_no_answer_for_somebody_who_waits_is_a_failure() -> None:
    with pytest.raises(RuntimeError, match="No response returned"):
        await asked(waiting)
