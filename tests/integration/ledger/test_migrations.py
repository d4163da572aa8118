"""What was stored before a migration is there, and right, after it."""

from datetime import timedelta

from services.ledger.commands.verify import Difference, verify
from shared.database import migrations
from shared.database.engine import create_engine
from tests.integration.ledger.service import START, Ledger, change

BEFORE = """
ALTER TABLE commitment DROP COLUMN open;
ALTER TABLE level DROP COLUMN intricate_until, ADD COLUMN intricate boolean;
ALTER TABLE opening ADD COLUMN intricate boolean;
UPDATE level SET intricate = sku = 'B';
UPDATE commitment SET total = 0 WHERE kind = 5;
UPDATE schema_version SET version_num = '0008';
"""


BEFORE_BUCKETS = """
ALTER TABLE stock_count DROP COLUMN bucket;
UPDATE schema_version SET version_num = '0011';
"""


async def test_lines_and_levels_from_before_they_said_what_is_open_say_it(ledger: Ledger) -> None:
    plan = {"type": "demand_expected", "reference": "show", "eta": START}
    async with ledger.consuming():
        await ledger.publish(
            change(id="1", quantity=6, **plan),
            change(id="2", quantity=3, line="1", **plan),
            change(id="3", type="consumed", quantity=7, reference="show"),
            change(id="4", quantity=4, **plan | {"reference": "over"}),
            change(id="5", type="consumed", quantity=4, reference="over"),
            change(id="6", type="supply_expected", quantity=5, reference="PO 1"),
            change(id="7", type="receipt", quantity=5, reference="PO 1"),
            change(id="8", type="supply_expected", quantity=5, reference="PO 2"),
            change(id="9", sku="B", type="count", quantity=5, bucket="available"),
            change(id="10", sku="B", occurred_at=START + timedelta(hours=1)),
        )
        await ledger.until_recorded(10)
    for statement in filter(str.strip, BEFORE.split(";")):
        await ledger.rows(statement)
    await migrations.upgrade(ledger.database.url("ledger"), "ledger", "0010")

    found: list[Difference] = []
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    await verify(engine, progress=lambda *_: None, found=found.append)
    await engine.dispose()
    assert found == []
    rows = await ledger.rows("SELECT kind, reference FROM commitment WHERE open ORDER BY kind")
    assert [tuple(row) for row in rows] == [(2, "PO 2"), (5, "show")]
    until = await ledger.rows("SELECT intricate_until FROM level ORDER BY sku")
    assert [row[0] for row in until] == [None, START]


async def test_counts_from_before_they_said_of_what_are_of_on_hand(ledger: Ledger) -> None:
    async with ledger.consuming():
        await ledger.publish(change(id="1", type="count", quantity=6))
        await ledger.until_recorded(1)
    for statement in filter(str.strip, BEFORE_BUCKETS.split(";")):
        await ledger.rows(statement)
    await migrations.upgrade(ledger.database.url("ledger"), "ledger", "0012")

    async with ledger.consuming(), ledger.api() as api:
        await ledger.publish(change(id="2", type="count", quantity=4, bucket="available"))
        await ledger.until_recorded(2)
        told = (await api.get("/v1/counts")).json()["items"]
    assert [(each["bucket"], each["counted"]) for each in told] == [
        ("available", 4),
        ("on_hand", 6),
    ]


async def test_sales_that_a_channel_and_the_api_told_of_are_counted_once(ledger: Ledger) -> None:
    now = ledger.clock.now()
    async with ledger.consuming(), ledger.api() as api:
        await ledger.publish(change(id="1", type="count", quantity=9))
        await ledger.until_recorded(1)
        lines = [{"sku": "A", "warehouse": "W", "quantity": 3}]
        held = await api.post("/v1/reservations", json={"reference": "order", "lines": lines})
        shipped = change(
            id="2", type="order_fulfilled", quantity=3, reference="order", occurred_at=now
        )
        await ledger.publish(shipped)
        await ledger.until_recorded(2)
        ended = await api.post(f"/v1/reservations/{held.json()['id']}/fulfil")
        assert ended.json()["state"] == "fulfilled"
    await ledger.rows("UPDATE level SET sold_changes = 2")
    await ledger.rows("UPDATE schema_version SET version_num = '0013'")
    await migrations.upgrade(ledger.database.url("ledger"), "ledger", "0014")
    assert [tuple(row) for row in await ledger.rows("SELECT sold_changes FROM level")] == [(1,)]
