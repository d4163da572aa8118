"""What the tables are asked for often is found, however much there is."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from sqlalchemy import TextClause, text

from services.alerting.store import memory, stock_outs
from shared.clock import ManualClock
from shared.database.engine import Connection, create_engine
from shared.events.stock_alerts import SubjectKind
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack

MANY_CONDITIONS = """
INSERT INTO condition (rule_id, subject_kind, sku, warehouse, partition, state, level, since)
SELECT 'rule ' || n % 500, (ARRAY['level', 'product'])[1 + n % 2], 'S' || n, 'W', 0, 'open',
       'watch', now()
FROM generate_series(1, 20000) AS n
"""

MANY_LEVELS = """
INSERT INTO known_level (sku, warehouse, partition, version, on_hand, incoming, available,
                         low_water, last_change_at, sold_total, day, sold, first_day)
SELECT 'S' || n, 'W', 0, 1, n % 200, 0, n % 200, 0, now(), 1, 0, '{}', 0
FROM generate_series(1, 20000) AS n
"""

UPDATED = """
SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'known_level'
"""


class Explaining:
    """Asks how each question would be answered, instead of asking it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.plans: list[str] = []

    async def execute(
        self, statement: TextClause, values: Mapping[str, object]
    ) -> Sequence[object]:
        plan = await self._connection.execute(text(f"EXPLAIN {statement}"), values)
        self.plans.append("\n".join(plan.scalars()))
        return []


async def test_conditions_of_some_rules_are_found_by_their_key(alerting: Alerting) -> None:
    await alerting.rows(MANY_CONDITIONS)
    await alerting.rows("ANALYZE condition")
    engine = create_engine(alerting.database.url("alerting"))
    async with engine.connect() as connection:
        explaining = Explaining(connection)
        asking = cast("Connection", explaining)
        await memory.conditions_of(asking, SubjectKind.PRODUCT, ["S1", "S3"], ["rule 1", "rule 3"])
    await engine.dispose()
    (plan,) = explaining.plans
    assert "Index Scan using condition_pkey" in plan
    assert "Index Cond: ((rule_id = ANY" in plan


async def test_what_is_out_is_found_without_reading_all_levels(
    alerting: Alerting, clock: ManualClock
) -> None:
    await alerting.rows(MANY_LEVELS)
    await alerting.rows("ANALYZE known_level")
    engine = create_engine(alerting.database.url("alerting"))
    async with engine.connect() as connection:
        values = {"now": clock.now(), "in_event_time": False, "first": False}
        found = await connection.execute(text(f"EXPLAIN {stock_outs._BEGIN}"), values)
        plan = "\n".join(found.scalars())
    await engine.dispose()
    assert "known_level_out" in plan
    assert "Seq Scan on known_level" not in plan


async def test_what_changes_with_each_message_is_in_no_index(alerting: Alerting) -> None:
    await alerting.rows(MANY_LEVELS)
    engine = create_engine(alerting.database.url("alerting"))
    async with engine.connect() as connection:
        await connection.execute(
            text("UPDATE known_level SET available = available - 1 WHERE available = 100")
        )
        (updated, in_place) = (await connection.execute(text(UPDATED))).one()
    await engine.dispose()
    assert updated == in_place == 100
