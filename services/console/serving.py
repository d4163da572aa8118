"""The role `serve`: pages and what keeps them current, in one process."""

import asyncio

from services.console.settings import ConsoleSettings
from services.console.wiring import console
from shared.http.server import serve


async def serve_console(settings: ConsoleSettings, stop: asyncio.Event) -> None:
    """Answer browsers until told to stop."""
    async with console(settings) as parts, asyncio.TaskGroup() as group:
        group.create_task(parts.pipeline.run(stop))
        await serve(parts.app, settings.host, settings.port, stop=stop)
        stop.set()
