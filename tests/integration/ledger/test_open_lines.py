"""What is closed is read no more, however much of it there is."""

import json
from collections.abc import Collection, Sequence
from typing import Any, cast

from sqlalchemy import text

from services.ledger.domain.changes import Change, Type
from services.ledger.domain.commitments import Key, Kind, Line
from services.ledger.store import commitments
from shared.database.engine import Driver, create_engine, driver
from tests.integration.ledger.service import START, Ledger, change
from tests.unit.services.ledger import cases

DONE = 30


async def read(ledger: Ledger, *changes: Change, demanding: Collection[int] = ()) -> set[Key]:
    """Return the lines that a batch of changes reads."""
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    async with engine.begin() as connection:
        await connection.execute(text("SELECT 1"))
        book = await commitments.opened(await driver(connection), changes, demanding)
    await engine.dispose()
    return {*book.lines}


async def test_a_batch_reads_what_it_names_and_what_is_open(ledger: Ledger) -> None:
    plan = {"type": "demand_expected", "eta": START}
    async with ledger.consuming():
        for number in range(DONE):
            po, show = f"PO {number}", f"show {number}"
            await ledger.publish(
                change(id=f"s{number}", type="supply_expected", reference=po, quantity=5),
                change(id=f"r{number}", type="receipt", reference=po, quantity=5),
                change(id=f"d{number}", reference=show, quantity=5, **plan),
                change(id=f"u{number}", type="consumed", reference=show, quantity=5),
            )
        await ledger.publish(
            change(id="s", type="supply_expected", reference="PO", quantity=5),
            change(id="d", reference="show", **plan),
            change(id="d1", reference="show", line="1", quantity=5, **plan),
            change(id="u", type="consumed", reference="show", quantity=2),
        )
        await ledger.until_recorded(4 * DONE + 4)
        level = (await ledger.rows("SELECT id FROM level"))[0][0]

        def of(kind: Type, reference: str) -> Change:
            return cases.change(level=level, type=kind, reference=reference, due=1)

        supply = Key(level, Kind.SUPPLY, "PO", "0")
        demands = {Key(level, Kind.DEMAND, "show", line) for line in ("0", "1")}
        used = Key(level, Kind.CONSUMPTION, "show")
        is_open = {supply, *demands, used}
        assert await read(ledger, of(Type.RECEIPT, "PO")) == is_open
        assert await read(ledger, of(Type.RECEIPT, "PO 3")) == is_open | {
            supply._replace(reference="PO 3")
        }
        assert await read(ledger, of(Type.SALE, "show 3"), demanding={level}) == is_open | {
            used._replace(reference="show 3")
        }
        # More is demanded for a reference: all its lines say what of it is open.
        assert await read(ledger, of(Type.DEMAND_EXPECTED, "show 3")) == is_open | {
            used._replace(reference="show 3"),
            Key(level, Kind.DEMAND, "show 3", "0"),
        }
        await ledger.publish(change(id="d+", reference="show 3", line="1", quantity=2, **plan))
        await ledger.until_recorded(4 * DONE + 5)
    stored = await ledger.rows("SELECT demand FROM level")
    assert json.loads(stored[0]["demand"]) == [
        {"quantity": 4, "due_at": "2026-03-01T12:00:00Z", "reference": "show"},
        {"quantity": 2, "due_at": "2026-03-01T12:00:00Z", "reference": "show 3"},
    ]


_MANY = """
INSERT INTO movement (level_id, occurred_at, recorded_at, received_at, quantity, applied, "offset",
                      type, late, channel, id, line, reference)
SELECT l.id, $1, m.recorded_at, $1, 1, 0, 0, $2, false, 'shop', 'm' || n, l.sku,
       CASE WHEN n % 2 = 0 THEN 'show ' || n % 1000 END
FROM level AS l, (SELECT recorded_at FROM movement LIMIT 1) AS m, generate_series(1, 20000) AS n
WHERE l.sku IN ('A', 'C')
"""
_OPENING = """
INSERT INTO opening (level_id, at, recorded_until, movements, on_hand, reserved, unavailable,
                     incoming, sold_total, sold_changes, returned_total, received_total, unordered)
VALUES ($1, $2, $2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
"""


class Explaining:
    """Asks besides how a query is carried out; `looked_at` are the rows of movements."""

    def __init__(self, own: Driver) -> None:
        self._own = own
        self.looked_at = 0

    async def fetch(self, query: str, *arguments: object) -> Sequence[Any]:
        row = await self._own.fetchrow(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *arguments)
        self.looked_at = _movements(row[0][0]["Plan"])
        found: Sequence[Any] = await self._own.fetch(query, *arguments)
        return found


def _movements(plan: dict[str, Any]) -> int:
    own = 0
    if plan.get("Relation Name", "").startswith("movement"):
        own = plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0))
    return round(own) + sum(_movements(each) for each in plan.get("Plans", ()))


async def test_what_many_references_have_used_is_read_in_one_go(ledger: Ledger) -> None:
    async with ledger.consuming():
        await ledger.publish(*(change(id=sku, sku=sku) for sku in "ABC"))
        await ledger.until_recorded(3)
    levels = {row[0]: row[1] for row in await ledger.rows("SELECT sku, id FROM level")}
    await ledger.rows(_MANY, START, Type.CONSUMED)
    await ledger.rows(_MANY, START, Type.RECEIPT)
    # What happened to C by then is in an opening.
    await ledger.rows(_OPENING, levels["C"], START)
    asked = {
        Key(levels[sku], Kind.CONSUMPTION, f"show {number}")
        for sku in "ABC"
        for number in range(300)
    }
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    async with engine.begin() as connection:
        explaining = Explaining(await driver(connection))
        found = await commitments.consumed(cast("Driver", explaining), asked)
    await engine.dispose()
    assert found == {
        key: Line(done=20 if key.level == levels["A"] and int(key.reference[5:]) % 2 == 0 else 0)
        for key in asked
    }
    assert 0 < explaining.looked_at <= 80_003
