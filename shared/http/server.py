"""The HTTP server of a role."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

KEEP_ALIVE_SECONDS = 75
"""What an idle connection stays open: well beyond any Retry-After. Who comes again on it after
just so long would send into its end, not knowing whether the request was taken."""


async def serve(app: ASGIApp, host: str, port: int, *, stop: asyncio.Event) -> None:
    """Answer HTTP until told to stop; requests under way are finished first.

    Cancelled, since the role failed beside it, it lets go of the port and finishes nothing. Raises
    what ends the application's lifespan before: whoever asks would wait for tasks that are gone.
    """
    watched = _Watched(app, stop)
    config = uvicorn.Config(
        watched,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    try:
        async with asyncio.TaskGroup() as group:
            living = group.create_task(watched.live())
            serving = group.create_task(server.serve())
            await stop.wait()
            server.should_exit = True
            await serving
            living.cancel()
    finally:
        server.let_go()


class _Watched:
    """An application whose lifespan ends the role when it fails; the server would go on."""

    def __init__(self, app: ASGIApp, stop: asyncio.Event) -> None:
        self._app = app
        self._stop = stop
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if scope["type"] == "lifespan" and not self._stop.is_set():
                self._failure.set_exception(error)
            raise

    async def live(self) -> None:
        """Return never; raises what has ended the lifespan."""
        await self._failure


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
