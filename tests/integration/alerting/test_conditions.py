"""What the tables are asked for conditions is found, however many there are."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from sqlalchemy import TextClause, text

from services.alerting.store import memory
from shared.database.engine import Connection, create_engine
from shared.events.stock_alerts import SubjectKind
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack

MANY = """
INSERT INTO condition (rule_id, subject_kind, sku, warehouse, partition, state, level, since)
SELECT 'rule ' || n % 500, (ARRAY['level', 'product'])[1 + n % 2], 'S' || n, 'W', 0, 'open',
       'watch', now()
FROM generate_series(1, 20000) AS n
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
    await alerting.rows(MANY)
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
