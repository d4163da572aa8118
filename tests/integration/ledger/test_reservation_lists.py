"""Lists of reservations: every one once, the newest first, and no more looked at than is told."""

import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import product
from typing import Any, cast

import asyncpg

from services.ledger.domain.reservations import Reservation, State
from services.ledger.store.reservation_pages import page
from shared.database.engine import Driver
from shared.testing.stack import Database

LIMIT = 10

_LEVELS = """
INSERT INTO level (partition, sku, warehouse, version, batch)
SELECT 0, 'S' || n % $1, 'W' || n / $1, 1, 0 FROM generate_series(0, $1 * 2 - 1) AS n
"""


@asynccontextmanager
async def connected(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.url("ledger"))
    try:
        yield connection
    finally:
        await connection.close()


async def all_pages(
    driver: Driver, *, reference: str | None, state: State | None, sku: str | None
) -> list[Reservation]:
    found: list[Reservation] = []
    while True:
        before = found[-1].id if found else None
        some = await page(
            driver, reference=reference, state=state, sku=sku, before=before, limit=LIMIT
        )
        found += some
        if len(some) < LIMIT:
            return found


async def test_each_reservation_is_on_one_page_the_newest_first(database: Database) -> None:
    chance = random.Random(7)  # noqa: S311 - a mixture, not a secret
    async with connected(database) as connection:
        await connection.execute(_LEVELS, 3)
        levels = {row[0]: row[1] for row in await connection.fetch("SELECT id, sku FROM level")}
        made: list[tuple[str, str | None, State, set[str]]] = []
        for number in range(120):
            id_, reference = f"{number:032x}", chance.choice((None, "one", "two"))
            state = chance.choice(list(State))
            # More lines on a level than a page has reservations, now and then.
            lines = chance.choices(sorted(levels), k=chance.choice((1, 1, 2, 3, 15)))
            made.append((id_, reference, state, {levels[each] for each in lines}))
            await connection.execute(
                "INSERT INTO reservation VALUES ($1, 0, $2, $3, now(), now(), now())",
                *(id_, reference, state.value),
            )
            await connection.executemany(
                "INSERT INTO reservation_line VALUES ($1, $2, $3, 1, '', 0, 0)",
                [(id_, str(line), level) for line, level in enumerate(lines)],
            )
        for reference, state, sku in product(
            (None, "one", "none"), (None, *State), (None, "S1", "none")
        ):
            found = await all_pages(
                cast("Driver", connection), reference=reference, state=state, sku=sku
            )
            assert [each.id for each in found] == [
                id_
                for id_, its_reference, its_state, skus in reversed(made)
                if (reference is None or reference == its_reference)
                and (state is None or state is its_state)
                and (sku is None or sku in skus)
            ], (reference, state, sku)


class Explaining:
    """Carries nothing out but asks how it would be; `looked_at` are the rows of reservations."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.looked_at = -1

    async def fetch(self, query: str, *arguments: object) -> Sequence[Any]:
        (row,) = await self._connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *arguments)
        self.looked_at = _rows(json.loads(row[0])[0]["Plan"])
        return []


def _rows(plan: dict[str, Any]) -> int:
    own = 0
    if plan.get("Relation Name", "").startswith("reservation"):
        own = plan["Actual Loops"] * (
            plan["Actual Rows"]
            + plan.get("Rows Removed by Filter", 0)
            + plan.get("Rows Removed by Index Recheck", 0)
        )
    return round(own) + sum(_rows(each) for each in plan.get("Plans", ()))


_MANY = """
INSERT INTO reservation
SELECT lpad(to_hex(n), 32, '0'), 0, 'order ' || n,
       CASE WHEN n > 19900 THEN 'held' WHEN n < 100 THEN 'expired' WHEN n % 3 = 0 THEN 'released'
            ELSE 'fulfilled' END,
       now(), now(), now()
FROM generate_series(1, 20000) AS n
"""

_MANY_LINES = """
INSERT INTO reservation_line
SELECT lpad(to_hex(n), 32, '0'), '0', l.id, 1, '', 0, 0
FROM generate_series(1, 20000) AS n
JOIN level AS l
  ON l.warehouse = 'W0' AND l.sku = CASE WHEN n % 2 = 0 THEN 'S0' ELSE 'S' || n % 200 END
"""


ASKED: list[dict[str, Any]] = [
    {},
    {"state": State.HELD},
    {"state": State.EXPIRED},
    {"state": State.FULFILLED},
    {"reference": "order 7"},
    {"sku": "S0"},
    {"sku": "S1"},
    {"sku": "S0", "state": State.RELEASED},
    {"sku": "S0", "state": State.EXPIRED},
    {"sku": "S0", "state": State.HELD},
    {"sku": "S1", "state": State.HELD},
    {"sku": "S2", "state": State.HELD},
    {"sku": "none"},
]


async def test_a_page_looks_at_no_more_than_it_tells(database: Database) -> None:
    async with connected(database) as connection:
        await connection.execute(_LEVELS, 200)
        await connection.execute(_MANY)
        await connection.execute(_MANY_LINES)
        await connection.execute("ANALYZE level, reservation, reservation_line")
        explaining = Explaining(connection)
        nothing: dict[str, Any] = {"reference": None, "state": None, "sku": None}
        for asked, before in product(ASKED, (None, f"{12_345:032x}")):
            await page(cast("Driver", explaining), **(nothing | asked), before=before, limit=LIMIT)
            # Each of ten with its line, chosen and read; and those before them in other states.
            assert 0 <= explaining.looked_at <= 40 * LIMIT, (asked, before)
