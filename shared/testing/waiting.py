"""Wait for a condition instead of a time."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 60.0
"""This ends tests that would wait for ever; on a busy machine twenty seconds were too few."""


async def until(
    condition: Callable[[], Awaitable[bool]], *, seconds: float = PATIENCE_SECONDS
) -> None:
    """Return as soon as a condition holds. Raises TimeoutError when it does not in time."""
    async with asyncio.timeout(seconds):
        # What is waited for lives in other processes: nothing there could set an event of ours.
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
