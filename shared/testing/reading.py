"""Read a topic for a test."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing

from shared.kafka.messages import Record
from shared.kafka.tail import TailReader
from shared.settings import Settings
from shared.testing.waiting import PATIENCE_SECONDS


async def all_records(settings: Settings, topic: str) -> list[Record]:
    """Return what a topic has now, by partition and offset."""
    reader = TailReader(settings.kafka, settings.topic_prefix, [topic], start="beginning")
    found: list[Record] = []

    async def collect() -> None:
        async with aclosing(reader.records()) as batches:
            async for records in batches:
                found.extend(records)

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        collecting = group.create_task(collect())
        await reader.caught_up.wait()
        collecting.cancel()
    return sorted(found, key=lambda each: (each.partition, each.offset))


async def records_until(
    settings: Settings, topic: str, is_there: Callable[[Sequence[Record]], bool]
) -> list[Record]:
    """Return what a topic has as soon as that is so, in the order in which it was read.

    Raises TimeoutError when it does not come about in time.
    """
    reader = TailReader(settings.kafka, settings.topic_prefix, [topic], start="beginning")
    found: list[Record] = []
    async with asyncio.timeout(PATIENCE_SECONDS), aclosing(reader.records()) as batches:
        async for records in batches:
            found.extend(records)
            if is_there(found):
                break
    return found
