"""Storing identities, some of which are known."""

import pytest

from services.ledger.store.codecs import prepare
from services.ledger.store.identities import add_identities
from services.ledger.store.periods import ensure_periods
from shared.database.engine import create_engine, driver
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
