"""A ledger under test: its consumer in this process, on a real broker and database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import pytest_asyncio

from services.ledger import wiring
from services.ledger.pipeline import StockChanges
from services.ledger.settings import LedgerSettings
from shared.clock import Clock, ManualClock, WallClock
from shared.database.engine import create_engine
from shared.events.stock_changes import TOPIC, StockChange
from shared.events.topics import TOPICS
from shared.http.auth import Scope
from shared.http.tokens import ensure_keys, mint
from shared.kafka.consumer import PartitionConsumer
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.kafka.producer import Producer
from shared.testing.stack import Database, Stack

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


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
    partition = partition_of(event.sku, TOPICS[TOPIC].partitions)
    return Message(partition, event.sku.encode(), event.encode())


@dataclass
class Ledger:
    """Handles for a test: publish changes, run consumers, look at the tables."""

    settings: LedgerSettings
    producer: Producer
    administrator_url: str
    clock: Clock = field(default_factory=WallClock)
    token: str = ""

    async def publish(self, *changes: StockChange) -> None:
        await self.producer.send(TOPIC, [message(each) for each in changes])

    @asynccontextmanager
    async def consuming(
        self, handler: Callable[[], StockChanges] | None = None, workers: int = 2
    ) -> AsyncIterator[PartitionConsumer]:
        engine = create_engine(self.settings.database_url.get_secret_value())
        stop = asyncio.Event()
        consumer = PartitionConsumer(
            settings=self.settings,
            service="ledger",
            topic=TOPIC,
            engine=engine,
            producer=self.producer,
            handler=handler or (lambda: StockChanges(self.clock, TOPICS[TOPIC].partitions)),
            workers=workers,
            clock=self.clock,
        )
        async with asyncio.TaskGroup() as group:
            running = group.create_task(consumer.run(stop))
            try:
                yield consumer
            finally:
                stop.set()
                await running
                await engine.dispose()

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.administrator_url)
        try:
            await connection.execute("SET search_path = ledger")
            found: list[asyncpg.Record] = await connection.fetch(query, *arguments)
            return found
        finally:
            await connection.close()

    async def until_recorded(self, movements: int) -> None:
        async def enough() -> bool:
            rows = await self.rows("SELECT count(*) FROM movement")
            return bool(rows[0][0] >= movements)

        await until(enough)

    async def on_hand(self, sku: str = "A", warehouse: str = "W") -> int:
        rows = await self.rows(
            "SELECT on_hand FROM level WHERE sku = $1 AND warehouse = $2", sku, warehouse
        )
        return int(rows[0][0])

    @asynccontextmanager
    async def api(self) -> AsyncIterator[httpx.AsyncClient]:
        app = wiring.application(self.settings)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://ledger",
                headers={"Authorization": f"Bearer {self.token}"},
            ) as client,
        ):
            yield client


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait for a condition; fails when it does not come true in time."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture
async def ledger(
    stack: Stack, database: Database, topics: str, tmp_path: Path
) -> AsyncIterator[Ledger]:
    key, jwks = tmp_path / "key.pem", tmp_path / "jwks.json"
    ensure_keys(key, jwks)
    settings = LedgerSettings(
        kafka=stack.bootstrap,
        topic_prefix=topics,
        database_url=database.url("ledger"),
        jwks_file=jwks,
    )
    token = mint(
        key,
        subject="test",
        scopes=[Scope.STOCK_READ],
        now=WallClock().now(),
        lifetime=__import__("datetime").timedelta(hours=1),
    )
    async with Producer(stack.bootstrap, topics, name="test") as producer:
        yield Ledger(settings, producer, database.administrator_url, token=token)


def sequence(changes: Sequence[StockChange]) -> list[StockChange]:
    """Return changes numbered so that each has an identity of its own."""
    return [each.model_copy(update={"id": str(number)}) for number, each in enumerate(changes)]


__all__ = ["START", "Ledger", "ManualClock", "change", "message", "sequence", "until"]
