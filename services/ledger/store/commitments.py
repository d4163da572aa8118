"""The lines of orders, supply, transfers and demand, read and written with a batch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
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
    key_of,
    supply_of,
)
from services.ledger.store.lines import read, save
from shared.database.engine import Driver


async def opened(driver: Driver, changes: Iterable[Change], demanding: Collection[int]) -> Book:
    """Return the lines that changes are about, as they are stored.

    `demanding` are the levels where what is used up has to be noted.
    """
    keys: set[Key] = set()
    used: set[Key] = set()
    for change in changes:
        if (key := key_of(change)) is not None:
            keys.add(key)
        if change.level in demanding and (key := consumption_of(change)) is not None:
            used.add(key)
    if not keys and not used:
        return Book()
    orders = {key for key in keys if key.kind is Kind.ORDER}
    dated = {key.level for key in (keys - orders) | used}
    book = Book(await lines_of(driver, dated, orders))
    asked = {
        Key(key.level, Kind.CONSUMPTION, key.reference) for key in keys if key.kind is Kind.DEMAND
    } - book.lines.keys()
    if asked:
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


_DATED = [Kind.SUPPLY, Kind.TRANSFER, Kind.DEMAND, Kind.CONSUMPTION]

_LINES = """
SELECT level_id, kind::int, reference, line, total, done, decided_at, decided_key, due_at,
       shipped, held, released, fulfilled
FROM commitment
WHERE level_id = ANY($1::bigint[]) AND kind = ANY($2::smallint[])
UNION ALL
SELECT c.level_id, c.kind, c.reference, c.line, c.total, c.done, c.decided_at, c.decided_key,
       c.due_at, c.shipped, c.held, c.released, c.fulfilled
FROM commitment AS c
JOIN unnest($3::bigint[], $4::text[]) AS k (level_id, reference)
  ON c.level_id = k.level_id AND c.reference = k.reference AND c.kind = $5 AND c.line = ''
"""


async def lines_of(
    driver: Driver, levels: Collection[int], orders: Collection[Key]
) -> dict[Key, Line]:
    """Return all dated lines of some levels, and the lines of some orders."""
    rows = await driver.fetch(
        _LINES,
        list(levels),
        _DATED,
        [key.level for key in orders],
        [key.reference for key in orders],
        Kind.ORDER,
    )
    return read(rows)


_CONSUMED = """
SELECT k.level_id, k.reference,
       (SELECT COALESCE(sum(m.quantity), 0) FROM movement AS m
        WHERE m.level_id = k.level_id AND m.reference = k.reference
          AND m.type = ANY($3::smallint[])
          AND m.occurred_at > COALESCE((SELECT o.at FROM opening AS o
                                        WHERE o.level_id = k.level_id), '-infinity'))::bigint
FROM unnest($1::bigint[], $2::text[]) AS k (level_id, reference)
"""


async def consumed(driver: Driver, keys: Collection[Key]) -> dict[Key, Line]:
    """Return what was used up so far for references that had no demand until now.

    What an opening stands for is not looked through: it counts for demands known by then.
    """
    rows = await driver.fetch(
        _CONSUMED,
        [key.level for key in keys],
        [key.reference for key in keys],
        sorted(CONSUMING),
    )
    return {Key(row[0], Kind.CONSUMPTION, row[1]): Line(done=row[2]) for row in rows}


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
