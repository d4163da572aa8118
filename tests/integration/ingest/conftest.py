from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.ingest.settings import IngestSettings
from shared.testing.stack import Database
from tests.integration.ingest.service import Ingest, running


@pytest.fixture
def settings(surroundings: dict[str, Any], database: Database) -> IngestSettings:
    return IngestSettings(**surroundings, database_url=database.url("ingest"))


@pytest_asyncio.fixture
async def ingest(settings: IngestSettings, database: Database, key: Path) -> AsyncIterator[Ingest]:
    async with running(settings, database, key) as service:
        yield service
