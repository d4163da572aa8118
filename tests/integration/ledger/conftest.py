from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio

from services.ledger.settings import LedgerSettings
from shared.clock import WallClock
from shared.http.auth import Scope
from shared.http.tokens import mint
from shared.kafka.producer import Producer
from shared.testing.stack import Database, Stack
from tests.integration.ledger.service import Ledger


@pytest_asyncio.fixture
async def ledger(stack: Stack, database: Database, topics: str, key: Path) -> AsyncIterator[Ledger]:
    settings = LedgerSettings(
        kafka=stack.bootstrap,
        topic_prefix=topics,
        database_url=database.url("ledger"),
        jwks_file=key.parent / "jwks.json",
    )
    token = mint(
        key,
        subject="test",
        scopes=[Scope.STOCK_READ, Scope.RESERVATIONS_WRITE],
        now=WallClock().now(),
        lifetime=timedelta(hours=1),
    )
    async with Producer(stack.bootstrap, topics, name="test") as producer:
        yield Ledger(settings, producer, database, token)
