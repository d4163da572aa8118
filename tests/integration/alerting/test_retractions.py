"""Ledger and alerting together: what is recorded late takes back a warning, or does not."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.ledger.settings import LedgerSettings
from shared.events.stock_changes import StockChange
from shared.testing.stack import Database
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting
from tests.integration.alerting.test_responses import respond, response
from tests.integration.ledger.service import Ledger, ledger_on
from tests.integration.ledger.service import change as stock_change

pytestmark = pytest.mark.stack

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest_asyncio.fixture
async def ledger(surroundings: dict[str, Any], database: Database) -> AsyncIterator[Ledger]:
    settings = LedgerSettings(**surroundings, database_url=database.url("ledger"))
    async with ledger_on(settings, database) as service:
        yield service


def change(sku: str, number: int, type_: str, quantity: int, hour: float) -> StockChange:
    """Return a change of a SKU at an hour of the day."""
    at = MORNING + timedelta(hours=hour)
    return stock_change(sku=sku, id=f"{sku}{number}", type=type_, quantity=quantity, occurred_at=at)


async def test_a_receipt_recorded_late_retracts_the_warning_it_would_have_prevented(
    alerting: Alerting, ledger: Ledger
) -> None:
    """Goods came at 9, were sold at 10, and recorded at last: of LATE there was always enough.

    Those of TRUE came at 11. The warning outlives a restart in between.
    """
    await alerting.put_rule("low")

    async def are(**states: str) -> bool:
        return {each["sku"]: each["state"] for each in await alerting.alerts()} == states

    async with ledger.consuming(), alerting.consuming():
        for sku in ("LATE", "TRUE"):
            await ledger.publish(change(sku, 1, "count", 30, 0), change(sku, 2, "sale", 25, 2))
        await until(lambda: are(LATE="open", TRUE="open"))
    async with ledger.consuming(), alerting.consuming(), alerting.relaying():
        await ledger.publish(
            change("LATE", 3, "receipt", 40, 1), change("TRUE", 3, "receipt", 40, 3)
        )
        await until(lambda: are(LATE="retracted", TRUE="resolved"))

        async def told() -> bool:
            return len(await alerting.notices()) == 4

        await until(told)
        # What never was is over like what has recovered: whoever answers still changes nothing.
        (late,) = [each for each in await alerting.alerts() if each["sku"] == "LATE"]
        await respond(
            alerting, response(late["id"], "acknowledge"), response(late["id"], "snooze", "anna")
        )
        outcomes = await alerting.rows("SELECT outcome FROM response")
        assert [row["outcome"] for row in outcomes] == ["resolved", "resolved"]
        assert await told()
    ends = {each.sku: each for each in await alerting.notices() if each.revision == 2}
    assert {sku: end.event for sku, end in ends.items()} == {
        "LATE": "retracted",
        "TRUE": "resolved",
    }
    assert (ends["LATE"].facts.available, ends["LATE"].hush) == (45, None)
    late = next(each for each in await alerting.alerts() if each["sku"] == "LATE")
    history = (await alerting.ask("GET", f"/v1/alerts/{late['id']}"))["history"]
    assert [each["reason"] for each in history] == ["fired", "never_was"]
    assert await alerting.alerts(state="open") == []
