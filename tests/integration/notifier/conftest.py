from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from pydantic import SecretStr

from services.notifier.settings import SecretSettings
from shared.testing.stack import Database, Stack
from tests.integration.notifier.service import Notifier, running


@pytest.fixture
def settings(stack: Stack, database: Database, key: Path) -> SecretSettings:
    return SecretSettings(
        kafka=stack.bootstrap,
        database_url=SecretStr(database.url("notifier")),
        jwks_file=key.parent / "jwks.json",
        secret_key=SecretStr(Fernet.generate_key().decode()),
        console_url="http://console.example",
    )


@pytest_asyncio.fixture
async def notifier(
    settings: SecretSettings, database: Database, key: Path
) -> AsyncIterator[Notifier]:
    async with running(settings, database, key) as service:
        yield service
