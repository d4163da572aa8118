"""How tests look into a database."""

import asyncio
from contextlib import aclosing

import asyncpg
import pytest

from shared.testing.onlooker import Onlooker
from shared.testing.stack import Database

pytestmark = pytest.mark.stack

WHO = "SELECT pg_backend_pid() AS who"


async def test_looks_share_a_connection_unless_one_of_them_waits(database: Database) -> None:
    async with (
        aclosing(Onlooker(database.url("ledger"), application_name="looking")) as onlooker,
        asyncio.TaskGroup() as group,
    ):
        first = (await onlooker.rows(WHO))[0]["who"]
        assert (await onlooker.rows(WHO))[0]["who"] == first
        waiting = group.create_task(onlooker.rows("SELECT pg_sleep(60)"))
        await asyncio.sleep(0)
        assert (await onlooker.rows(WHO))[0]["who"] != first
        waiting.cancel()
        (row,) = await onlooker.rows("SHOW application_name")
        assert row["application_name"] == "looking"


async def test_a_look_that_fails_says_so_and_the_next_one_does_not(database: Database) -> None:
    async with aclosing(Onlooker(database.url("ledger"))) as onlooker:
        with pytest.raises(asyncpg.UndefinedTableError):
            await onlooker.rows("SELECT * FROM nothing")
        assert await onlooker.rows(WHO)


async def test_a_connection_that_was_ended_meanwhile_is_replaced(database: Database) -> None:
    async with (
        aclosing(Onlooker(database.administrator_url)) as administrator,
        aclosing(Onlooker(database.url("ledger"))) as onlooker,
    ):
        first = (await onlooker.rows(WHO))[0]["who"]
        await administrator.rows("SELECT pg_terminate_backend($1, 5000)", first)
        assert (await onlooker.rows(WHO))[0]["who"] != first
