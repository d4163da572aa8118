"""A rule that opens episodes in its hours only, by a clock that a test holds."""

from collections.abc import AsyncIterator
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from services.alerting.domain.channels import NOBODY
from services.alerting.domain.parameters import ParameterBook
from services.alerting.domain.timebase import WallTime
from services.alerting.inbound.catalog_items import Catalogue
from services.alerting.pipeline import StockLevels
from services.alerting.settings import AlertingSettings
from services.alerting.store.rule_watch import RuleWatch
from shared.clock import ManualClock
from shared.database.engine import create_engine
from shared.kafka.handler import Batch, Claim
from shared.observability.metrics import EVALUATIONS_TOTAL
from shared.testing.stack import Database
from tests.factories.records import FakeRecord
from tests.integration.alerting.service import Alerting, alerting_on

pytestmark = pytest.mark.stack

SHANGHAI = ZoneInfo("Asia/Shanghai")
WORKDAYS = ["mon", "tue", "wed", "thu", "fri"]
OFFICE = {
    "zone": "Asia/Shanghai",
    "windows": [{"days": WORKDAYS, "from": "09:00", "until": "18:00"}],
}


def monday(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 2, hour, minute, tzinfo=SHANGHAI)


class Shop:
    """One worker of one partition; without a broker, so that its time can stand still."""

    def __init__(self, alerting: Alerting, clock: ManualClock) -> None:
        self.alerting = alerting
        self.clock = clock
        self.engine = create_engine(
            alerting.settings.database_url.get_secret_value(), pool=2, application="hours"
        )
        self.rules = RuleWatch(self.engine)
        self.worker = self._begun()
        self.batches = 0

    async def restart(self) -> None:
        """Let another worker claim the partition: it knows what is stored."""
        self.worker = self._begun()
        async with self.engine.begin() as connection:
            await self.worker.claim(connection, [Claim(0, 0, 0)])

    async def hear(self, *available: int, **fields: object) -> None:
        """Hear of a level, now."""
        stamp = int(self.clock.now().timestamp() * 1_000)
        now = {"last_change_at": self.clock.now()}
        told = [self.alerting.level(units, **now | fields) for units in available]
        records = [
            FakeRecord(each.encode(), topic="stock.levels", timestamp=stamp) for each in told
        ]
        batch = self._batch(*records)
        async with self.engine.begin() as connection:
            await self.worker.handle(connection, batch)
        self.worker.committed(batch)
        await self.turn()

    async def turn(self) -> None:
        """Do what time, or an edit, asks for."""
        await self.rules.look()
        drained = {0: self.clock.now()}
        async with self.engine.begin() as connection:
            while await self.worker.due(connection, [0], drained):
                await self.worker.turn(connection, self._batch(), drained)
                self.worker.turned()

    async def evaluations(self) -> int:
        """Do what an edit asks for; returns how often a rule was evaluated for it."""
        before = _evaluated()
        await self.turn()
        return _evaluated() - before

    async def explained(self) -> dict[str, Any]:
        """Return what is made of the level."""
        said = await self.alerting.ask("GET", "/v1/explain?sku=A&warehouse=W&rule=low")
        (rule,) = said["rules"]
        found: dict[str, Any] = rule
        return found

    async def times(self) -> list[tuple[datetime | None, ...]]:
        """Return when each alert has opened and ended."""
        return [
            tuple(each[name] and datetime.fromisoformat(each[name]) for name in TIMES)
            for each in await self.alerting.alerts()
        ]

    def _begun(self) -> StockLevels:
        return StockLevels(
            rules=lambda: self.rules.book,
            parameters=ParameterBook,
            catalogue=Catalogue(),
            channels=lambda: NOBODY,
            timebase=WallTime(),
            clock=self.clock,
        )

    def _batch(self, *records: FakeRecord) -> Batch:
        self.batches += 1
        return Batch([*records], {0: self.batches})


TIMES = ("opened_at", "resolved_at")


def _evaluated() -> int:
    (counted,) = EVALUATIONS_TOTAL.collect()
    return sum(int(each.value) for each in counted.samples if each.name.endswith("_total"))


@pytest_asyncio.fixture
async def shop(settings: AlertingSettings, database: Database, key: Path) -> AsyncIterator[Shop]:
    clock = ManualClock(monday(7))
    async with alerting_on(settings, database, key, clock) as alerting:
        shop = Shop(alerting, clock)
        await shop.restart()
        yield shop
        await shop.engine.dispose()


async def test_what_crosses_in_the_night_opens_in_the_morning_and_may_end_at_any_time(
    shop: Shop,
) -> None:
    await shop.alerting.put_rule("low", active=OFFICE)
    await shop.turn()
    await shop.hear(50, 12)
    assert await shop.times() == []
    said = await shop.explained()
    assert (said["reason"], said["condition"]["state"]) == ("outside_hours", "pending")
    assert datetime.fromisoformat(said["condition"]["due_at"]) == monday(9)
    assert "不在规则的生效时段内" in said["words"]["zh-CN"]
    assert "outside its hours" in said["words"]["en"]
    await shop.restart()
    shop.clock.set(monday(9, 1))
    await shop.turn()
    assert await shop.times() == [(monday(9), None)]
    shop.clock.set(monday(20))
    await shop.hear(50, 12)
    assert await shop.times() == [(monday(9), monday(20))]


async def test_the_hours_of_a_working_calendar_are_followed_as_they_change(shop: Shop) -> None:
    alerting = shop.alerting
    rule = {"name": {"en": "Low"}, "kind": "below", "levels": [{"level": "watch", "enter": 20}]}
    named = rule | {"active": {"calendar": "shop"}}
    for method, path, field in (
        ("PUT", "/v1/rules/low", "active.calendar"),
        ("POST", "/v1/rules/import", "rules.0.active.calendar"),
    ):
        body = named if method == "PUT" else {"rules": [named | {"id": "low"}]}
        answer = await alerting.ask(method, path, body, HTTPStatus.UNPROCESSABLE_ENTITY)
        assert answer["type"].endswith("unknown_calendar")
        assert [each["field"] for each in answer["errors"]] == [field]
    verdict = await alerting.ask("POST", "/v1/rules/validate", named)
    assert [each["field"] for each in verdict["errors"]] == ["active.calendar"]

    calendar = {"zone": "Asia/Shanghai", "hours": {"mon": [{"from": "09:00", "until": "18:00"}]}}
    await alerting.ask("PUT", "/v1/working-calendars/shop", calendar)
    made = await alerting.put_rule("low", active={"calendar": "shop"})
    assert made["active"] == {"calendar": "shop", "zone": None, "windows": []}
    exported = await alerting.client.get("/v1/rules/export")
    assert "active:\n    calendar: shop\n" in exported.text
    await shop.turn()
    await shop.hear(50, 12)
    assert await shop.times() == []
    calendar["hours"] = {"mon": [{"from": "06:00", "until": "18:00"}]}
    await alerting.ask("PUT", "/v1/working-calendars/shop", calendar)
    await shop.turn()
    assert await shop.times() == [(monday(7), None)]


async def test_an_edit_has_only_those_looked_at_whom_it_concerns(shop: Shop) -> None:
    """Working calendars of people alone concern no level, nor do promotions of other SKUs."""
    alerting = shop.alerting
    shop.clock.set(monday(9))  # the UTC day that began at eight goes on
    calendar = {"zone": "Asia/Shanghai", "hours": {"mon": [{"from": "12:00", "until": "18:00"}]}}
    longer = calendar | {"hours": {"mon": [{"from": "08:00", "until": "18:00"}]}}
    await alerting.ask("PUT", "/v1/working-calendars/shop", calendar)
    await alerting.put_rule("low", active={"calendar": "shop"}, scope={"warehouses": ["W"]})
    await alerting.put_rule("all")
    condition = {"kind": "custom", "levels": [{"level": "watch"}], "condition": "available < 5"}
    await alerting.put_rule("mine", **condition)
    await shop.turn()
    for sku, warehouse in (("A", "W"), ("B", "W"), ("A", "N")):
        await shop.hear(50, sku=sku, warehouse=warehouse)
    for path, body, evaluated in (
        ("/v1/working-calendars/people", calendar, 0),
        ("/v1/working-calendars/people", longer, 0),
        ("/v1/working-calendars/shop", calendar, 0),
        ("/v1/working-calendars/shop", longer, 6),
    ):
        await alerting.ask("PUT", path, body)
        assert await shop.evaluations() == evaluated, (path, body)

    promotion = {"name": {"en": "Sale"}, "factor": 3, "sku": "B"}
    times = {"starts_at": monday(10).isoformat(), "ends_at": monday(11).isoformat()}
    await alerting.ask("POST", "/v1/calendar", promotion | times, HTTPStatus.CREATED)
    assert await shop.evaluations() == 0
    shop.clock.set(monday(10))
    assert await shop.evaluations() == 3
    assert [each["sku"] for each in await alerting.alerts()] == ["B", "B"]
    shop.clock.set(monday(11))
    assert await shop.evaluations() == 3
    assert await alerting.alerts(state="open") == []
    await alerting.put_rule("low", enabled=False)
    assert await shop.evaluations() == 4
