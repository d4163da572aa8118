"""What is closed is read no more, however much of it there is."""

import json
from collections.abc import Collection

from sqlalchemy import text

from services.ledger.domain.changes import Change, Type
from services.ledger.domain.commitments import Key, Kind
from services.ledger.store import commitments
from shared.database.engine import create_engine, driver
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
