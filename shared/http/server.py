"""The HTTP server of a role."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override


async def serve(app: ASGIApp, host: str, port: int, *, stop: asyncio.Event) -> None:
    """Answer HTTP until told to stop; requests under way are finished first.

    Cancelled, since the role failed beside it, it lets go of the port and finishes nothing.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    try:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve())
            await stop.wait()
            server.should_exit = True
            await serving
    finally:
        server.let_go()


class _Server(uvicorn.Server):
    """Leaves signals to the role: one place decides when a process ends."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.servers = []  # until it listens

    def let_go(self) -> None:
        """Listen no more; nothing if it has ended by itself."""
        for each in self.servers:
            each.close()

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
