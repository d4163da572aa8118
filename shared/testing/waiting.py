"""Wait for a condition instead of a time."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 60) -> None:
    """Return as soon as a condition holds. Raises TimeoutError when it does not in time.

    The limit ends tests that would wait for ever; on a busy machine twenty seconds were too few.
    """
    async with asyncio.timeout(seconds):
        # What is waited for lives in other processes: nothing there could set an event of ours.
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
