"""Which identities are known: 16-byte hashes by 30 days recorded, and what was first told."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from services.ledger.domain.changes import Change
from services.ledger.store.copying import IDENTITY_COLUMNS, copy, identity_rows
from services.ledger.store.identity_filters import Filters
from services.ledger.store.periods import Periods, partition
from shared.database.engine import Driver


class Known(NamedTuple):
    """What is stored of an identity."""

    hash: bytes
    content: int
    level: int
    occurred_at: datetime


async def earlier_identities(
    driver: Driver, periods: Periods, filters: Filters, changes: Sequence[Change]
) -> dict[bytes, Known]:
    """Return the identities of changes that other periods than the current one know, by hash.

    A period with a filter is asked for the few that it lets pass, one without for all.
    """
    if periods.newer_identities:
        return await known_identities(driver, changes)
    if not periods.older_identities:
        return {}
    identities = [change.hash for change in changes]
    known: dict[bytes, Known] = {}
    covered, filter_ = filters.known  # of one moment: another worker may load them meanwhile
    if covered and (suspects := filter_.among(identities)):
        rows = await driver.fetch(_OLDER_IDENTITIES, suspects, periods.identity_starts)
        known = {row[0]: Known(*row) for row in rows}
    for starts in periods.older_identities:
        if starts not in covered:
            table = partition("identity", starts)
            rows = await driver.fetch(_IDENTITIES_OF.format(table=table), identities)
            known |= {row[0]: Known(*row) for row in rows}
    return known


async def add_identities(
    driver: Driver,
    periods: Periods,
    changes: Sequence[Change],
    recorded_at: datetime,
    *,
    ask_first: bool,
) -> dict[bytes, Known]:
    """Store the identities of changes; returns those known before, whose changes are repeats.

    The hashes given differ from each other, and no other period knows them. Repeats are rare:
    COPY goes first, alone, and only a batch with one in it pays for finding out which. With
    `ask_first` that is found out before: half a COPY that is taken back leaves dead rows behind.
    """
    known = await known_identities(driver, changes) if ask_first else {}
    while True:
        new = [change for change in changes if change.hash not in known]
        if not new:
            return known
        rows = identity_rows(new, recorded_at)
        try:
            async with driver.transaction():
                await copy(driver, periods.identity, IDENTITY_COLUMNS, rows)
        except asyncpg.UniqueViolationError:
            known = await known_identities(driver, changes)
        else:
            return known


_IDENTITIES_OF = (
    "SELECT hash, content, level_id, occurred_at FROM {table} WHERE hash = ANY($1::uuid[])"
)
_OLDER_IDENTITIES = _IDENTITIES_OF.format(table="identity") + " AND recorded_at < $2"
_KNOWN_IDENTITIES = _IDENTITIES_OF.format(table="identity")


async def known_identities(driver: Driver, changes: Sequence[Change]) -> dict[bytes, Known]:
    """Return what is stored under the identities of changes, by hash."""
    rows = await driver.fetch(_KNOWN_IDENTITIES, [change.hash for change in changes])
    return {row[0]: Known(*row) for row in rows}


class First(NamedTuple):
    """What was first told under an identity, for a person to compare."""

    sku: str
    warehouse: str
    type: int
    quantity: int
    reason: str | None
    reference: str | None
    occurred_at: datetime
    counterparty: str | None = None
    bucket: str | None = None
    eta: datetime | None = None


_FIRST_CONTENT = """
SELECT l.sku, l.warehouse, m.type::int, m.quantity, m.reason, m.reference, m.occurred_at,
       m.counterparty, m.bucket, m.eta
FROM movement AS m JOIN level AS l ON l.id = m.level_id
WHERE m.level_id = $1 AND m.occurred_at = $2 AND m.channel = $3 AND m.id = $4 AND m.line = $5
LIMIT 1
"""


async def first_content(
    driver: Driver, level: int, occurred_at: datetime, change: Change
) -> First | None:
    """Return the movement first stored under a change's identity; None once its day is gone.

    `level` and `occurred_at` are the first telling's.
    """
    row = await driver.fetchrow(
        _FIRST_CONTENT, level, occurred_at, change.channel, change.id, change.line
    )
    return None if row is None else First(*row)
