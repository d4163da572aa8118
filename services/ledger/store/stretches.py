"""The past of levels for those who ask about it, however long: a stretch of it at a time.

Who asks is served by the process that decides reservations, so no turn of its loop may go through
a year of somebody's sales, nor all of them be in memory.
"""

from collections.abc import AsyncGenerator, Collection, Mapping
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from services.ledger.domain.commitments import keys_of
from services.ledger.domain.openings import resumed
from services.ledger.domain.past import Opening
from services.ledger.domain.recomputed import Recomputation
from services.ledger.domain.statement import Recorded
from services.ledger.store import openings
from services.ledger.store.past import MOVEMENTS, ORDER, recorded
from shared.database.engine import Driver
from shared.errors import LowtideError

AT_ONCE = 250
"""Movements of a stretch at the most: some milliseconds' work."""


class ArchivedError(LowtideError):
    """The past that was asked for has been archived.

    `since` an instant the past of all levels asked for can be told again, as known then or later;
    `level` is the one that stands in the way until then.
    """

    def __init__(self, level: int, since: datetime) -> None:
        super().__init__(f"the past of level {level} before {since.isoformat()} has been archived")
        self.level = level
        self.since = since


class TooLongError(LowtideError):
    """The past that was asked for has more movements than may be gone through: `most`.

    Or the database cannot put them in order in its time.
    """

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most:,} movements would have to be gone through")
        self.most = most


class Stretch(NamedTuple):
    """Movements of a level in a row, and the level as it stood before them.

    Whoever is given it lets `made` go through them before the next one is asked for.
    """

    level: int
    opening: Opening | None
    made: Recomputation
    movements: list[Recorded]


_CHOSEN = """
LEFT JOIN opening AS o USING (level_id)
WHERE m.level_id = ANY($1::bigint[])
  AND (o.at IS NULL OR m.occurred_at > o.at)
  AND ($2::timestamptz IS NULL OR m.occurred_at <= $2)
  AND ($3::timestamptz IS NULL OR m.recorded_at <= $3)
"""

_AFTER_OPENINGS = f"{MOVEMENTS} {_CHOSEN} ORDER BY {ORDER}"

_HOW_MANY = f"SELECT count(*) FROM movement AS m {_CHOSEN}"  # noqa: S608 - the condition is ours


async def number_of_movements(
    driver: Driver,
    level: int,
    *,
    as_of: datetime | None,
    known_at: datetime | None,
    until: datetime | None,
) -> int:
    """Return how many movements the stretches of a level have in all."""
    count = await driver.fetchval(_HOW_MANY, [level], _last(as_of, until), known_at)
    return int(count)


def _last(as_of: datetime | None, until: datetime | None) -> datetime | None:
    return min((each for each in (as_of, until) if each is not None), default=None)


async def stretches(
    driver: Driver,
    levels: Collection[int],
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    until: datetime | None = None,
    most: int | None = None,
) -> AsyncGenerator[Stretch, None]:
    """Yield the past of levels, one after the other; of one without movements an empty stretch.

    In the caller's snapshot, which has to hold `movement`. `as_of` leaves out what happened later,
    `known_at` what was recorded later: ArchivedError when that concerns what an opening stands
    for. `until` leaves out what nobody looks at. Raises TooLongError at more than `most` movements.
    """
    opened = await openings.of_levels(driver, levels, ())
    _require_untouched(opened, as_of, known_at)
    last = _last(as_of, until)
    cursor = await driver.cursor(_AFTER_OPENINGS, sorted(levels), last, known_at)
    begun: dict[int, Recomputation] = {}
    seen = 0
    while rows := await cursor.fetch(AT_ONCE):
        seen += len(rows)
        if most is not None and seen > most:
            raise TooLongError(most)
        some = [recorded(row) for row in rows]
        about = keys_of(each.change for each in some)
        orders = await openings.orders_of(driver, opened, about)
        for level, movements in groupby(some, attrgetter("change.level")):
            if level not in begun:
                begun[level] = resumed(level, opened.get(level))
            made = begun[level]
            for key, line in orders.items():
                if key.level == level:
                    made.book.lines.setdefault(key, line)
            yield Stretch(level, opened.get(level), made, list(movements))
    for level in levels:
        if level not in begun:
            yield Stretch(level, opened.get(level), resumed(level, opened.get(level)), [])


def _require_untouched(
    opened: Mapping[int, Opening], as_of: datetime | None, known_at: datetime | None
) -> None:
    gone: list[tuple[datetime, int]] = []
    for level, opening in opened.items():
        if as_of is not None and as_of < opening.at:
            gone.append((opening.at, level))
        if known_at is not None and known_at < opening.recorded_until:
            gone.append((opening.recorded_until, level))
    if gone:
        since, level = max(gone)
        raise ArchivedError(level, since)
