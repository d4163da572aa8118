"""Whom a revision is for and names, and where its episode is in its playbook.

Filled in where a revision is written, so that whatever makes one need not think of it.
"""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.people import Responsibilities
from services.alerting.store import people
from shared.database.direct import Direct, Row
from shared.events.stock_alerts import Expected, Step, StockAlert

_ADDRESSED = Direct("""
SELECT a.id AS alert_id, a.owner, a.category, a.warehouse, a.supplier, t.number, t.by,
       a.playbook -> 'steps' -> (t.number - 1) ->> 'expects' AS expects,
       coalesce(t.told, '{}') AS told
FROM alert AS a LEFT JOIN timer AS t ON t.alert_id = a.id
WHERE a.id = ANY(CAST(:ids AS uuid[]))
""")


async def addressed(
    connection: AsyncConnection,
    notices: Sequence[StockAlert],
    table: Responsibilities | None = None,
) -> list[StockAlert]:
    """Return notices of stored alerts with `to`, `step` and `names`.

    What a notice says itself of the first two stays. `table` is read where it is needed and not
    given.
    """
    ids = list({notice.alert_id for notice in notices})
    rows = {row["alert_id"]: row for row in await _ADDRESSED.rows(connection, ids=ids)}
    named = {id_ for row in rows.values() for id_ in (row["owner"], *row["told"])} - {None}
    named |= {id_ for notice in notices for id_ in _said_by(notice)}
    known = await people.recipients(connection, named)
    if table is None and any(row["owner"] not in known for row in rows.values()):
        table = await people.responsibilities(connection)
    told = _told(rows, known, table or Responsibilities())
    known |= await people.recipients(
        connection, {id_ for each in told.values() for id_ in each} - known.keys()
    )
    found = []
    for notice in notices:
        row = rows[notice.alert_id]
        step = None
        if row["by"] is not None:
            step = Step(number=row["number"], expects=Expected(row["expects"]), by=row["by"])
        to = tuple(known[each] for each in told[notice.alert_id] if each in known)
        names = {id_: known[id_].name for id_ in _said_by(notice) if id_ in known}
        found.append(
            notice.model_copy(
                update={"to": notice.to or to, "step": notice.step or step, "names": names}
            )
        )
    return found


def _said_by(notice: StockAlert) -> list[str]:
    """Return the ids by which a notice names somebody, each once."""
    said = (notice.acknowledged_by, notice.owner, notice.actor)
    return list(dict.fromkeys(filter(None, said)))


def _told(
    rows: Mapping[UUID, Row], known: Collection[str], table: Responsibilities
) -> dict[UUID, list[str]]:
    """Return the owner, or else the manager of the row that says most; and who was drawn in.

    An owner who is no person, such as a program that has acknowledged it, hears of nothing.
    """
    found = {}
    for alert_id, row in rows.items():
        first = row["owner"]
        if first not in known:
            line = table.row(row["category"], row["warehouse"], row["supplier"])
            first = None if line is None else line.manager
        found[alert_id] = list(dict.fromkeys(filter(None, (first, *row["told"]))))
    return found
