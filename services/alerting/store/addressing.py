"""Whom a revision is for, and where its episode is in its playbook.

Filled in where a revision is written, so that whatever makes one need not think of it.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.store import people
from shared.events.stock_alerts import Expected, Step, StockAlert

# The owner, or else the manager of the row that says most; and whoever was drawn in since.
_ADDRESSED = text("""
SELECT a.id AS alert_id, t.number, t.by,
       a.playbook -> 'steps' -> (t.number - 1) ->> 'expects' AS expects,
       array_remove(ARRAY[coalesce(a.owner, (
           SELECT r.manager FROM responsibility AS r
           WHERE (r.category = a.category OR r.category IS NULL)
             AND (r.supplier = a.supplier OR r.supplier IS NULL)
             AND (r.warehouse = a.warehouse OR r.warehouse IS NULL)
           ORDER BY num_nonnulls(r.category, r.supplier, r.warehouse) DESC, r.category IS NULL,
                    r.supplier IS NULL
           LIMIT 1))], NULL) || coalesce(t.told, '{}') AS told
FROM alert AS a LEFT JOIN timer AS t ON t.alert_id = a.id
WHERE a.id = ANY(CAST(:ids AS uuid[]))
""")


async def addressed(connection: AsyncConnection, notices: Sequence[StockAlert]) -> list[StockAlert]:
    """Return notices of stored alerts with `to` and `step`; what a notice says itself stays."""
    ids = list({notice.alert_id for notice in notices})
    rows = {row.alert_id: row for row in await connection.execute(_ADDRESSED, {"ids": ids})}
    known = await people.recipients(connection, {id_ for row in rows.values() for id_ in row.told})
    found = []
    for notice in notices:
        row = rows[notice.alert_id]
        step = None
        if row.by is not None:
            step = Step(number=row.number, expects=Expected(row.expects), by=row.by)
        to = tuple(known[each] for each in dict.fromkeys(row.told) if each in known)
        found.append(notice.model_copy(update={"to": notice.to or to, "step": notice.step or step}))
    return found
