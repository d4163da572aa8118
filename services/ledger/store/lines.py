"""Lines as rows: beside a level in `commitment`, beside an opening in `opening_line`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from services.ledger.domain.commitments import Key, Kind, Line
from shared.database.engine import Driver

COLUMNS = """level_id, kind::int, reference, line, total, done, decided_at, decided_key, due_at,
          shipped, held, released, fulfilled"""
"""What `read` takes, in its order."""

_SAVE = """
INSERT INTO {table} (level_id, kind, reference, line, total, done, decided_at, decided_key,
                     due_at, shipped, held, released, fulfilled)
SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::bigint[],
                     $6::bigint[], $7::timestamptz[], $8::text[], $9::timestamptz[],
                     $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
ON CONFLICT (level_id, kind, reference, line)
DO UPDATE SET total = excluded.total, done = excluded.done, decided_at = excluded.decided_at,
              decided_key = excluded.decided_key, due_at = excluded.due_at,
              shipped = excluded.shipped, held = excluded.held, released = excluded.released,
              fulfilled = excluded.fulfilled
"""


def read(rows: Iterable[Sequence[Any]]) -> dict[Key, Line]:
    """Return stored lines."""
    return {Key(row[0], Kind(row[1]), row[2], row[3]): Line(*row[4:]) for row in rows}


async def save(
    driver: Driver, table: Literal["commitment", "opening_line"], lines: Mapping[Key, Line]
) -> None:
    """Store lines as they are now, at least one."""
    rows = [
        (
            *(*key, line.total, line.done, line.decided_at, line.decided_key, line.due_at),
            *(line.shipped, line.held, line.released, line.fulfilled),
        )
        for key, line in sorted(lines.items())
    ]
    columns = (list(column) for column in zip(*rows, strict=True))
    await driver.execute(_SAVE.format(table=table), *columns)
