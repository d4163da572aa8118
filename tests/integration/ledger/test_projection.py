"""What is to come of a level, as it is asked for over HTTP."""

from datetime import timedelta

from shared.clock import WallClock
from tests.integration.ledger.service import START, Ledger, change


async def test_a_projection_has_all_that_is_open_and_its_dates(ledger: Ledger) -> None:
    now = WallClock().now()
    tomorrow, later = now + timedelta(days=1), now + timedelta(days=2)
    changes = [
        change(id="r", type="receipt", quantity=5),
        change(id="o", type="order_placed", quantity=1, reference="order 1"),
        change(id="h", type="hold", quantity=1),
        change(id="d", type="demand_expected", quantity=6, reference="live", eta=tomorrow),
        change(id="p", type="supply_expected", quantity=9, reference="PO", eta=START),
        change(id="p2", type="receipt", quantity=7, reference="PO", line="0"),
        change(id="u", type="supply_expected", quantity=4, reference="PO 2"),
        change(
            id="t",
            type="transfer_shipped",
            warehouse="N",
            counterparty="W",
            quantity=3,
            reference="truck",
            eta=later,
        ),
    ]
    async with ledger.consuming():
        await ledger.publish(*changes)
        await ledger.until_recorded(len(changes))
    path = "/v1/levels/A/W/projection"
    async with ledger.api() as api:
        found = (await api.get(path)).json()
        # Of 12 on hand one is ordered and one is held; the rest of the order is overdue.
        assert found["available"] == 10
        assert [
            (each["type"], each["reference"], each["quantity"], each["balance"], each["overdue"])
            for each in found["lines"]
        ] == [
            ("supply", "PO", 2, 12, True),
            ("demand", "live", 6, 6, False),
            ("transfer", "truck", 3, 9, False),
        ]
        assert (found["below_zero_at"], found["behind_seconds"]) == (None, 0)
        assert found["undated"] == [{"type": "supply", "quantity": 4, "reference": "PO 2"}]
        some = (await api.get(path, params={"until": tomorrow.isoformat()})).json()
        assert [each["reference"] for each in some["lines"]] == ["PO", "live"]
        missing = await api.get("/v1/levels/A/X/projection")
        assert missing.status_code == 404
        assert "SKU A in warehouse X" in missing.json()["detail"]
        assert (await api.get(path, params={"until": "soon"})).status_code == 422


async def test_what_is_ordered_of_a_demand_is_not_taken_twice(ledger: Ledger) -> None:
    tomorrow = WallClock().now() + timedelta(days=1)
    changes = [
        change(id="r", type="receipt", quantity=20),
        change(id="d", type="demand_expected", quantity=20, reference="SO 9", eta=tomorrow),
        change(id="o", type="order_placed", quantity=12, reference="SO 9"),
        change(id="x", type="order_placed", quantity=1, reference="SO 8"),
    ]
    async with ledger.consuming(), ledger.api() as api:
        await ledger.publish(*changes)
        await ledger.until_recorded(len(changes))
        path = "/v1/levels/A/W/projection"
        for number, shipped in enumerate((0, 5, 7)):
            if shipped:
                sent = {"type": "order_fulfilled", "quantity": shipped, "reference": "SO 9"}
                await ledger.publish(change(id=f"{number}", **sent))
                await ledger.until_recorded(len(changes) + number)
            found = (await api.get(path)).json()
            assert found["available"] == 7
            assert [(each["quantity"], each["balance"]) for each in found["lines"]] == [(8, -1)]
