"""What was sold by local day, as planners ask for it."""

from datetime import UTC, timedelta

import httpx

from shared.clock import WallClock
from shared.http.pages import encode_cursor
from tests.integration.ledger.service import START, Ledger, change

HOUR = timedelta(hours=1)
PATH = "/v1/demand/daily"


async def traded(ledger: Ledger) -> None:
    """Let A sell on both sides of Shanghai's midnight, and run out in between."""
    await ledger.rows(
        "INSERT INTO warehouse VALUES ('W', 1, 'W', 'Asia/Shanghai'), ('N', 1, 'N', 'Asia/Tokyo'),"
        " ('odd', 1, 'odd', '../odd')"
    )
    changes = [
        change(id="r", type="receipt", quantity=5, occurred_at=START),
        change(id="s1", quantity=3, occurred_at=START + 3 * HOUR),
        change(id="s2", channel="till", quantity=2, occurred_at=START + 5.5 * HOUR),
        change(id="back", type="return", quantity=1, occurred_at=START + 6.25 * HOUR),
        change(id="n", warehouse="N", quantity=1),
        change(id="b", sku="B", quantity=1),
        change(id="x", sku="B", warehouse="nowhere", quantity=1),
        change(id="y", sku="C", warehouse="odd", quantity=1),
    ]
    async with ledger.consuming():
        await ledger.publish(*changes)
        await ledger.until_recorded(len(changes))


def problem(answer: httpx.Response, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_demand_is_told_by_the_days_of_the_warehouse(ledger: Ledger) -> None:
    await traded(ledger)
    span = {"from": "2026-03-01", "to": "2026-03-03"}
    async with ledger.api() as api:
        answer = await api.get(PATH, params={"sku": "A", "warehouse": "W", "by": "channel"} | span)
        assert answer.status_code == 200, answer.text
        (level,) = answer.json()["items"]
        assert (level["sku"], level["warehouse"], level["zone"]) == ("A", "W", "Asia/Shanghai")
        common = {"hours": 24, "complete": True}
        nothing = {"sold": 0, "returned": 0, "channels": {}}
        shop, till = {"sold": 3, "returned": 0}, {"sold": 2, "returned": 0}
        assert level["days"] == [
            # Noon in UTC is 20:00 there: nothing was there before, and there is no sale yet.
            {
                **({"day": "2026-03-01", "sold": 3, "returned": 0} | common),
                "stock_out_hours": [*range(20)],
                "stock_out_seconds": 20 * 3600,
                "channels": {"shop": shop},
            },
            # Sold out at half past one, and one unit came back at a quarter past two.
            {
                **({"day": "2026-03-02", "sold": 2, "returned": 1} | common),
                "stock_out_hours": [1, 2],
                "stock_out_seconds": 45 * 60,
                "channels": {"shop": {"sold": 0, "returned": 1}, "till": till},
            },
            {
                **({"day": "2026-03-03"} | common | nothing),
                "stock_out_hours": [],
                "stock_out_seconds": 0,
            },
        ]
        believed = {"known_at": START.isoformat()}
        before = await api.get(PATH, params={"sku": "A", "warehouse": "W"} | span | believed)
        known = before.json()["items"][0]["days"]
        assert [(each["day"], each["sold"], each["complete"]) for each in known] == [
            ("2026-03-01", 0, False)
        ]
        earlier = span | {"known_at": "2026-02-20T00:00:00Z"}
        then = await api.get(PATH, params={"sku": "A", "warehouse": "W"} | earlier)
        assert then.json()["items"][0]["days"] == []
        today = WallClock().now().astimezone(UTC).date()
        ahead = {"from": str(today - timedelta(days=2)), "to": str(today + timedelta(days=9))}
        days = (await api.get(PATH, params={"sku": "A", "warehouse": "N"} | ahead)).json()
        assert len(days["items"][0]["days"]) <= 4
        assert [each["complete"] for each in days["items"][0]["days"]][-2:] == [True, False]


async def test_demand_of_many_is_told_in_pages(ledger: Ledger) -> None:
    await traded(ledger)
    query: dict[str, object] = {
        "skus": ["A", "B", "none"],
        "warehouses": ["W", "N"],
        "from": "2026-03-01",
        "to": "2026-03-01",
        "limit": 2,
    }
    async with ledger.api() as api:
        first = (await api.post(f"{PATH}/query", json=query)).json()
        rest = await api.post(f"{PATH}/query", json=query | {"cursor": first["next_cursor"]})
        found = [*first["items"], *rest.json()["items"]]
        assert [(each["sku"], each["warehouse"]) for each in found] == [
            ("A", "N"),
            ("A", "W"),
            ("B", "W"),
        ]
        assert rest.json()["next_cursor"] is None
        foreign = query | {"cursor": encode_cursor("C", "W")}
        answer = problem(await api.post(f"{PATH}/query", json=foreign), 422)
        assert answer["type"] == "urn:lowtide:problem:bad_cursor"


async def test_days_that_cannot_be_told_say_why(ledger: Ledger) -> None:
    await traded(ledger)
    span = {"from": "2026-03-01", "to": "2026-03-01"}
    async with ledger.api() as api:
        for sku, warehouse in (("B", "nowhere"), ("C", "odd")):
            answer = problem(await api.get(PATH, params={"sku": sku} | span), 422)
            assert answer["type"] == "urn:lowtide:problem:unknown_zone"
            assert answer["warehouses"] == [warehouse]
            assert "PUT /v1/warehouses" in str(answer["detail"])
        answer = problem(await api.get(PATH, params={"sku": "A", "warehouse": "X"} | span), 404)
        assert "SKU A in warehouse X" in str(answer["detail"])
        for wrong in (
            {"from": "2026-03-02"},
            {"to": "2027-03-02"},
            {"from": "1969-12-31"},
            {"to": "9999-12-31"},
            {"from": "yesterday"},
            {"by": "colour"},
            {"limit": "51"},
            {"warehouse": "\x00"},
        ):
            answer = problem(await api.get(PATH, params={"sku": "A"} | span | wrong), 422)
            assert answer["errors"], wrong
