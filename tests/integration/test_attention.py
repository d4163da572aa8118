"""From the ledger's levels to the group: a first import is one summary, the next crossing a card.

Alerting and the notifier run in this process on the real broker and database.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from pydantic import SecretStr

from services.alerting.settings import AlertingSettings
from services.notifier.settings import SecretSettings
from services.notifier.wiring import consume as notifier_consume
from shared.clock import ManualClock, WallClock
from shared.testing.stack import Database
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting, alerting_on, running
from tests.integration.notifier.service import KEY, Notifier
from tests.integration.notifier.service import running as notifying

pytestmark = pytest.mark.stack

SKUS, LOW = 5_000, 300


@dataclass
class Shop:
    """Alerting and the notifier on one broker and database; the notifier's time stands still."""

    alerting: Alerting
    notifier: Notifier
    clock: ManualClock


@pytest_asyncio.fixture
async def shop(surroundings: dict[str, Any], database: Database, key: Path) -> AsyncIterator[Shop]:
    alerting = AlertingSettings(**surroundings, database_url=database.url("alerting"))
    notifier = SecretSettings(
        **surroundings,
        database_url=SecretStr(database.url("notifier")),
        secret_key=SecretStr(Fernet.generate_key().decode()),
        console_url="http://console.example",
    )
    clock = ManualClock(WallClock().now())
    async with (
        alerting_on(alerting, database, key) as one,
        notifying(notifier, database, key) as other,
    ):
        other.clock = clock
        yield Shop(one, other, clock)


async def test_a_first_import_is_one_summary_and_the_next_crossing_one_card(shop: Shop) -> None:
    alerting, notifier = shop.alerting, shop.notifier
    await alerting.put_rule("out", kind="stock_out", levels=[{"level": "out", "enter": 0}])
    await notifier.bot()
    async with (
        alerting.consuming(),
        alerting.relaying(),
        running(lambda stop: notifier_consume.run(notifier.settings, stop, shop.clock)),
        notifier.sending(),
    ):
        levels = [
            alerting.level(0 if number < LOW else 50, sku=f"S{number}") for number in range(SKUS)
        ]
        await alerting.tell(*levels)
        await until(lambda: _waiting(notifier, LOW))
        await alerting.tell(alerting.level(0, sku=f"S{LOW}"))
        await until(lambda: _arrived(notifier, 1))
        shop.clock.advance(timedelta(minutes=6))
        await notifier.rows("SELECT pg_notify('notifier_waiting', '*')")
        await until(lambda: _arrived(notifier, 2))
        await notifier.until_settled()
    card, summary = [message.content for message in notifier.wecom.of(KEY)]
    assert f"S{LOW}" in card
    assert "已知 300 项，首次导入" in summary
    assert await notifier.states(kind="first") == ["merged"] * LOW + ["sent"]


async def _waiting(notifier: Notifier, count: int) -> bool:
    return (await notifier.states(held_for="first_import")).count("waiting") == count


async def _arrived(notifier: Notifier, count: int) -> bool:
    return len(notifier.wecom.of(KEY)) >= count
