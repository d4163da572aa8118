"""Serves an application on a free port for the length of a block."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from deploy.local.ports import LOOPBACK, pick_free
from shared.http.server import serve


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Yield the base URL."""
    (port,) = pick_free(1)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(app, LOOPBACK, port, stop=stop))
        yield f"http://{LOOPBACK}:{port}"
        stop.set()
