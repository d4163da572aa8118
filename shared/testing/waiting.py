"""Wait for a condition instead of a time."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 60.0
"""This ends tests that would wait for ever; on a busy machine twenty seconds were too few."""

_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.01, 0.05
"""Each look takes time from what is waited for."""


async def until(
    condition: Callable[[], Awaitable[bool]], *, seconds: float = PATIENCE_SECONDS
) -> None:
    """Return soon after a condition holds. Raises TimeoutError when it does not in time."""
    pause = _SHORTEST_PAUSE_SECONDS
    async with asyncio.timeout(seconds):
        # What is waited for lives in other processes: nothing there could set an event of ours.
        while not await condition():
            await asyncio.sleep(pause)
            pause = min(1.3 * pause, _LONGEST_PAUSE_SECONDS)
