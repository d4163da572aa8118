from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.ingest.settings import IngestSettings
from shared.testing.stack import Database, Stack
from tests.integration.ingest.service import Ingest, running


@pytest.fixture
def settings(stack: Stack, database: Database, topics: str, key: Path) -> IngestSettings:
    return IngestSettings(
        kafka=stack.bootstrap,
        topic_prefix=topics,
        database_url=database.url("ingest"),
        jwks_file=key.parent / "jwks.json",
    )


@pytest_asyncio.fixture
async def ingest(settings: IngestSettings, database: Database, key: Path) -> AsyncIterator[Ingest]:
    async with running(settings, database, key) as service:
        yield service
