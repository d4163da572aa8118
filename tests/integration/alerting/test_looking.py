"""What is looked for again and again, while the database is slow."""

import asyncio

import pytest
from sqlalchemy import text
from typing_extensions import override

from services.alerting.looking import Looking
from shared.clock import WallClock
from shared.database.engine import Engine, create_engine
from shared.testing.stack import Database
from shared.testing.waiting import until

pytestmark = pytest.mark.stack


class Slow(Looking):
    """Asks what takes longer than the server allows, as long as it is told to."""

    what = "slow things"
    at_once = 1
    look_seconds = 0.001

    def __init__(self, engine: Engine, *, is_slow: bool) -> None:
        super().__init__(engine, WallClock())
        self.is_slow = is_slow
        self.looked = 0

    @override
    async def step(self) -> int:
        async with self._engine.begin() as connection:
            await connection.execute(text("SET LOCAL statement_timeout = 50"))
            await connection.execute(text(f"SELECT pg_sleep({60 if self.is_slow else 0})"))
        self.looked += 1
        return 0


async def test_one_slow_query_ends_nothing_and_is_seen_at_the_probe(database: Database) -> None:
    engine = create_engine(database.url("alerting"))
    slow, other = Slow(engine, is_slow=True), Slow(engine, is_slow=False)
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(each.run()) for each in (slow, other)]

        async def told() -> bool:
            return await slow.check() == "the database takes too long"

        await until(told)
        before = other.looked

        async def goes_on() -> bool:
            return other.looked > before

        await until(goes_on)
        slow.is_slow = False

        async def well() -> bool:
            return slow.looked > 0 and await slow.check() is None

        await until(well)
        for task in running:
            task.cancel()
    await engine.dispose()
