"""Databases of one server are provisioned side by side: their users are the server's."""

import asyncio
import secrets
from contextlib import AsyncExitStack

import asyncpg
import pytest

from shared.database import provision
from shared.testing.stack import Stack, fresh_database

pytestmark = pytest.mark.stack


async def test_databases_that_are_provisioned_side_by_side_take_turns(
    stack: Stack, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = f"beside_{secrets.token_hex(4)}"
    monkeypatch.setattr(provision, "SERVICES", (user,))
    async with AsyncExitStack() as held:
        databases = [
            await held.enter_async_context(fresh_database(stack, template)) for _ in range(4)
        ]
        async with asyncio.TaskGroup() as group:
            for database in databases:
                group.create_task(
                    provision.provision(database.administrator_url, {user: secrets.token_hex(8)})
                )
    administrator = await asyncpg.connect(stack.administrator_url())
    try:
        await administrator.execute(f"DROP ROLE {user}")
    finally:
        await administrator.close()
