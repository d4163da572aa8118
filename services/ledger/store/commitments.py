"""The lines of orders, supply, transfers and demand, read and written with a batch."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from services.ledger.domain.changes import Change
from services.ledger.domain.commitments import (
    CONSUMING,
    Book,
    Due,
    Key,
    Kind,
    Line,
    consumption_of,
    demand_of,
    keys_of,
    supply_of,
)
from services.ledger.store.lines import COLUMNS, read, save
from shared.database.engine import Driver


async def opened(driver: Driver, changes: Collection[Change], demanding: Collection[int]) -> Book:
    """Return the lines that changes are about, as they are stored.

    `demanding` are the levels where what is used up has to be noted.
    """
    keys = keys_of(changes)
    used: set[Key] = set()
    if demanding:
        using = (consumption_of(change) for change in changes if change.level in demanding)
        used = {key for key in using if key is not None}
    if not keys and not used:
        return Book()
    dated = {key.level for key in keys if key.kind is not Kind.ORDER} | {key.level for key in used}
    demanded = {
        Key(key.level, Kind.CONSUMPTION, key.reference) for key in keys if key.kind is Kind.DEMAND
    }
    book = Book(await lines_of(driver, dated, keys | used | demanded))
    if asked := demanded - book.lines.keys():
        book.lines |= await consumed(driver, asked)
        book.changed |= asked
    return book


async def closed(driver: Driver, book: Book) -> set[int]:
    """Store what has changed, and what levels tell of it; returns those that have a demand now."""
    await save(driver, "commitment", {key: book.lines[key] for key in book.changed})
    demanding = {key.level for key in book.changed if key.kind is Kind.DEMAND}
    own: dict[int, dict[Key, Line]] = {level: {} for level in book.told | demanding}
    for key, line in book.lines.items():
        if key.level in own:
            own[key.level][key] = line
    shown = {
        level: (
            write_due(supply_of(lines, level)),
            write_due(demand_of(lines, level)),
            level in demanding,
        )
        for level, lines in own.items()
    }
    if shown:
        await show(driver, shown)
    if any(book.unordered.values()):
        await note_unordered(driver, book.unordered)
    return demanding


def write_due(lines: Sequence[Due]) -> str | None:
    """Return what a level tells of as it is stored: JSON, nothing for nothing."""
    return msgspec.json.encode([each._asdict() for each in lines]).decode() if lines else None


def read_due(stored: str | None) -> tuple[Due, ...]:
    """Return what is stored of it."""
    return tuple(
        Due(
            each["quantity"],
            None if each["due_at"] is None else datetime.fromisoformat(each["due_at"]),
            each["reference"],
        )
        for each in msgspec.json.decode(stored or b"[]")
    )


_LINES = f"""
SELECT {COLUMNS} FROM commitment
JOIN unnest($2::bigint[], $3::smallint[], $4::text[], $5::text[])
     AS k (level_id, kind, reference, line) USING (level_id, kind, reference, line)
UNION ALL
SELECT {COLUMNS} FROM commitment WHERE level_id = ANY($1::bigint[]) AND open
UNION ALL
SELECT {COLUMNS} FROM commitment
JOIN (
    SELECT level_id, reference FROM commitment
    WHERE level_id = ANY($1::bigint[]) AND open AND kind = {Kind.CONSUMPTION:d}
    UNION
    SELECT * FROM unnest($6::bigint[], $7::text[])
) AS d USING (level_id, reference)
WHERE kind = {Kind.DEMAND:d}
"""  # noqa: S608 - the columns and numbers are ours


async def lines_of(
    driver: Driver, levels: Collection[int], keys: Collection[Key]
) -> dict[Key, Line]:
    """Return some lines, and all that some levels tell of: what is open of supply and demand.

    With a demand come the others of its reference, which have used up the same.
    """
    named = [key for key in keys if key.kind is not Kind.DEMAND]
    demands = {(key.level, key.reference) for key in keys if key.kind is Kind.DEMAND}
    rows = await driver.fetch(
        _LINES,
        list(levels),
        *(list(column) for column in zip(*named, strict=True)) if named else ([], [], [], []),
        [level for level, _ in demands],
        [reference for _, reference in demands],
    )
    return read(rows)


_CONSUMED = """
SELECT m.level_id, m.reference, sum(m.quantity)::bigint
FROM movement AS m LEFT JOIN opening AS o USING (level_id)
WHERE m.level_id = ANY($1::bigint[])
  AND m.type = ANY($4::smallint[])
  AND m.reference IS NOT NULL
  AND m.occurred_at > COALESCE(o.at, '-infinity')
  AND ((m.level_id, m.reference) IN (SELECT * FROM unnest($2::bigint[], $3::text[]))) IS TRUE
GROUP BY m.level_id, m.reference
"""
# IS TRUE keeps the planner from going through a level's movements once for each reference.


async def consumed(driver: Driver, keys: Collection[Key]) -> dict[Key, Line]:
    """Return what was used up so far for references that had no demand until now.

    What an opening stands for is not looked through: it counts for demands known by then.
    """
    rows = await driver.fetch(
        _CONSUMED,
        sorted({key.level for key in keys}),
        [key.level for key in keys],
        [key.reference for key in keys],
        sorted(CONSUMING),
    )
    used = {(row[0], row[1]): row[2] for row in rows}
    return {key: Line(done=used.get((key.level, key.reference), 0)) for key in keys}


_SHOW = """
UPDATE level AS l
SET supply = s.supply, demand = s.demand, demanding = l.demanding OR s.demanding
FROM unnest($1::bigint[], $2::json[], $3::json[], $4::boolean[])
     AS s (id, supply, demand, demanding)
WHERE l.id = s.id
"""


async def show(driver: Driver, levels: Mapping[int, tuple[str | None, str | None, bool]]) -> None:
    """Store what levels tell of: next supplies and demands (JSON), whether there is any demand."""
    rows = [(level, *shown) for level, shown in sorted(levels.items())]
    await driver.execute(_SHOW, *(list(column) for column in zip(*rows, strict=True)))


_UNORDERED = """
UPDATE level AS l SET unordered = l.unordered + u.more
FROM unnest($1::bigint[], $2::bigint[]) AS u (id, more)
WHERE l.id = u.id
"""


async def note_unordered(driver: Driver, more: Mapping[int, int]) -> None:
    """Add up by level what was shipped for orders that nobody has placed."""
    await driver.execute(
        _UNORDERED, *(list(column) for column in zip(*sorted(more.items()), strict=True))
    )
