from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio

from services.ledger.settings import LedgerSettings
from shared.clock import WallClock
from shared.http.auth import Scope
from shared.http.tokens import mint
from shared.testing.stack import Database
from tests.integration.ledger.service import Ledger, ledger_on


@pytest_asyncio.fixture
async def ledger(
    surroundings: dict[str, Any], database: Database, key: Path
) -> AsyncIterator[Ledger]:
    settings = LedgerSettings(**surroundings, database_url=database.url("ledger"))
    token = mint(
        key,
        subject="test",
        scopes=[Scope.STOCK_READ, Scope.RESERVATIONS_WRITE],
        now=WallClock().now(),
        lifetime=timedelta(hours=1),
    )
    async with ledger_on(settings, database, token) as service:
        yield service


@pytest_asyncio.fixture
async def api(ledger: Ledger, key: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client for somebody who reads stock and configures; some tests have another one."""
    token = mint(
        key,
        subject="zhang",
        scopes=[Scope.STOCK_READ, Scope.CONFIG_WRITE],
        now=WallClock().now(),
        lifetime=timedelta(hours=1),
    )
    async with ledger.api(token) as client:
        yield client
