"""Lists of counts: no more is looked at than is told."""

import json
from collections.abc import Sequence
from itertools import product
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine.interfaces import DBAPICursor

from services.ledger.domain.counts import CountState
from services.ledger.store.sheets import Sheets
from shared.database.engine import create_engine
from shared.testing.stack import Database

LIMIT = 10

_LEVELS = """
INSERT INTO level (partition, sku, warehouse, version, batch)
SELECT 0, 'S' || n, 'W', 1, 0 FROM generate_series(1, 200) AS n
"""

_MANY = """
INSERT INTO stock_count (level_id, occurred_at, recorded_at, received_at, counted, expected,
                         "offset", within, state, channel, change_id, line, reference, settled_at)
SELECT l.id, now(), now(), now(), 5, 5, 0, true, 'applied', 'wms', 'c ' || n, '',
       CASE WHEN n % 4 > 0 THEN 'ST ' || n / 100 END, now()
FROM generate_series(1, 20000) AS n JOIN level AS l ON l.sku = 'S' || (n % 200 + 1)
ORDER BY n
"""


def _rows(plan: dict[str, Any]) -> int:
    own = 0
    if plan.get("Relation Name") == "stock_count":
        own = plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0))
    return round(own) + sum(_rows(each) for each in plan.get("Plans", ()))


async def test_a_page_of_a_reference_looks_at_its_counts_only(database: Database) -> None:
    engine = create_engine(database.url("ledger"))
    explained: list[dict[str, Any]] = []
    async with engine.begin() as connection:
        for statement in (_LEVELS, _MANY, "ANALYZE level, stock_count"):
            await connection.execute(text(statement))

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def _explain(
        _: object, cursor: DBAPICursor, statement: str, parameters: Sequence[object], *__: object
    ) -> tuple[str, Sequence[object]]:
        if statement.lstrip().startswith("SELECT c.id"):
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            ((plan,),) = cursor.fetchall()
            explained.append((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
        return statement, parameters

    asked = product(("ST 2", "none"), (None, CountState.APPLIED, CountState.WAITING), (None, 15000))
    for reference, state, before in asked:
        await Sheets(engine).page(
            sku=None, warehouse=None, state=state, reference=reference, before=before, limit=LIMIT
        )
        assert _rows(explained.pop()) <= LIMIT, (reference, state, before)
    await engine.dispose()
