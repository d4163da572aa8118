import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import httpx
import pytest

from deploy.local.child import ProcessRecord
from deploy.local.instance import TEST_PREFIX
from deploy.local.ports import is_free
from deploy.local.processes import Process
from deploy.local.stack import LocalStack
from shared.http.auth import Scope
from shared.testing.stack import Database, Stack

pytestmark = pytest.mark.stack

LIMIT_S = 60.0
TINY = Process(
    name="tiny-serve",
    module="tests.integration.deploy.tiny_role",
    arguments=("serve",),
    port=0,
    database_user="ledger",
    scopes=(Scope.STOCK_READ,),
    further_ports={"LOWTIDE_SMTP_PORT": 0},
)


@dataclass(frozen=True)
class Answer:
    environment: dict[str, str]
    pid: int


async def ask(stack: LocalStack) -> Answer:
    async with httpx.AsyncClient() as client:
        return Answer(**(await client.get(stack.url("tiny"))).json())


@pytest.fixture
async def roles(stack: Stack, database: Database, topics: str) -> AsyncIterator[LocalStack]:
    async with LocalStack(
        f"{TEST_PREFIX}{secrets.token_hex(4)}",
        processes=[TINY],
        servers=stack,
        database=database.name,
        topic_prefix=topics,
        environment={"LOWTIDE_LOG_LEVEL": "debug"},
        environments={"tiny-serve": {"LOWTIDE_SPEED": "2"}},
    ) as running:
        yield running
    running.instance.delete()


async def test_a_role_finds_everything_in_its_environment(
    roles: LocalStack, stack: Stack, database: Database, topics: str
) -> None:
    environment = (await ask(roles)).environment

    assert environment["LOWTIDE_KAFKA"] == stack.bootstrap
    assert environment["LOWTIDE_TOPIC_PREFIX"] == topics
    assert environment["LOWTIDE_DATABASE_URL"] == database.url("ledger")
    assert environment["LOWTIDE_TINY_URL"] == roles.url("tiny")
    assert environment["LOWTIDE_LOG_LEVEL"] == "debug"
    assert environment["LOWTIDE_SPEED"] == "2"
    assert is_free(int(environment["LOWTIDE_SMTP_PORT"]))
    assert environment["LOWTIDE_JWKS_FILE"] == str(roles.surroundings.keyring.jwks_file)


async def test_a_role_gets_nothing_of_the_environment_it_was_started_from(
    monkeypatch: pytest.MonkeyPatch, stack: Stack, database: Database, topics: str
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the person at the terminal")
    name = f"{TEST_PREFIX}{secrets.token_hex(4)}"
    async with LocalStack(
        name, processes=[TINY], servers=stack, database=database.name, topic_prefix=topics
    ) as running:
        assert "AWS_SECRET_ACCESS_KEY" not in (await ask(running)).environment
    running.instance.delete()


async def test_a_killed_role_comes_back_on_its_port(roles: LocalStack) -> None:
    before = await ask(roles)

    await roles.supervisor.kill("tiny-serve")
    await roles.supervisor.recovered("tiny-serve", restarts=1, limit_s=LIMIT_S)

    assert (await ask(roles)).pid != before.pid


async def test_broker_and_database_survive_a_kill_with_their_data() -> None:
    async with LocalStack(f"{TEST_PREFIX}{secrets.token_hex(4)}", processes=[]) as running:
        connection = await asyncpg.connect(running.administrator_url)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await connection.close()

        for name in ("postgres", "kafka"):
            await running.supervisor.kill(name)
            await running.supervisor.recovered(name, restarts=1, limit_s=LIMIT_S)

        connection = await asyncpg.connect(running.administrator_url)
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()

    assert ProcessRecord.read_all(running.instance.processes_folder) == []
    running.instance.delete()
