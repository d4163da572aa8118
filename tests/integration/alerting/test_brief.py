"""How things stand, of a shop small enough to be counted by hand."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from services.alerting.store import brief
from shared.database.engine import create_engine
from shared.events.stock_alerts import AlertLevel
from shared.testing.waiting import until
from tests.integration.alerting.service import NOON, Alerting
from tests.integration.alerting.test_review import Step, past, ran_out

pytestmark = pytest.mark.stack

HOUR = timedelta(hours=1)
MINUTES = {AlertLevel.WATCH: 1_440, AlertLevel.URGENT: 240, AlertLevel.OUT: 60}


@pytest.mark.parametrize("by_catalogue", [False, True])
async def test_a_brief_counts_what_is_out_at_risk_overdue_too_much_and_in_doubt(
    alerting: Alerting, by_catalogue: bool
) -> None:
    levels = {"LOW": 10, "LOW2": 100, "MUCH": 500, "ODD": -3, "OUT": 0}
    for sku, available in levels.items():
        await alerting.tell(alerting.level(available, sku=sku))
    if by_catalogue:
        await alerting.name("MUCH", cost="1.20")
    else:
        await alerting.ask("PUT", "/v1/parameters?sku=MUCH", {"unit_cost": "1.20"})
    async with alerting.consuming():
        await alerting.caught_up()
        await until(lambda: alerting.has_parameters("MUCH"))
    # Seen by two rules, seen to by nobody; the second knows better.
    opened: Step = ("opened", timedelta(), {})
    await past(alerting, 1, "LOW", opened, owner=None, at_risk=(30.0, "75.00"))
    again: Step = ("opened", 2 * HOUR, {})
    await past(alerting, 2, "LOW", again, rule="lower", at_risk=(18.0, "45.00"))
    # Enough until the next order is there, but its playbook is behind.
    low2 = await past(alerting, 3, "LOW2", opened, ("acknowledged", HOUR, {}), at_risk=(0, "0"))
    await alerting.rows(
        "INSERT INTO timer (alert_id, generation, number, taken, since, by, escalated, told) "
        "VALUES ($1, 1, 2, 0, $2, $3, false, '{}')",
        low2,
        NOON,
        NOON + 3 * HOUR,
    )
    # 30 days of 4 are allowed: 380 too many, at 1.20 each.
    much = {"facts": {"threshold": 30}, "level": "watch"}
    await past(alerting, 4, "MUCH", ("opened", timedelta(), much), kind="overstock", rule="much")
    doubt = ("opened", timedelta(), {"level": "watch"})
    await past(alerting, 5, "ODD", doubt, kind="negative", rule="odd")
    await past(alerting, 6, "OVER", ("opened", timedelta(), {}), ("resolved", HOUR, {}))
    await ran_out(alerting, "OUT", -24 * HOUR, None, daily_sales=3.0, price=10)
    await ran_out(alerting, "BACK", -24 * HOUR, -23 * HOUR)
    engine = create_engine(alerting.database.url("alerting"))
    try:
        async with engine.connect() as connection:
            found = await brief.brief(connection, MINUTES, NOON + 5 * HOUR, date(2026, 3, 1))
    finally:
        await engine.dispose()
    assert (found.stock_outs, found.data_doubts, found.unowned_alerts) == (1, 1, 1)
    assert (found.units_at_risk, found.money_at_risk) == (18.0, Decimal("45.00"))
    assert (found.units_overstocked, found.money_overstocked) == (380.0, Decimal("456.00"))
    # The first of LOW since four o'clock; the other has an hour left, and watch a day. LOW2 is
    # late with its second step.
    assert found.overdue_alerts == 2
    (out,) = found.worst
    assert (out.sku, out.lost_units, out.lost_money) == ("OUT", 3.625, Decimal("36.25"))
