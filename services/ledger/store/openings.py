"""The opening balances of levels: what stands for movements whose days are archived."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.ledger.domain.commitments import Key, Kind, Line
from services.ledger.domain.past import Opening, Standing, Totals
from services.ledger.store import lines
from services.ledger.store.changes import columns
from services.ledger.store.locks import Lock
from shared.database.engine import Driver


async def hold_still(driver: Driver) -> None:
    """Let no opening move until the transaction ends.

    For who records a change that may be old enough to be in one (`reached`).
    """
    await driver.execute("SELECT pg_advisory_xact_lock_shared($1)", Lock.OPENINGS)


async def hold_alone(driver: Driver) -> None:
    """Let nobody record what happened long ago until the transaction ends: openings move."""
    await driver.execute("SELECT pg_advisory_xact_lock($1)", Lock.OPENINGS)


async def reached(driver: Driver, levels: Collection[int]) -> dict[int, datetime]:
    """Return up to when the past of levels is closed, of those that have an opening.

    A change of such a level must have happened later. Asked after `hold_still`.
    """
    rows = await driver.fetch(
        "SELECT level_id, at FROM opening WHERE level_id = ANY($1::bigint[])", list(levels)
    )
    return {row[0]: row[1] for row in rows}


OPENINGS = """
SELECT level_id, at, recorded_until, movements, on_hand, reserved, unavailable, incoming,
       sold_total, sold_changes, returned_total, received_total, counted_at, count_key, unordered
FROM opening
WHERE $1::bigint[] IS NULL OR level_id = ANY($1)
ORDER BY level_id
"""
"""What `opening` takes, for some levels or all."""

_MANY = (Kind.ORDER,)
"""Kinds with a line for every order there ever was."""

_LINE = f"SELECT {lines.COLUMNS} FROM opening_line"  # noqa: S608 - the columns are ours

LINES = f"""
{_LINE}
WHERE $1::bigint[] IS NULL OR level_id = ANY($1)
ORDER BY level_id
"""
"""What `lines.read` takes, for some levels or all."""

_DATED_LINES = f"{_LINE} WHERE level_id = ANY($1::bigint[]) AND kind = ANY($2::smallint[])"

_NAMED_LINES = f"""
{_LINE}
JOIN unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[])
     AS k (level_id, kind, reference, line) USING (level_id, kind, reference, line)
"""


async def of_levels(
    driver: Driver, levels: Collection[int], about: Collection[Key] | None = None
) -> dict[int, Opening]:
    """Return the openings of those levels that have one.

    `about` has the lines of all changes that will be worked out from there: an order that is none
    of them is in the opening's `reserved` already, so its line is left out. Without it, none is.
    """
    found = await driver.fetch(OPENINGS, list(levels))
    if not found:
        return {}
    opened = {row[0] for row in found}
    if about is None:
        known = lines.read(await driver.fetch(LINES, list(opened)))
    else:
        dated = [kind for kind in Kind if kind not in _MANY]
        known = lines.read(await driver.fetch(_DATED_LINES, list(opened), dated))
        known |= await orders_of(driver, opened, about)
    by_level: dict[int, dict[Key, Line]] = {level: {} for level in opened}
    for key, line in known.items():
        by_level[key.level][key] = line
    return {row[0]: opening(row, by_level[row[0]]) for row in found}


async def orders_of(
    driver: Driver, opened: Collection[int], about: Collection[Key]
) -> dict[Key, Line]:
    """Return the orders among some lines as the openings of levels have them."""
    named = {key for key in about if key.kind in _MANY and key.level in opened}
    return lines.read(await driver.fetch(_NAMED_LINES, *columns([*named]))) if named else {}


def opening(row: Sequence[Any], its_lines: Mapping[Key, Line]) -> Opening:
    """Return a stored opening with its lines."""
    sold, sold_changes, returned, received, counted_at = row[8:13]
    return Opening(
        at=row[1],
        recorded_until=row[2],
        movements=row[3],
        standing=Standing(*row[4:8]),
        totals=Totals(sold, sold_changes, returned, received, counted_at, row[1]),
        count_key=row[13],
        unordered=row[14],
        lines=its_lines,
    )


_SAVE = """
INSERT INTO opening (level_id, at, recorded_until, movements, on_hand, reserved, unavailable,
                     incoming, sold_total, sold_changes, returned_total, received_total,
                     counted_at, count_key, unordered)
SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::bigint[],
                     $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
                     $10::bigint[], $11::bigint[], $12::bigint[], $13::timestamptz[], $14::text[],
                     $15::bigint[])
ON CONFLICT (level_id) DO UPDATE
SET at = excluded.at, recorded_until = excluded.recorded_until, movements = excluded.movements,
    on_hand = excluded.on_hand, reserved = excluded.reserved, unavailable = excluded.unavailable,
    incoming = excluded.incoming, sold_total = excluded.sold_total,
    sold_changes = excluded.sold_changes,
    returned_total = excluded.returned_total, received_total = excluded.received_total,
    counted_at = excluded.counted_at, count_key = excluded.count_key,
    unordered = excluded.unordered
"""


async def make_anew(driver: Driver, openings: Mapping[int, Opening | None]) -> None:
    """Store openings with these lines and no others; None is no opening at all."""
    for table in ("opening", "opening_line"):
        await driver.execute(
            f"DELETE FROM {table} WHERE level_id = ANY($1::bigint[])",  # noqa: S608 - two of ours
            list(openings),
        )
    made = {level: each for level, each in openings.items() if each is not None}
    if made:
        await save(driver, made)


async def save(driver: Driver, openings: Mapping[int, Opening]) -> None:
    """Store openings as they are now."""
    rows = [
        (
            level,
            *(each.at, each.recorded_until, each.movements),
            *each.standing,
            *each.totals[:5],
            *(each.count_key, each.unordered),
        )
        for level, each in openings.items()
    ]
    await driver.execute(_SAVE, *columns(rows))
    kept = {key: line for each in openings.values() for key, line in each.lines.items()}
    if kept:
        await lines.save(driver, "opening_line", kept)
