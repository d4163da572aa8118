"""Filters of closed periods of identities: built once, stored, kept in memory by each process."""

from collections.abc import Callable, Collection, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from services.ledger.domain.identity_filter import PIECE_BYTES, IdentityFilter
from services.ledger.store.periods import IDENTITY_DAYS, Periods, partition
from shared.database.engine import Driver

SETTLED = timedelta(days=1)
"""A period's filter is built so long after its end: nobody writes to it any more."""

_AT_ONCE = 50_000


class Known(NamedTuple):
    """Which periods have a filter, with the number of their identities, and all of them in one."""

    covered: Mapping[date, int]
    filter: IdentityFilter


class Filters:
    """What the workers of a process know of the periods that are closed."""

    def __init__(self) -> None:
        self.known = Known({}, IdentityFilter(1))

    async def load(self, driver: Driver, periods: Periods) -> None:
        """Take the filters there are of a day's older periods; once they are known it is cheap.

        A period that the clock has been set back into is about to be written to: its filter goes.
        """
        await driver.execute(
            "DELETE FROM identity_filter WHERE starts >= $1", periods.identity_starts.date()
        )
        rows = await driver.fetch(
            "SELECT starts, identities, octet_length(bits) FROM identity_filter "
            "WHERE starts = ANY($1::date[])",
            periods.older_identities,
        )
        covered = {row[0]: row[1] for row in rows}
        if covered == self.known.covered:
            return
        united = IdentityFilter(max((row[2] for row in rows), default=1))
        for starts, _, size in rows:
            for offset in range(0, size, PIECE_BYTES):
                piece = await driver.fetchval(
                    "SELECT substr(bits, $2, $3) FROM identity_filter WHERE starts = $1",
                    starts,
                    offset + 1,
                    PIECE_BYTES,
                )
                united.unite(piece, offset, size)
        self.known = Known(covered, united)


async def missing(driver: Driver, older: Collection[date], today: date) -> list[date]:
    """Return the settled ones of some older periods that have no filter."""
    rows = await driver.fetch("SELECT starts FROM identity_filter")
    settled = today - SETTLED - timedelta(days=IDENTITY_DAYS)
    return [each for each in older if each <= settled and each not in {row[0] for row in rows}]


async def build(driver: Driver, starts: date, progress: Callable[[int, int], None]) -> bool:
    """Build and store a period's filter; False when it has too many identities for one.

    `progress` hears of (identities taken, identities in all).
    """
    table = partition("identity", starts)
    number = await driver.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - the table is ours
    built = IdentityFilter.for_number(number)
    if built is None:
        return False
    taken, last = 0, bytes(16)
    while some := await driver.fetchval(
        f"""
        SELECT string_agg(uuid_send(hash), '' ORDER BY hash)
        FROM (SELECT hash FROM {table} WHERE hash > $1 ORDER BY hash LIMIT $2) AS next
        """,  # noqa: S608 - as above
        last,
        _AT_ONCE,
    ):
        built.add(some)
        last = some[-16:]
        taken += len(some) // 16
        progress(taken, number)
    await driver.execute(
        "INSERT INTO identity_filter VALUES ($1, $2, $3) ON CONFLICT (starts) DO NOTHING",
        starts,
        number,
        bytes(built.bits),
    )
    return True


async def forget(driver: Driver, starts: date) -> None:
    """Delete the filter of a period that is dropped."""
    await driver.execute("DELETE FROM identity_filter WHERE starts = $1", starts)
