"""Answers that are written while they are made."""

import asyncio
from collections.abc import AsyncIterable, Mapping

from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override


class TimedStream(StreamingResponse):
    """A response that gives up a client that has taken nothing for `send_seconds`.

    OpenAPI documents are made from its signature, so the status has to be in it.
    """

    def __init__(
        self,
        content: AsyncIterable[bytes],
        status_code: int = 200,
        *,
        send_seconds: float,
        media_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(content, status_code, media_type=media_type, headers=headers)
        self._send_seconds = send_seconds

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._send_seconds):
                    await send(message)
            except TimeoutError:
                raise ClientDisconnect from None

        await super().__call__(scope, receive, sent_in_time)
