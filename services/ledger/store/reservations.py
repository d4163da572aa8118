"""Reservations and the answers that were given about them; one function per question.

All but the reading ones take part in the caller's transaction. Locks are taken in one order:
reservations by id, then levels by id, so that transactions wait for each other in no circle.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from services.ledger.domain.effects import Anchor, Effect, Entry
from services.ledger.domain.past import Standing
from services.ledger.domain.reservations import (
    HeldLine,
    LockedLevel,
    Match,
    Reports,
    Reservation,
    State,
)
from services.ledger.store.changes import DIP_LEVELS, columns, level_columns
from services.ledger.store.periods import partition
from shared.database.engine import Driver
from shared.events.stock_levels import LevelKey

Row = tuple[Any, ...]


class Answer(NamedTuple):
    """An answer as it was first given: HTTP status and body, and a hash of what was asked."""

    key: bytes
    content: int
    status: int
    body: bytes


_ANSWERS = "SELECT key, content, status, body FROM answer WHERE key = ANY($1::uuid[])"


async def answers(driver: Driver, keys: Collection[bytes]) -> dict[bytes, Answer]:
    """Return the answers already given under some keys (16 bytes)."""
    return {row[0]: Answer(*row) for row in await driver.fetch(_ANSWERS, list(keys))}


_LOCK_LEVELS = """
SELECT l.sku, l.warehouse, l.id, l.partition, l.on_hand, l.reserved, l.unavailable, l.unordered,
       l.counted_at, l.count_key, l.last_change_at, l.intricate_until, l.demanding
FROM level AS l
WHERE l.id IN (
    SELECT o.id FROM unnest($1::text[], $2::text[]) AS k (sku, warehouse)
    JOIN level AS o USING (sku, warehouse)
)
ORDER BY l.id FOR UPDATE
"""

_LOCK_FREE_LEVELS = f"{_LOCK_LEVELS} SKIP LOCKED"


async def lock_levels(
    driver: Driver, places: Collection[LevelKey], *, wait: bool = True
) -> dict[LevelKey, LockedLevel]:
    """Return the levels there are, held until the transaction ends.

    Without waiting, those that somebody else holds are left out.
    """
    rows = await driver.fetch(
        _LOCK_LEVELS if wait else _LOCK_FREE_LEVELS,
        [place[0] for place in places],
        [place[1] for place in places],
    )
    return {
        (row[0], row[1]): LockedLevel(
            row[2], row[3], Standing(*row[4:7]), row[7], Anchor(*row[8:12]), row[12]
        )
        for row in rows
    }


_THERE = """
SELECT sku, warehouse FROM unnest($1::text[], $2::text[]) AS k (sku, warehouse)
JOIN level USING (sku, warehouse)
"""


async def there(driver: Driver, places: Collection[LevelKey]) -> set[LevelKey]:
    """Return at which places there is a level."""
    rows = await driver.fetch(
        _THERE, [place[0] for place in places], [place[1] for place in places]
    )
    return {(row[0], row[1]) for row in rows}


_COLUMNS = """r.id, r.partition, r.reference, r.state, r.created_at, r.expires_at, r.ended_at,
       l.level_id, l.line, v.sku, v.warehouse, l.quantity, l.reference, l.shipped_before,
       l.cancelled_before"""

_WITH_LINES = """JOIN reservation_line AS l ON l.reservation_id = r.id
JOIN level AS v ON v.id = l.level_id"""

_LINE_ORDER = "length(split_part(l.line, '/', 1)), l.line COLLATE \"C\""

_LOCKED = f"""
WITH r AS (
    SELECT * FROM reservation WHERE id {{chosen}} ORDER BY id FOR UPDATE {{others}}
)
SELECT {_COLUMNS} FROM r {_WITH_LINES}
ORDER BY r.id, {_LINE_ORDER}
"""  # noqa: S608 - the columns are ours
# Without their lines at first: of one that is let go meanwhile a part of the lines would be found.

_LOCK = _LOCKED.format(chosen="= ANY($1::text[])", others="")
_LOCK_FREE = _LOCKED.format(chosen="= ANY($1::text[])", others="SKIP LOCKED")

_LOCK_EXPIRED = _LOCKED.format(
    chosen="""IN (
        SELECT id FROM reservation
        WHERE state = 'held' AND expires_at <= $1 AND partition = ANY($2::int[])
        ORDER BY expires_at LIMIT $3
    )""",
    others="SKIP LOCKED",
)

READ = f"""
SELECT {_COLUMNS} FROM reservation AS r {_WITH_LINES}
WHERE r.id {{chosen}}
ORDER BY r.id DESC, {_LINE_ORDER}
"""  # noqa: S608 - the columns are ours
"""The reservations whose ids are so chosen, the newest first."""

_READ = READ.format(chosen="= ANY($1::text[])")


async def lock(
    driver: Driver, ids: Collection[str], *, wait: bool = True
) -> dict[str, Reservation]:
    """Return the reservations there are, held until the transaction ends.

    Without waiting, those that somebody else holds are left out.
    """
    return reservations_of(await driver.fetch(_LOCK if wait else _LOCK_FREE, list(ids)))


async def lock_expired(
    driver: Driver, now: datetime, partitions: Collection[int], limit: int
) -> list[Reservation]:
    """Return reservations whose time is up, held; those somebody else decides on are left out."""
    rows = await driver.fetch(_LOCK_EXPIRED, now, list(partitions), limit)
    return [each for each in reservations_of(rows).values() if each.state is State.HELD]


async def read(driver: Driver, ids: Collection[str]) -> list[Reservation]:
    """Return reservations as they are, the newest first."""
    return list(reservations_of(await driver.fetch(_READ, list(ids))).values())


def reservations_of(rows: Sequence[Row]) -> dict[str, Reservation]:
    """Return reservations by id, in the order of rows that `READ` has given."""
    lines: dict[str, list[HeldLine]] = {}
    for id_, *_, level, line, sku, warehouse, quantity, reference, shipped, cancelled in rows:
        since = Reports(shipped, cancelled)
        held = HeldLine(level, line, sku, warehouse, quantity, reference, since)
        lines.setdefault(id_, []).append(held)
    heads = {row[0]: row[:7] for row in rows}
    return {
        id_: Reservation(
            id_, partition, reference, State(state), created, expires, ended, tuple(lines[id_])
        )
        for id_, partition, reference, state, created, expires, ended in heads.values()
    }


_THERE_ARE = "SELECT id FROM reservation WHERE id = ANY($1::text[])"


async def there_are(driver: Driver, ids: Collection[str]) -> set[str]:
    """Return which of some reservations were made."""
    return {row[0] for row in await driver.fetch(_THERE_ARE, list(ids))}


_LINES = """
SELECT reservation_id, line, shipped_before, cancelled_before FROM reservation_line
WHERE reservation_id = ANY($1::text[])
"""


async def since(driver: Driver, ids: Collection[str]) -> dict[tuple[str, str], Reports]:
    """Return, by reservation and line, which reports are not about it; asked under the locks."""
    rows = await driver.fetch(_LINES, list(ids))
    return {(row[0], row[1]): Reports(row[2], row[3]) for row in rows}


_TAKE_OFF = """
UPDATE reservation_line AS l
SET shipped_before = l.shipped_before
        + greatest(0, $3::bigint + $4::bigint - greatest($3, l.shipped_before)),
    cancelled_before = l.cancelled_before
        + greatest(0, $5::bigint + $6::bigint - greatest($5, l.cancelled_before))
FROM reservation AS r
WHERE l.reservation_id = r.id AND l.level_id = $1 AND l.reference = $2
  AND r.state = 'held' AND (r.reference = $2 OR r.id = $2)
"""


async def take_off(driver: Driver, matches: Sequence[Match]) -> None:
    """Note for all reservations of the same orders which reports are spoken for now."""
    for level, reference, before, taken in matches:
        await driver.execute(
            _TAKE_OFF,
            *(level, reference, before.shipped, taken.shipped, before.cancelled, taken.cancelled),
        )


_DECIDED = """
WITH moved AS (
    INSERT INTO {movement} (level_id, occurred_at, recorded_at, received_at, quantity, applied,
                            "offset", type, late, channel, id, line, reason, reference, actor)
    SELECT level_id, $14, $14, $14, quantity, applied, -1, type, late, $15, id, line, reason,
           reference, actor
    FROM unnest($16::bigint[], $17::bigint[], $18::bigint[], $19::smallint[], $20::boolean[],
                $21::text[], $22::text[], $23::text[], $24::text[], $25::text[])
         AS t (level_id, quantity, applied, type, late, id, line, reason, reference, actor)
), dirty AS (
    INSERT INTO dirty_level (level_id, partition)
    SELECT * FROM unnest($26::bigint[], $27::smallint[])
    ON CONFLICT (level_id) DO NOTHING
), made AS (
    INSERT INTO reservation (id, partition, reference, state, created_at, expires_at)
    SELECT id, partition, reference, 'held', $14, expires_at
    FROM unnest($28::text[], $29::smallint[], $30::text[], $31::timestamptz[])
         AS t (id, partition, reference, expires_at)
), lines AS (
    INSERT INTO reservation_line (reservation_id, line, level_id, quantity, reference,
                                  shipped_before, cancelled_before)
    SELECT * FROM unnest($32::text[], $33::text[], $34::bigint[], $35::bigint[], $36::text[],
                         $37::bigint[], $38::bigint[])
), ended AS (
    UPDATE reservation AS r SET state = e.state, ended_at = $14
    FROM unnest($39::text[], $40::text[]) AS e (id, state)
    WHERE r.id = e.id
), answered AS (
    INSERT INTO answer (key, content, status, body, at)
    SELECT key, content, status, body, $14
    FROM unnest($41::uuid[], $42::bigint[], $43::smallint[], $44::bytea[])
         AS t (key, content, status, body)
    ORDER BY key
)
{dipped}
"""


async def store(
    driver: Driver,
    *,
    at: datetime,
    channel: str,
    entries: Sequence[Entry],
    effects: Mapping[int, Effect],
    levels: Mapping[int, int],
    made: Sequence[Reservation],
    ended: Sequence[Reservation],
    answered: Sequence[Answer],
) -> None:
    """Write in one statement what was decided; `levels` gives the partition of each level.

    `at` says in which day's partition: locks may have been waited for until after midnight.

    Raises UniqueViolationError when one of the answers' keys was given one meanwhile.
    """
    moved = _by_column(
        10,
        [
            (
                change.level,
                change.quantity,
                applied,
                change.type,
                late,
                change.id,
                change.line,
                change.reason,
                change.reference,
                change.actor,
            )
            for change, applied, late in entries
        ],
    )
    touched = sorted(effects)
    lines = [(each.id, line) for each in made for line in each.lines]
    await driver.execute(
        _DECIDED.format(movement=partition("movement", at.date()), dipped=DIP_LEVELS),
        *(
            level_columns(effects, dict.fromkeys(effects, (0, 0)))
            if effects
            else _by_column(13, ())
        ),
        at,
        channel,
        *moved,
        touched,
        [levels[level] for level in touched],
        *_by_column(
            4, [(each.id, each.partition, each.reference, each.expires_at) for each in made]
        ),
        *_by_column(
            7,
            [
                (id_, line.line, line.level, line.quantity, line.reference, *line.since)
                for id_, line in lines
            ],
        ),
        *_by_column(2, [(each.id, each.state.value) for each in ended]),
        *_by_column(4, answered),
    )


def _by_column(width: int, rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return columns(rows) if rows else [[] for _ in range(width)]


_LOCK_DIRTY = """
SELECT d.level_id, d.partition FROM dirty_level AS d JOIN level AS l ON l.id = d.level_id
WHERE d.partition = ANY($1::int[])
ORDER BY d.level_id LIMIT $2 FOR NO KEY UPDATE OF l SKIP LOCKED
"""
# Whoever holds one may be about to change it again, and finds it noted already: what comes after
# sees all that was done to those returned, as a statement of its own.


async def lock_dirty(driver: Driver, partitions: Collection[int], limit: int) -> dict[int, int]:
    """Return levels that changed without being published, with their partitions, held.

    Those that somebody else holds are left out, and stay noted.
    """
    rows = await driver.fetch(_LOCK_DIRTY, list(partitions), limit)
    return {row[0]: row[1] for row in rows}


_CLEAN = "DELETE FROM dirty_level WHERE level_id = ANY($1::bigint[])"


async def clean(driver: Driver, levels: Collection[int]) -> None:
    """Forget that levels, whose rows are held, were not published."""
    await driver.execute(_CLEAN, list(levels))


class Work(NamedTuple):
    """What waits for the owner of partitions."""

    dirty: frozenset[int] = frozenset()
    expired: frozenset[int] = frozenset()
    decided: frozenset[int] = frozenset()

    @property
    def partitions(self) -> frozenset[int]:
        """All partitions with something to do."""
        return self.dirty | self.expired | self.decided


_WORK = """
SELECT DISTINCT 'dirty', partition FROM dirty_level WHERE partition = ANY($1::int[])
UNION ALL
SELECT DISTINCT 'expired', partition FROM reservation
WHERE state = 'held' AND expires_at <= $2 AND partition = ANY($1::int[])
UNION ALL
SELECT DISTINCT 'decided', l.partition FROM stock_count AS c JOIN level AS l ON l.id = c.level_id
WHERE c.settled_at IS NULL AND c.state IN ('approved', 'rejected') AND l.partition = ANY($1::int[])
"""


async def work(driver: Driver, partitions: Collection[int], now: datetime) -> Work:
    """Return in which partitions levels wait to be published, and reservations to expire.

    Also those with counts that were decided on.
    """
    waiting: dict[str, set[int]] = {}
    for row in await driver.fetch(_WORK, list(partitions), now):
        waiting.setdefault(row[0], set()).add(row[1])
    return Work(**{name: frozenset(some) for name, some in waiting.items()})
