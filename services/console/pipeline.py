"""The console on one screen: what keeps pages current while somebody looks.

    stock.levels ──▶ feed ──▶ the pages that show the level
    stock.alerts ──▶ feed ──▶ the pages that show the episode, and the board at once
    the services' summaries, every second ──▶ board ──▶ the Now page

One reader and one board per process, however many viewers; with nobody there nothing is read.
"""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field

from services.console.domain.board import Board
from services.console.domain.broadcast import Broadcast
from services.console.domain.feed import Feed
from services.console.domain.presence import Presence
from services.console.inbound import stock_alerts, stock_levels
from services.console.upstream.overview import Overview
from shared.kafka.tail import TailReader

_ASK_SECONDS = 1.0
# However fast alerts come, the board is not put together more often than this.
_ASK_AT_MOST_EVERY_SECONDS = 0.3


@dataclass(frozen=True)
class Live:
    """What pages show and wait for."""

    presence: Presence = field(default_factory=Presence)
    feed: Feed = field(default_factory=Feed)
    board: Broadcast[Board] = field(default_factory=lambda: Broadcast(Board()))


class Pipeline:
    """Runs for the life of the process."""

    def __init__(self, live: Live, overview: Overview, kafka: str, topic_prefix: str) -> None:
        self._live = live
        self._overview = overview
        self._kafka = kafka
        self._prefix = topic_prefix
        self._hurry = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep pages current until told to stop."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._follow_while_watched()),
                group.create_task(self._ask_while_watched()),
            ]
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def _follow_while_watched(self) -> None:
        while True:
            await self._live.presence.somebody()
            reader = TailReader(self._kafka, self._prefix, [stock_levels.TOPIC, stock_alerts.TOPIC])
            async with asyncio.TaskGroup() as group:
                started = group.create_task(self._refetch_when_started(reader))
                await self._follow(reader)
                started.cancel()

    async def _refetch_when_started(self, reader: TailReader) -> None:
        """Have pages ask again: what changed before the reader was there was not read."""
        await reader.caught_up.wait()
        self._live.feed.refetch()

    async def _follow(self, reader: TailReader) -> None:
        alerts_topic = self._prefix + stock_alerts.TOPIC
        async with aclosing(reader.records()) as stream:
            async for records in stream:
                alerts = [record for record in records if record.topic == alerts_topic]
                levels = [record for record in records if record.topic != alerts_topic]
                stock_levels.take(levels, self._live.feed)
                stock_alerts.take(alerts, self._live.feed)
                if alerts:
                    self._hurry.set()
                if not self._live.presence.pages:
                    return

    async def _ask_while_watched(self) -> None:
        while True:
            await self._live.presence.somebody()
            self._live.board.publish(await self._overview.board(self._live.board.value))
            await asyncio.sleep(_ASK_AT_MOST_EVERY_SECONDS)
            try:
                async with asyncio.timeout(_ASK_SECONDS - _ASK_AT_MOST_EVERY_SECONDS):
                    await self._hurry.wait()
            except TimeoutError:
                continue
            self._hurry.clear()
