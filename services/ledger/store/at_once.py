"""A small batch in one statement."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from services.ledger.domain.changes import Type
from services.ledger.domain.effects import Effect, Entry
from services.ledger.domain.usual import Sold
from services.ledger.store.changes import MOVE_LEVELS, Level, columns, level_columns, take_counts
from services.ledger.store.periods import Periods
from shared.database.engine import Driver

_AT_ONCE = """
WITH told AS (
    SELECT *
    FROM unnest($14::uuid[], $15::bigint[], $16::bigint[], $17::timestamptz[],
                $18::timestamptz[], $19::bigint[], $20::bigint[], $21::bigint[],
                $22::smallint[], $23::boolean[], $24::text[], $25::text[], $26::text[],
                $27::text[], $28::text[], $29::text[], $30::text[], $31::text[],
                $32::timestamptz[])
         AS t (hash, content, level_id, occurred_at, received_at, quantity, applied, "offset",
               type, late, channel, id, line, reason, reference, actor, counterparty, bucket, eta)
), identified AS (
    INSERT INTO {identity} (hash, content, level_id, occurred_at, recorded_at)
    SELECT hash, content, level_id, occurred_at, $33::timestamptz FROM told WHERE type <> {half}
), moved AS (
    INSERT INTO {movement} (level_id, occurred_at, recorded_at, received_at, quantity, applied,
                            "offset", type, late, channel, id, line, reason, reference, actor,
                            counterparty, bucket, eta)
    SELECT level_id, occurred_at, $33, received_at, quantity, applied,
           "offset", type, late, channel, id, line, reason, reference, actor,
           counterparty, bucket, eta
    FROM told
), tallied AS (
    INSERT INTO tally (partition, name, total)
    SELECT $34, * FROM unnest($35::text[], $36::bigint[]) ORDER BY 2
    ON CONFLICT (partition, name) DO UPDATE SET total = tally.total + excluded.total
), changed AS ({changed})
SELECT * FROM changed
"""


class Stored(NamedTuple):
    """The levels as they are now, and how many sales each of them has had."""

    levels: list[Level]
    sold_changes: Mapping[int, int]
    effects: Mapping[int, Effect]

    def sold_before(self, wanted: Collection[int]) -> dict[int, Sold]:
        """Return what some of the levels had sold before the batch."""
        return {
            level.id: Sold(
                level.sold_total - self.effects[level.id].sold,
                self.sold_changes[level.id] - self.effects[level.id].sold_changes,
            )
            for level in self.levels
            if level.id in wanted
        }


async def store(
    driver: Driver,
    periods: Periods,
    entries: Sequence[Entry],
    effects: Mapping[int, Effect],
    *,
    batches: Mapping[int, tuple[int, int]],
    recorded_at: datetime,
    tallies: tuple[int, Mapping[str, int]],
) -> Stored | None:
    """Do in one statement what else takes six: identities, movements, tallies and levels.

    For small batches, in which each wait for an answer costs more than the rows. Returns None
    when an identity was known: then the transaction must be rolled back.
    """
    await take_counts(driver, effects)
    partition, counts = tallies
    told = columns(
        [
            (
                change.hash,
                change.content,
                change.level,
                change.occurred_at,
                change.received_at,
                change.quantity,
                applied,
                change.offset,
                change.type,
                late,
                change.channel,
                change.id,
                change.line,
                change.reason,
                change.reference,
                change.actor,
                change.counterparty,
                change.bucket,
                change.eta,
            )
            for change, applied, late in entries
        ]
    )
    try:
        found = await driver.fetch(
            _AT_ONCE.format(
                identity=periods.identity,
                movement=periods.movement,
                half=Type.TRANSFER_ARRIVING.value,
                changed=f"{MOVE_LEVELS}, l.sold_changes",
            ),
            *level_columns(effects, batches),
            *told,
            recorded_at,
            partition,
            list(counts),
            list(counts.values()),
        )
    except asyncpg.UniqueViolationError:
        # Seldom, since what is remembered is looked at first: it costs less than to ask each time,
        # though the server's log has a line of it.
        return None
    return Stored(
        [Level(*row[:-1]) for row in found],
        {row["id"]: row["sold_changes"] for row in found},
        effects,
    )
