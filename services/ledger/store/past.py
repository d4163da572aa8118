"""The past of levels: all movements, or those after an opening, as they happened."""

from collections.abc import Collection, Sequence
from typing import Any

from services.ledger.domain.changes import Change, Type
from services.ledger.domain.statement import Past, Recorded
from services.ledger.store import openings
from shared.database.engine import Driver
from shared.events.stock_changes import Bucket

COLUMNS = (
    "level_id", "type", "quantity", "occurred_at", "received_at", "channel", "id", "line",
    "reason", "reference", "actor", "offset", "counterparty", "bucket", "eta", "applied", "late",
    "recorded_at", "unusual",
)  # fmt: skip
"""What `recorded` takes, in its order."""

MOVEMENTS = f"""
SELECT {", ".join(f'm."{name}"' for name in COLUMNS)} FROM movement AS m
"""  # noqa: S608 - the columns are ours

ORDER = """
m.level_id, m.occurred_at, m.type = 5, m.channel COLLATE "C", m.id COLLATE "C", m.line COLLATE "C"
"""


_PAST = f"""
{MOVEMENTS}
WHERE m.level_id = ANY($1::bigint[])
ORDER BY {ORDER}
"""


async def of_levels(driver: Driver, levels: Collection[int]) -> dict[int, Past]:
    """Return each level's past; see `stretches` for those who only ask about it."""
    found: dict[int, list[Recorded]] = {level: [] for level in levels}
    # Movements first: a day archived between the two questions is then in both answers, which is
    # sorted out below; the other way round it would be in none.
    for row in await driver.fetch(_PAST, list(levels)):
        found[row[0]].append(recorded(row))
    opened = await openings.of_levels(
        driver, levels, (each.change for some in found.values() for each in some)
    )
    for level, opening in opened.items():
        found[level] = [each for each in found[level] if each.change.occurred_at > opening.at]
    return {level: Past(some, opened.get(level)) for level, some in found.items()}


def recorded(row: Sequence[Any]) -> Recorded:
    """Return a stored movement."""
    change = Change(
        level=row[0],
        type=Type(row[1]),
        quantity=row[2],
        occurred_at=row[3],
        received_at=row[4],
        channel=row[5],
        id=row[6],
        line=row[7],
        reason=row[8],
        reference=row[9],
        actor=row[10],
        hash=b"",
        content=0,
        position=0,
        offset=row[11],
        counterparty=row[12],
        bucket=None if row[13] is None else Bucket(row[13]),
        eta=row[14],
    )
    applied, late, recorded_at, unusual = row[15:]
    return Recorded(change, applied, late, recorded_at, bool(unusual))
