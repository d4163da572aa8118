"""What goes to the driver itself, beneath SQLAlchemy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.direct import Direct
from shared.database.engine import DATABASE_ERRORS, create_engine, driver, is_away
from shared.testing.stack import Database

pytestmark = pytest.mark.stack

ADD = Direct("INSERT INTO fruit VALUES (:name)")
FRUIT = Direct("SELECT name FROM fruit ORDER BY name")


@pytest_asyncio.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    """Yield an engine of a schema with a table."""
    engine = create_engine(database.url("ledger"), pool=1)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE fruit (name text)"))
    yield engine
    await engine.dispose()


async def names(engine: AsyncEngine) -> list[str]:
    async with engine.begin() as connection:
        return [name for [name] in await FRUIT.rows(connection)]


async def test_parameters_are_named_and_may_come_twice(engine: AsyncEngine) -> None:
    asking = Direct("SELECT CAST(:b AS int) - CAST(:a_1 AS int) AS less, :b::int AS b")
    async with engine.begin() as connection:
        [row] = await asking.rows(connection, a_1=2, b=5)
        assert (row["less"], row["b"]) == (3, 5)
        with pytest.raises(KeyError, match="a_1"):
            await asking.rows(connection, b=5)


async def test_it_is_part_of_the_transaction_that_has_been_begun(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        async with connection.begin() as transaction:
            await ADD.rows(connection, name="fig")
            await connection.execute(text("INSERT INTO fruit VALUES ('plum')"))
            await transaction.rollback()
        async with connection.begin():
            await ADD.rows(connection, name="pear")
    assert await names(engine) == ["pear"]


async def test_without_a_transaction_each_is_one(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await ADD.rows(connection, name="fig")
    assert await names(engine) == ["fig"]


async def break_off(engine: AsyncEngine, *, begun: bool) -> None:
    """Use a connection that ends, before the first statement of a transaction or after it."""
    async with engine.connect() as connection:
        database = await driver(connection)
        async with connection.begin():
            if begun:
                await FRUIT.rows(connection)
            database.terminate()
            await FRUIT.rows(connection)


@pytest.mark.parametrize("begun", [True, False])
async def test_a_connection_that_has_ended_is_not_used_again(
    engine: AsyncEngine, *, begun: bool
) -> None:
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as raised:
        await break_off(engine, begun=begun)
    assert is_away(raised.value)
    assert await names(engine) == []


async def test_when_the_server_has_ended_all_connections_one_statement_fails(
    database: Database,
) -> None:
    engine = create_engine(database.url("ledger"), pool=3)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            connection = await stack.enter_async_context(engine.connect())
            server = await driver(connection)
            stack.callback(server.terminate)
    failed = 0
    for _ in range(4):
        try:
            async with engine.begin() as connection:
                await Direct("SELECT 1").rows(connection)
        except DATABASE_ERRORS:
            failed += 1
    await engine.dispose()
    assert failed == 1


@pytest.mark.parametrize("begun", [True, False])
async def test_a_connection_that_somebody_was_cancelled_on_is_not_used_again(
    engine: AsyncEngine, *, begun: bool
) -> None:
    async with engine.connect() as connection:
        transaction = await connection.begin()
        if begun:
            await FRUIT.rows(connection)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(Direct("SELECT pg_sleep(60)").rows(connection))
            await asyncio.sleep(0)  # it waits for an answer now: to BEGIN, unless it has begun
            waiting.cancel()
        assert connection.invalidated
        await transaction.rollback()
    assert await names(engine) == []


async def test_lists_and_tuples_are_arrays_and_nothing_else(engine: AsyncEngine) -> None:
    """It is by these two that the driver knows an array: it would ask costly questions else."""
    asking = Direct("SELECT CAST(:some AS bigint[]) AS some")
    async with engine.begin() as connection:
        for some in ([1, 2], (1, 2), [[1], [2]], [None, 3], []):
            [row] = await asking.rows(connection, some=some)
            assert row["some"] == list(some)
        with pytest.raises(asyncpg.DataError, match="container expected"):
            await asking.rows(connection, some={1, 2})
