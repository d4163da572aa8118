"""Keep the record of stock-outs, and make a case of each that was announced late or never."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import override

from services.alerting.domain.cause import deserves_case, is_late, proposed
from services.alerting.inbound.catalog_items import Catalogue
from services.alerting.looking import Looking
from services.alerting.store import cases, parameters, people, stock_outs
from services.alerting.store.cases import NewCase
from services.alerting.store.stock_outs import Recorded
from shared.clock import Clock
from shared.database.engine import Connection
from shared.observability.logs import get_logger

EVERY = timedelta(seconds=30)
"""Between two looks at the levels: one reads all of them (some 30 ms of 100,000)."""

_log = get_logger("alerting.reviewing")


@dataclass(frozen=True, slots=True)
class CasePolicy:
    """When a stock-out becomes a case: told later than so long before, and losing so much."""

    notice: timedelta
    money_limit: Decimal


class Reviewing(Looking):
    """Looks at the levels for what has run out; several may run, one at a time looks.

    Whose a case is depends on the category, so it waits until `catalogue` returns what was read.
    """

    what = "stock-outs"
    at_once = 200

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        policy: CasePolicy,
        catalogue: Callable[[], Catalogue | None],
        *,
        in_event_time: bool,
    ) -> None:
        super().__init__(engine, clock)
        self._policy = policy
        self._catalogue = catalogue
        self._in_event_time = in_event_time
        self._looked_at: datetime | None = None

    @override
    async def step(self) -> int:
        now, catalogue = self._clock.now(), self._catalogue()
        if catalogue is None or (self._looked_at is not None and now - self._looked_at < EVERY):
            return 0
        async with self._engine.begin() as connection:
            if await stock_outs.look(connection, now, in_event_time=self._in_event_time):
                judged = await self._judge(connection, catalogue, now)
            else:
                judged = 0
        # What is left over is judged in the next transaction.
        self._looked_at = None if judged == self.at_once else now
        return judged

    async def _judge(self, connection: Connection, catalogue: Catalogue, now: datetime) -> int:
        moment: datetime | None = now
        if self._in_event_time:
            moment = await stock_outs.newest_change(connection)
        if moment is None:
            return 0
        limit = self._policy.money_limit
        found = await stock_outs.to_judge(connection, moment, limit, self.at_once)
        for each in found:
            late = is_late(each.stock_out, self._policy.notice)
            if late and deserves_case(each.stock_out, each.stock_class, limit, moment):
                await self._open(connection, each, catalogue, now)
        await stock_outs.judged(connection, [each.id for each in found])
        return len(found)

    async def _open(
        self, connection: Connection, each: Recorded, catalogue: Catalogue, now: datetime
    ) -> None:
        log, owner = await stock_outs.log_of(connection, each)
        if owner is None:
            table = await people.responsibilities(connection)
            item = catalogue.items.get(each.sku)
            category = None if item is None else item.category
            given = await parameters.of_level(connection, each.sku, each.warehouse)
            owner = table.of(category, each.warehouse, now, given.supplier)
        case = NewCase(
            id=uuid4(),
            sku=each.sku,
            warehouse=each.warehouse,
            owner=owner,
            stock_out=each.id,
            ran_out_at=each.stock_out.began_at,
            warned_at=each.stock_out.warned_at,
            signs=proposed(log),
            opened_at=now,
        )
        if await cases.add(connection, case):
            _log.info("case opened", sku=each.sku, warehouse=each.warehouse)
