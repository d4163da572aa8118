from collections.abc import AsyncIterator

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from shared.database import migrations, provision
from shared.events.topics import TOPICS
from shared.testing.stack import Database, Stack, fresh_database, fresh_topics
from shared.testing.waiting import until

pytestmark = pytest.mark.stack


@pytest.fixture
async def administrator(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.administrator_url)
    yield connection
    await connection.close()


async def test_each_service_sees_its_own_schema_and_no_other(database: Database) -> None:
    for service in provision.SERVICES:
        connection = await asyncpg.connect(database.url(service))
        try:
            assert await connection.fetchval("SELECT current_schema()") == service
            for other in set(provision.SERVICES) - {service}:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(f"CREATE TABLE {other}.intruder ()")
        finally:
            await connection.close()


async def test_a_wrong_password_opens_nothing(database: Database) -> None:
    url = database.url("ledger").replace(database.stack.service_passwords["ledger"], "guess")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url)


async def test_the_database_is_migrated(administrator: asyncpg.Connection) -> None:
    for service in provision.SERVICES:
        if migrations.has_migrations(service):
            table = f"{service}.schema_version"
            assert await administrator.fetchval("SELECT to_regclass($1)", table) is not None


async def test_a_commit_is_kept_as_in_production(administrator: asyncpg.Connection) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await administrator.fetchval(f"SHOW {setting}") == "on"


async def test_what_one_test_writes_no_other_finds(stack: Stack, template: str) -> None:
    async with fresh_database(stack, template) as first:
        connection = await asyncpg.connect(first.administrator_url)
        await connection.execute("CREATE TABLE left_behind ()")
        async with fresh_database(stack, template) as second:
            other = await asyncpg.connect(second.administrator_url)
            assert await other.fetchval("SELECT to_regclass('left_behind')") is None
            await other.close()
        await connection.close()


async def test_all_declared_topics_exist_under_the_prefix_and_none_remain(stack: Stack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()

    async def topics_of(prefix: str) -> set[str]:
        return {name for name in await admin.list_topics() if name.startswith(prefix)}

    async def none_remain() -> bool:
        return not await topics_of(prefix)

    try:
        async with fresh_topics(stack) as prefix:
            assert await topics_of(prefix) == {prefix + name for name in TOPICS}
        await until(none_remain)  # the broker deletes after it has answered
    finally:
        await admin.close()
