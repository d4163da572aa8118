"""The past of levels, in the order in which it happened."""

from collections.abc import Collection

from services.ledger.domain.changes import Type
from services.ledger.domain.past import Past
from shared.database.engine import Driver

_PAST = """
SELECT level_id, type::int, quantity, occurred_at, channel, id, line, reason, reference, bucket
FROM movement
WHERE level_id = ANY($1::bigint[])
ORDER BY level_id, occurred_at, type = 5, channel COLLATE "C", id COLLATE "C", line COLLATE "C"
"""


async def of_levels(driver: Driver, levels: Collection[int]) -> dict[int, list[Past]]:
    """Return all changes of some levels, by level."""
    past: dict[int, list[Past]] = {level: [] for level in levels}
    for row in await driver.fetch(_PAST, list(levels)):
        past[row[0]].append(Past(Type(row[1]), *row[2:]))
    return past
