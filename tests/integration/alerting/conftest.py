from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.alerting.settings import AlertingSettings
from shared.clock import ManualClock, WallClock
from shared.testing.stack import Database
from tests.integration.alerting.service import Alerting, alerting_on
from tests.integration.alerting.shop import Shop, monday


@pytest.fixture
def settings(surroundings: dict[str, Any], database: Database) -> AlertingSettings:
    return AlertingSettings(**surroundings, database_url=database.url("alerting"))


@pytest.fixture
def clock() -> ManualClock:
    """Begins now, and goes on when a test says so; for tests whose alerting goes by it."""
    return ManualClock(WallClock().now())


@pytest_asyncio.fixture
async def alerting(
    settings: AlertingSettings, database: Database, key: Path
) -> AsyncIterator[Alerting]:
    async with alerting_on(settings, database, key) as service:
        yield service


@pytest_asyncio.fixture
async def shop(settings: AlertingSettings, database: Database, key: Path) -> AsyncIterator[Shop]:
    clock = ManualClock(monday(7))
    async with alerting_on(settings, database, key, clock) as service:
        shop = Shop(service, clock)
        await shop.restart()
        yield shop
        await shop.engine.dispose()
