"""What a process keeps in memory of tables that people edit."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database.engine import create_engine
from shared.database.kept import Kept, renewed_by
from shared.testing.stack import Database

pytestmark = pytest.mark.stack


@pytest_asyncio.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    """Yield an engine of a schema with two tables that are edited."""
    engine = create_engine(database.url("ledger"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE fruit (name text)"))
        await connection.execute(text("CREATE TABLE nut (name text)"))
        for statement in renewed_by("food", "fruit", "nut"):
            await connection.exec_driver_sql(statement)
    yield engine
    await engine.dispose()


class Reading:
    """Reads all food, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self, connection: AsyncConnection) -> set[str]:
        self.times += 1
        query = text("SELECT name FROM fruit UNION SELECT name FROM nut")
        return set((await connection.execute(query)).scalars())


async def execute(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement))


async def test_it_is_read_again_after_every_kind_of_edit_and_only_then(engine: AsyncEngine) -> None:
    reading = Reading()
    kept = Kept("food", reading)
    edits: list[tuple[str, set[str]]] = [
        ("SELECT", set()),
        ("INSERT INTO fruit VALUES ('fig')", {"fig"}),
        ("INSERT INTO nut VALUES ('pecan')", {"fig", "pecan"}),
        ("UPDATE fruit SET name = 'plum'", {"plum", "pecan"}),
        ("DELETE FROM nut", {"plum"}),
        ("TRUNCATE fruit", set()),
    ]
    for times, (edit, found) in enumerate(edits, 1):
        await execute(engine, edit)
        for _ in range(2):
            async with engine.begin() as connection:
                assert await kept.now(connection) == found
        assert reading.times == times


async def test_an_edit_holds_once_it_is_committed_and_for_whoever_makes_it_at_once(
    engine: AsyncEngine,
) -> None:
    kept, editors = Kept("food", Reading()), Kept("food", Reading())
    async with engine.begin() as editor, engine.begin() as connection:
        assert await kept.now(connection) == set()
        await editor.execute(text("INSERT INTO nut VALUES ('pecan')"))
        assert await editors.now(editor) == {"pecan"}
        assert await kept.now(connection) == set()
        await editor.commit()
        assert await kept.now(connection) == {"pecan"}


async def test_an_edit_that_is_taken_back_is_not_remembered(engine: AsyncEngine) -> None:
    kept = Kept("food", Reading())
    async with engine.connect() as connection:
        await connection.execute(text("INSERT INTO nut VALUES ('pecan')"))
        assert await kept.now(connection) == {"pecan"}
        await connection.rollback()
        await connection.execute(text("INSERT INTO nut VALUES ('almond')"))
        assert await kept.now(connection) == {"almond"}
