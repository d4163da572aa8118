"""Storing identities, some of which are known."""

import pytest

from services.ledger.domain.identities import RecentIdentities
from services.ledger.memory import Place
from services.ledger.sorting import Sorting
from services.ledger.store.codecs import prepare
from services.ledger.store.identities import add_identities
from services.ledger.store.identity_filters import Filters
from services.ledger.store.periods import ensure_periods
from shared.database.engine import create_engine, driver
from shared.kafka.handler import Batch
from tests.integration.ledger.service import START, Ledger
from tests.unit.services.ledger.cases import change

FIRST, MIDDLE, LAST = (change(id=each) for each in "abc")

_GAPS = "SELECT (max((ctid::text::point)[1]) - count(*))::int FROM identity"
"""Places on the table's one page that a row was written to and taken back from."""


@pytest.mark.parametrize(("ask_first", "taken_back"), [(False, 3), (True, 0)])
async def test_repeats_known_before_leave_nothing_behind(
    ledger: Ledger, *, ask_first: bool, taken_back: int
) -> None:
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        async with engine.begin() as connection:
            periods = await ensure_periods(connection, START)
            database = await driver(connection)
            await prepare(database)
            assert not await add_identities(database, periods, [MIDDLE], START, ask_first=False)
        async with engine.begin() as connection:
            known = await add_identities(
                await driver(connection),
                periods,
                [FIRST, MIDDLE, LAST],
                START,
                ask_first=ask_first,
            )
    finally:
        await engine.dispose()
    assert [*known] == [MIDDLE.hash]
    rows = await ledger.rows("SELECT hash FROM identity")
    assert {row[0].bytes for row in rows} == {each.hash for each in (FIRST, MIDDLE, LAST)}
    assert await ledger.rows(_GAPS) == [(taken_back,)]


async def test_a_batch_after_one_with_old_repeats_asks_first(ledger: Ledger) -> None:
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    sorting = Sorting(Filters())
    sorting._recent = RecentIdentities(0)

    async def sort_out(*ids: str) -> int:
        """Take in changes of one batch; returns how many were repeats."""
        async with engine.begin() as connection:
            periods = await ensure_periods(connection, START)
            database = await driver(connection)
            await prepare(database)
            _, repeats = await sorting.sort_out(
                database,
                periods,
                Batch([]),
                [change(id=each) for each in ids],
                START,
                add=True,
                place_of=_nowhere,
            )
        return len(repeats)

    try:
        assert await sort_out("old") == 0
        assert await sort_out("a", "old", "b") == 1
        assert await ledger.rows(_GAPS) == [(3,)]
        assert await sort_out("c", "old", "d") == 1
        assert await ledger.rows(_GAPS) == [(3,)]
        assert await sort_out("e") == 0
        assert await sort_out("f", "old", "g") == 1
        assert await ledger.rows(_GAPS) == [(6,)]
    finally:
        await engine.dispose()


def _nowhere(level: int) -> Place:
    raise AssertionError(f"nobody asks where level {level} is: nothing is refused")
