"""A ledger under test: its consumer in this process, on a real broker and database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

import asyncpg
import httpx

from services.ledger.pipeline import StockChanges
from services.ledger.settings import LedgerSettings
from services.ledger.wiring import serve as ledger_serve
from shared.clock import Clock, WallClock
from shared.database.engine import create_engine
from shared.events.dead_letters import DeadLetter, DeadReason, dead_topic
from shared.events.stock_changes import TOPIC, StockChange
from shared.events.stock_levels import TOPIC as LEVELS
from shared.events.stock_levels import StockLevel
from shared.events.topics import TOPICS
from shared.kafka.consumer import MAX_RECORDS, PartitionConsumer
from shared.kafka.messages import Message, Record
from shared.kafka.partitions import partition_of
from shared.kafka.producer import Producer
from shared.testing.onlooker import Onlooker
from shared.testing.reading import all_records, records_until
from shared.testing.stack import Database
from shared.testing.waiting import until

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PARTITIONS = TOPICS[TOPIC].partitions


def change(**fields: object) -> StockChange:
    """Return a stock change; what is not given is a sale of one unit at noon."""
    defaults: dict[str, object] = {
        "id": "1",
        "channel": "shop",
        "type": "sale",
        "sku": "A",
        "warehouse": "W",
        "quantity": 1,
        "occurred_at": START,
        "received_at": START,
    }
    return StockChange.model_validate(defaults | fields)


def message(event: StockChange) -> Message:
    """Return the record that ingest would publish for a change."""
    return Message(partition_of(event.sku, PARTITIONS), event.sku.encode(), event.encode())


@asynccontextmanager
async def ledger_on(
    settings: LedgerSettings, database: Database, token: str = ""
) -> AsyncIterator["Ledger"]:
    """Yield a ledger of which nothing runs yet."""
    async with (
        Producer(settings.kafka, settings.topic_prefix, name="test") as producer,
        aclosing(Onlooker(database.administrator_url, search_path="ledger")) as onlooker,
    ):
        yield Ledger(settings, producer, database, onlooker, token)


def neighbours(sku: str) -> tuple[int, str]:
    """Return a SKU's partition and another of it: what one partition tells is in one order."""
    home = partition_of(sku, PARTITIONS)
    return home, next(f"B{n}" for n in count() if partition_of(f"B{n}", PARTITIONS) == home)


@dataclass
class Ledger:
    """Handles for a test: publish changes, run consumers, look at the tables and topics."""

    settings: LedgerSettings
    producer: Producer
    database: Database
    onlooker: Onlooker
    token: str
    clock: Clock = field(default_factory=WallClock)

    def handler(self) -> StockChanges:
        return StockChanges(self.clock, PARTITIONS)

    async def publish(self, *changes: StockChange) -> None:
        await self.producer.send(TOPIC, [message(each) for each in changes])

    @asynccontextmanager
    async def consumer(
        self,
        *,
        handler: Callable[[], StockChanges] | None = None,
        producer: Producer | None = None,
        workers: int = 2,
        max_records: int = MAX_RECORDS,
        database_url: str | None = None,
        group: str = "",
    ) -> AsyncIterator[PartitionConsumer]:
        """Yield a consumer that does not run yet.

        In a `group` of its own it takes all partitions without the other consumers' knowing.
        """
        engine = create_engine(database_url or self.settings.database_url.get_secret_value())
        try:
            consumer = PartitionConsumer(
                settings=self.settings,
                service="ledger",
                topic=TOPIC,
                engine=engine,
                producer=producer or self.producer,
                handler=handler or self.handler,
                workers=workers,
                max_records=max_records,
                clock=self.clock,
            )
            consumer._group_id += group
            yield consumer
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def consuming(
        self,
        *,
        handler: Callable[[], StockChanges] | None = None,
        producer: Producer | None = None,
        workers: int = 2,
        max_records: int = MAX_RECORDS,
        database_url: str | None = None,
        group: str = "",
    ) -> AsyncIterator[PartitionConsumer]:
        """Yield a running consumer."""
        stop = asyncio.Event()
        async with (
            self.consumer(
                handler=handler,
                producer=producer,
                workers=workers,
                max_records=max_records,
                database_url=database_url,
                group=group,
            ) as consumer,
            asyncio.TaskGroup() as tasks,
        ):
            running = tasks.create_task(consumer.run(stop))
            try:
                yield consumer
            finally:
                stop.set()
                await running

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask the ledger's tables."""
        return await self.onlooker.rows(query, *arguments)

    async def tallies(self) -> dict[str, int]:
        rows = await self.rows("SELECT name, sum(total)::bigint FROM tally GROUP BY name")
        return {row[0]: row[1] for row in rows}

    async def until_tallied(self, **wanted: int) -> None:
        """Wait until as much was done as is wanted, for names such as movements or repeats."""

        async def enough() -> bool:
            totals = await self.tallies()
            return all(totals.get(name, 0) >= number for name, number in wanted.items())

        await until(enough)

    async def until_claimed(self, times: int) -> None:
        """Wait until all partitions were claimed so many times."""

        async def claimed() -> bool:
            rows = await self.rows(
                "SELECT count(*) FROM consumer_position WHERE epoch >= $1", times
            )
            return bool(rows[0][0] == PARTITIONS)

        await until(claimed)

    async def until_rejected(self, reason: DeadReason, number: int) -> None:
        await self.until_tallied(**{f"rejected.{reason.value}": number})

    async def until_recorded(self, movements: int) -> None:
        await self.until_tallied(movements=movements)

    async def on_hand(self, sku: str = "A", warehouse: str = "W") -> int:
        rows = await self.rows(
            "SELECT on_hand FROM level WHERE sku = $1 AND warehouse = $2", sku, warehouse
        )
        return int(rows[0][0])

    async def read(self, topic: str) -> list[Record]:
        """Return all records that a topic has now."""
        return await all_records(self.settings, topic)

    async def published(self) -> list[StockLevel]:
        return _levels(await self.read(LEVELS))

    async def until_published(self, version: int, sku: str = "A", warehouse: str = "W") -> None:
        """Wait until a level is on its topic at the nth of its versions or later."""

        def is_told(records: Sequence[Record]) -> bool:
            return any(
                (each.sku, each.warehouse) == (sku, warehouse)
                and each.version & (2**40 - 1) >= version
                for each in _levels(records)
            )

        await records_until(self.settings, LEVELS, is_told)

    async def dead_letters(self) -> list[DeadLetter]:
        return [
            DeadLetter.model_validate_json(each.value or b"")
            for each in await self.read(dead_topic(TOPIC))
        ]

    @asynccontextmanager
    async def api(
        self, token: str | None = None, clock: Clock | None = None
    ) -> AsyncIterator[httpx.AsyncClient]:
        app = ledger_serve.application(self.settings, clock)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://ledger",
                headers={"Authorization": f"Bearer {token or self.token}"},
            ) as client,
        ):
            yield client


def _levels(records: Sequence[Record]) -> list[StockLevel]:
    return [StockLevel.model_validate_json(each.value or b"") for each in records]
