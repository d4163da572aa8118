"""A shop that alerting watches, by a clock that a test holds."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.alerting.domain.channels import NOBODY
from services.alerting.domain.parameters import ParameterBook
from services.alerting.domain.timebase import WallTime
from services.alerting.inbound.catalog_items import Catalogue
from services.alerting.pipeline import StockLevels
from services.alerting.store.rule_watch import RuleWatch
from shared.clock import ManualClock
from shared.database.engine import create_engine
from shared.kafka.handler import Batch, Claim
from shared.observability.metrics import EVALUATIONS_TOTAL
from tests.factories.records import FakeRecord
from tests.integration.alerting.service import Alerting

SHANGHAI = ZoneInfo("Asia/Shanghai")
TIMES = ("opened_at", "resolved_at")


def monday(hour: int, minute: int = 0) -> datetime:
    """Return a time of the day on which the shop opens."""
    return datetime(2026, 3, 2, hour, minute, tzinfo=SHANGHAI)


class Shop:
    """One worker of one partition; without a broker, so that its time can stand still."""

    def __init__(self, alerting: Alerting, clock: ManualClock) -> None:
        self.alerting = alerting
        self.clock = clock
        self.engine = create_engine(
            alerting.settings.database_url.get_secret_value(), pool=2, application="shop"
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
            partitions=1,
        )

    def _batch(self, *records: FakeRecord) -> Batch:
        self.batches += 1
        return Batch([*records], {0: self.batches})


def _evaluated() -> int:
    (counted,) = EVALUATIONS_TOTAL.collect()
    return sum(int(each.value) for each in counted.samples if each.name.endswith("_total"))
