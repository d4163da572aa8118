"""Counts as people work with them, and changes that nobody expects: through topic, tables, HTTP."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from services.ledger import pipeline
from services.ledger.commands.verify import verify
from services.ledger.domain.statement import Recorded
from services.ledger.store import past
from services.ledger.store.items import keep
from services.ledger.store.past import recorded
from shared.clock import WallClock
from shared.database.engine import create_engine, driver
from shared.events.catalog_items import CatalogItem
from shared.events.dead_letters import DeadReason
from shared.events.stock_changes import StockChange
from shared.events.stock_levels import StockLevel
from shared.kafka.handler import Batch
from shared.testing.waiting import until
from tests.integration.ledger.service import START, Ledger, change, neighbours

HOUR = timedelta(hours=1)


def count(quantity: int, hours: float, **fields: object) -> StockChange:
    at = START + timedelta(hours=hours)
    told = {"id": f"count {hours}", "type": "count", "quantity": quantity, "occurred_at": at}
    return change(**(told | fields))


def sale(quantity: int, hours: float, **fields: object) -> StockChange:
    at = START + timedelta(hours=hours)
    return change(**({"id": f"sale {hours}", "quantity": quantity, "occurred_at": at} | fields))


async def items(api: httpx.AsyncClient, path: str, **parameters: object) -> list[dict[str, object]]:
    answer = await api.get(path, params={k: str(v) for k, v in parameters.items()})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["items"]
    return found


async def tolerate(api: httpx.AsyncClient, limits: dict[str, object], **scope: str) -> None:
    answer = await api.put("/v1/count-tolerances", params=scope, json=limits)
    assert answer.status_code == 200, answer.text


async def level(api: httpx.AsyncClient, sku: str = "A") -> tuple[int, list[str]]:
    """Return what is on hand of a SKU, and the flags of its level."""
    found = (await api.get(f"/v1/levels/{sku}/W")).json()
    return found["on_hand"], found["flags"]


async def differences(ledger: Ledger) -> int:
    """Return how many levels are not what their movements make them."""
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        report = await verify(engine, progress=lambda *_: None, found=print)
    finally:
        await engine.dispose()
    return report.differing


async def test_every_count_keeps_what_was_expected_of_it(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    story = [
        change(id="r", type="receipt", quantity=30, occurred_at=START),
        count(29, 4),
        sale(5, 5),
        # Older than the sale, at the instant of the count before, and older than both.
        count(26, 4.5, reason="cycle count", reference="sheet 7"),
        count(27, 4.5, id="count 4.5 again"),
        sale(2, 1),
        count(20, 2),
        sale(3, 3),
        count(17, 3.5),
        count(9, 1, bucket="unavailable", sku="B", id="not of on hand"),
    ]
    async with ledger.consuming():
        for number, each in enumerate(story, start=1):
            await ledger.publish(each)
            await ledger.until_recorded(number)
    found = {
        str(each["change_id"]): (each["expected"], each["variance"], each["within"])
        for each in await items(api, "/v1/counts", sku="A", warehouse="W")
    }
    assert found == {
        "count 4": (30, -1, False),
        "count 4.5": (29, -3, False),
        "count 4.5 again": (26, 1, False),
        "count 2": (28, -8, False),
        "count 3.5": (17, 0, True),
    }
    assert await level(api) == (22, [])
    newest, *_ = await items(api, "/v1/counts")
    assert newest == (await api.get(f"/v1/counts/{newest['id']}")).json()
    assert newest["state"] == "applied"
    assert newest["variance_money"] is newest["actor"] is newest["decided_by"] is None
    assert newest["settled_at"] == newest["recorded_at"]
    told = {str(each["change_id"]): each for each in await items(api, "/v1/counts")}["count 4.5"]
    assert (told["reason"], told["reference"]) == ("cycle count", "sheet 7")
    # The same told at once, in one batch, expects the same.
    async with ledger.consuming():
        await ledger.publish(
            *(each.model_copy(update={"sku": "C", "channel": "at once"}) for each in story[:-1])
        )
        await ledger.until_recorded(2 * len(story) - 1)
    assert found == {
        str(each["change_id"]): (each["expected"], each["variance"], each["within"])
        for each in await items(api, "/v1/counts", sku="C")
    }
    assert await differences(ledger) == 0


async def test_a_count_of_what_is_available_reads_no_past_unless_something_newer_is_known(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0

    def noted(row: Sequence[object]) -> Recorded:
        nonlocal read
        read += 1
        return recorded(row)

    monkeypatch.setattr(past, "recorded", noted)
    story = [
        change(id="r", type="receipt", quantity=90, occurred_at=START),
        change(id="o", type="order_placed", quantity=5, reference="1", occurred_at=START + HOUR),
        change(id="h", type="hold", quantity=2, occurred_at=START + 2 * HOUR),
        *(sale(1, 3 + n / 100) for n in range(20)),
    ]
    in_time = [
        count(60, 5, bucket="available"),
        count(70, 6),
        change(id="f", type="order_fulfilled", quantity=9, reference="1", occurred_at=START),
        count(3, 7, bucket="unavailable"),
        count(50, 8, bucket="available", id="with an order"),
        change(
            id="p", type="order_placed", quantity=4, reference="2", occurred_at=START + 9 * HOUR
        ),
    ]
    late = count(55, 7.5, bucket="available")
    recorded_by = len(story)
    async with ledger.consuming():
        await ledger.publish(*story)
        await ledger.until_recorded(recorded_by)
        for each, expected in zip(in_time, (0, 0, None, 0, 0, 0), strict=True):
            read = 0
            await ledger.publish(each)
            recorded_by += 1
            await ledger.until_recorded(recorded_by)
            assert expected is None or read == expected, each.id
        assert await ledger.on_hand() == 50 + 3
        read = 0
        await ledger.publish(late)
        await ledger.until_recorded(recorded_by + 1)
        assert read == recorded_by
        # In one batch, what comes later in it happens on what comes before.
        await ledger.publish(
            count(40, 20, bucket="available"),
            change(
                id="q",
                type="order_placed",
                quantity=3,
                reference="2",
                occurred_at=START + 21 * HOUR,
            ),
            count(41, 22, bucket="available"),
            count(30, 19.5, sku="B", bucket="available"),
        )
        await ledger.until_recorded(recorded_by + 5)
        read = 0
    assert await differences(ledger) == 0


async def test_a_persons_count_beyond_tolerance_waits_and_a_recount_settles_it(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await tolerate(api, {"units": 2})
    async with ledger.consuming():
        await ledger.publish(
            change(id="r", type="receipt", quantity=30),
            count(29, 1, actor="li"),
            count(9, 2, actor="li"),
            # A machine's stands.
            change(id="m", sku="M", type="receipt", quantity=30),
            count(9, 2, sku="M", id="machine"),
        )
        await ledger.until_recorded(5)
        assert await level(api) == (29, ["in_doubt"])
        assert await level(api, "M") == (9, [])
        (told,) = [each for each in await ledger.published() if each.flags]
        assert (told.sku, told.on_hand, told.flags) == ("A", 29, ("in_doubt",))
        (waiting,) = await items(api, "/v1/counts", state="waiting")
        assert (waiting["counted"], waiting["expected"], waiting["actor"]) == (9, 29, "li")
        assert waiting["settled_at"] is None
        asked = await api.post(f"/v1/counts/{waiting['id']}/request-recount")
        again = await api.post(f"/v1/counts/{waiting['id']}/request-recount")
        assert asked.json() == again.json()
        assert (asked.json()["state"], asked.json()["decided_by"]) == ("recount_requested", "zhang")

        # A repeat is a repeat, a sale moves what is there, and the level stays in doubt.
        await ledger.publish(count(9, 2, actor="wang"), sale(1, 3), count(8, 2, actor="li"))
        await ledger.until_tallied(repeats=1, movements=6)
        await ledger.until_rejected(DeadReason.ID_REUSED, 1)
        (letter,) = await ledger.dead_letters()
        assert '"type": "count"' in str(letter.first)
        assert await level(api) == (28, ["in_doubt"])
        # Older than the one that waits: it holds, and settles nothing.
        await ledger.publish(count(28, 1.5, actor="li"))
        await ledger.until_recorded(7)
        assert await level(api) == (27, ["in_doubt"])
        await ledger.publish(count(26, 4, actor="li"))
        await ledger.until_recorded(8)
        assert await level(api) == (26, [])
        # What would have waited, had it come earlier, is settled as it comes.
        await ledger.publish(count(3, 3.5, actor="li"))
        await ledger.until_recorded(9)
        assert await level(api) == (26, [])
    states = {each["change_id"]: each["state"] for each in await items(api, "/v1/counts", sku="A")}
    assert states == {
        "count 1": "applied",
        "count 1.5": "applied",
        "count 2": "superseded",
        "count 3.5": "superseded",
        "count 4": "applied",
    }
    refused = await api.post(f"/v1/counts/{waiting['id']}/approve")
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:lowtide:problem:count_settled"
    assert (await api.post("/v1/counts/999/approve")).status_code == 404
    statement = await items(api, "/v1/levels/A/W/statement")
    assert [(each["type"], each["change"], each["balance"]) for each in statement] == [
        ("count", -1, 26),
        ("count_waiting", 0, 27),
        ("sale", -1, 27),
        ("count_waiting", 0, 28),
        ("count", -1, 28),
        ("count", -1, 29),
        ("receipt", 30, 30),
    ]
    assert await differences(ledger) == 0


async def test_a_count_of_another_bucket_is_kept_waits_and_applies_like_one_of_on_hand(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await tolerate(api, {"units": 2})
    await stock_class(ledger, "A", "A", Decimal("2.50"))
    slip = count(1, 4, bucket="unavailable", actor="li", id="slip")
    async with ledger.consuming():
        await ledger.publish(
            change(id="r", type="receipt", quantity=30),
            change(id="o", type="order_placed", quantity=5, reference="1", occurred_at=START),
            change(id="h", type="hold", quantity=4, occurred_at=START),
            count(20, 3, bucket="available", actor="li", id="free"),
            slip,
            count(40, 5, bucket="available", actor="li", id="typo"),
        )
        await ledger.until_recorded(6)
        assert await level(api) == (29, ["in_doubt"])
        # Settles the other that sets on hand, and leaves what is unavailable in doubt.
        await ledger.publish(count(28, 6))
        await ledger.until_recorded(7)
        assert await level(api) == (28, ["in_doubt"])
        # What is told late is expected by who comes later still; nothing that waits is newer.
        await ledger.publish(
            change(id="late", type="hold", quantity=2, occurred_at=START + 3.5 * HOUR),
            count(6, 3.75, bucket="unavailable", id="before the slip"),
            slip.model_copy(update={"actor": "a retry"}),
        )
        await ledger.until_tallied(movements=9, repeats=1)
        assert await level(api) == (28, ["in_doubt"])
        (waiting,) = await items(api, "/v1/counts", state="waiting")
        answer = await api.post(f"/v1/counts/{waiting['id']}/approve")
        assert answer.status_code == 200
        await settled(api, waiting["id"])
        found = (await api.get("/v1/levels/A/W")).json()
        assert (found["on_hand"], found["unavailable"], found["flags"]) == (28, 1, [])
        # A newer one of the same holds by now.
        await ledger.publish(count(9, 3.9, bucket="unavailable", actor="li", id="too late"))
        await ledger.until_recorded(10)
        assert await level(api) == (28, [])
    told = {
        str(each["change_id"]): (
            *(each["bucket"], each["expected"], each["variance"], each["variance_money"]),
            *(each["within"], each["state"]),
        )
        for each in await items(api, "/v1/counts")
    }
    assert told == {
        "free": ("available", 21, -1, "-2.50", True, "applied"),
        "slip": ("unavailable", 4, -3, "-7.50", False, "approved"),
        "typo": ("available", 20, 20, "50.00", False, "superseded"),
        "count 6": ("on_hand", 29, -1, "-2.50", True, "applied"),
        "before the slip": ("unavailable", 6, 0, "0.00", True, "applied"),
        "too late": ("unavailable", 6, 3, "7.50", False, "superseded"),
    }
    (accuracy,) = await items(api, "/v1/accuracy")
    assert (accuracy["counts"], accuracy["within"], accuracy["variance_units"]) == (1, 1, 1)
    statement = await items(api, "/v1/levels/A/W/statement")
    assert [(each["type"], each["unavailable"]) for each in statement if each["id"] == "slip"] == [
        ("count", 1),
        ("count_waiting", 6),
    ]
    assert await differences(ledger) == 0


async def test_tolerances_are_of_classes_and_warehouses_and_accuracy_is_by_them(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await tolerate(api, {"units": 0})
    await tolerate(api, {"percent": "10", "money": "50.00"}, **{"class": "A"})
    await tolerate(api, {"units": 5}, **{"class": "A", "warehouse": "N"})
    await tolerate(api, {"units": 4}, **{"class": "A", "warehouse": "N"})
    await tolerate(api, {"units": 9}, warehouse="X")
    gone = await api.delete("/v1/count-tolerances", params={"warehouse": "X"})
    assert gone.status_code == 204
    assert await items(api, "/v1/count-tolerances") == [
        {"stock_class": s, "warehouse": w, "units": u, "percent": p, "money": m}
        for s, w, u, p, m in [
            (None, None, 0, None, None),
            ("A", None, None, "10", "50.00"),
            ("A", "N", 4, None, None),
        ]
    ]
    await tolerate(api, {"percent": "0E+999999999", "money": "0E+999999999"}, warehouse="Z")
    (none,) = [e for e in await items(api, "/v1/count-tolerances") if e["warehouse"] == "Z"]
    assert (none["percent"], none["money"]) == ("0", "0")
    for wrong in ({}, {"units": -1}, {"percent": "many"}, {"units": None}):
        assert (await api.put("/v1/count-tolerances", json=wrong)).status_code == 422, wrong
    await stock_class(ledger, "dear", "A", Decimal("20.50"))
    async with ledger.consuming():
        for warehouse in ("W", "N"):
            for sku in ("dear", "plain"):
                await ledger.publish(
                    change(
                        id=f"r {warehouse}",
                        sku=sku,
                        channel=sku,
                        type="receipt",
                        warehouse=warehouse,
                        quantity=100,
                    )
                )
        await ledger.until_recorded(4)
        await ledger.publish(
            # Ten per cent, but more than fifty in money; four in a warehouse of its own.
            count(103, 1, sku="dear", actor="li", id="1"),
            count(104, 1, sku="dear", actor="li", id="2", warehouse="N"),
            count(102, 2, sku="dear", actor="li", id="3"),
            count(101, 1, sku="plain", actor="li", id="4"),
            count(100, 1, sku="plain", actor="li", id="5", warehouse="N"),
            count(97, 2, sku="plain", id="6", warehouse="N"),
        )
        await ledger.until_recorded(10)
    found = {
        str(each["change_id"]): (each["state"], each["within"], each["variance_money"])
        for each in await items(api, "/v1/counts")
    }
    assert found == {
        "1": ("superseded", False, "61.50"),
        "2": ("applied", True, "82.00"),
        "3": ("applied", True, "41.00"),
        "4": ("waiting", False, None),
        "5": ("applied", True, None),
        "6": ("applied", False, None),
    }
    named = {(each["sku"], each["sku_name"]) for each in await items(api, "/v1/counts")}
    assert named == {("dear", "Dear"), ("plain", None)}
    assert await items(api, "/v1/accuracy") == [
        {"warehouse": "N", "counts": 3, "within": 2, "accuracy": 2 / 3, "variance_units": 7,
         "variance_money": "82.00", "without_cost": 2},
        {"warehouse": "W", "counts": 2, "within": 1, "accuracy": 0.5, "variance_units": 3,
         "variance_money": "41.00", "without_cost": 1},
    ]  # fmt: skip
    bounds = {"from": START + 2 * HOUR, "to": START + 3 * HOUR, "warehouse": "N"}
    (some,) = await items(api, "/v1/accuracy", **bounds)
    assert (some["counts"], some["within"]) == (1, 0)
    first = (await api.get("/v1/counts", params={"limit": 4})).json()
    rest = await api.get("/v1/counts", params={"limit": 4, "cursor": first["next_cursor"]})
    assert [each["id"] for each in first["items"] + rest.json()["items"]] == [6, 5, 4, 3, 2, 1]
    assert await differences(ledger) == 0


async def stock_class(ledger: Ledger, sku: str, kind: str, cost: Decimal) -> None:
    """Let the catalogue say what a SKU is called (like itself), its class and its cost."""
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    item = CatalogItem(
        sku=sku, version=1, name=sku.title(), stock_class=kind, cost=cost, updated_at=START
    )
    try:
        async with engine.begin() as connection:
            await keep(await driver(connection), [item])
    finally:
        await engine.dispose()


async def test_a_change_far_larger_than_usual_is_told_until_the_level_is_counted(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    async with ledger.consuming():
        await ledger.publish(change(id="r", type="receipt", quantity=500))
        await ledger.publish(*(sale(2, n / 10) for n in range(20)))
        await ledger.publish(
            sale(40, 3), sale(90, 5), sale(70, 4), sale(999, 5, sku="new", id="new")
        )
        await ledger.until_recorded(25)
        assert await level(api) == (260, ["unusual"])
        assert await level(api, "new") == (-999, ["negative"])
        assert (await ledger.published())[-1].flags in {("unusual",), ("negative",)}
        marks = {
            each["id"]: each["unusual"] for each in await items(api, "/v1/levels/A/W/statement")
        }
        assert [id_ for id_, is_unusual in marks.items() if is_unusual] == ["sale 5"]
        # A count before it says nothing about it.
        await ledger.publish(count(300, 4.5))
        await ledger.until_recorded(26)
        assert await level(api) == (210, ["unusual"])
        await ledger.publish(count(209, 5))
        await ledger.until_recorded(27)
        assert await level(api) == (209, [])
        # Long before the count that holds: the movement is marked, the level is not doubted.
        await ledger.publish(change(id="typo", type="adjustment", quantity=-9000))
        await ledger.until_recorded(28)
        assert await level(api) == (209, [])
        # A count of what is available says what is on hand as well.
        await ledger.publish(sale(500, 6))
        await ledger.until_recorded(29)
        assert await level(api) == (-291, ["negative", "unusual"])
        await ledger.publish(count(0, 7, bucket="available"))
        await ledger.until_recorded(30)
        assert await level(api) == (0, [])
    typo = [each for each in await items(api, "/v1/levels/A/W/statement") if each["id"] == "typo"]
    assert [each["unusual"] for each in typo] == [True]
    assert await differences(ledger) == 0


async def test_a_stocktake_of_ten_thousand_lines_is_applied_at_once(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    lines = range(10_000)
    async with ledger.consuming():
        await ledger.publish(*(sale(1, 2, id=f"s {n}", sku=f"S{n}") for n in lines[::2]))
        await ledger.until_recorded(5_000)
        await ledger.publish(
            *(count(n % 50, 1, id=f"c {n}", sku=f"S{n}", actor="li") for n in lines)
        )
        await ledger.until_recorded(15_000)
    wrong = await ledger.rows(
        """
        SELECT sku, on_hand FROM level
        WHERE on_hand <> substr(sku, 2)::int % 50 - (1 - substr(sku, 2)::int % 2)
        """
    )
    assert wrong == []
    kept = await ledger.rows(
        "SELECT count(*), sum(counted - expected), bool_and(state = 'applied') FROM stock_count"
    )
    assert tuple(kept[0]) == (10_000, sum(n % 50 for n in lines), True)
    assert await differences(ledger) == 0


async def settled(api: httpx.AsyncClient, number: object) -> dict[str, object]:
    """Return a count once its level knows what was decided on it."""

    async def known() -> bool:
        return (await api.get(f"/v1/counts/{number}")).json()["settled_at"] is not None

    await until(known)
    found: dict[str, object] = (await api.get(f"/v1/counts/{number}")).json()
    return found


async def test_an_approved_count_applies_when_it_was_taken_whatever_came_since(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await tolerate(api, {"units": 2})
    async with ledger.consuming():
        await ledger.publish(
            change(id="r", type="receipt", quantity=30),
            count(20, 2, actor="li"),
            sale(3, 3),
            # A level whose past has to be walked through at each change.
            change(id="r", sku="B", channel="b", type="receipt", quantity=30),
            count(1, 1, sku="B", channel="b", bucket="unavailable"),
            count(20, 2, sku="B", channel="b", actor="li"),
        )
        await ledger.until_recorded(6)
        assert (await level(api), await level(api, "B")) == ((27, ["in_doubt"]), (30, ["in_doubt"]))
        before = WallClock().now()
        waiting = await items(api, "/v1/counts", state="waiting")
        for each in waiting:
            answer = await api.post(f"/v1/counts/{each['id']}/approve")
            assert (answer.status_code, answer.json()["state"]) == (200, "approved")
        first, second = [await settled(api, each["id"]) for each in waiting]
        assert first["decided_by"] == second["decided_by"] == "zhang"
        assert (await level(api), await level(api, "B")) == ((17, []), (20, []))
        await until_told(ledger, "A", 17)
        await until_told(ledger, "B", 20)
        # Approved again it is what it was; anything else comes too late.
        again = await api.post(f"/v1/counts/{first['id']}/approve")
        assert (again.status_code, again.json()) == (200, first)
        assert (await api.post(f"/v1/counts/{first['id']}/reject")).status_code == 409

        # The worker knows that the count holds: what is older is contained in it.
        await ledger.publish(sale(5, 1), sale(1, 4), count(20, 2, actor="a retry"))
        await ledger.until_tallied(movements=8, repeats=1)
        assert await level(api) == (16, [])
    statement = await items(api, "/v1/levels/A/W/statement")
    assert [(each["type"], each["masked"], each["balance"]) for each in statement] == [
        ("sale", False, 16),
        ("sale", False, 17),
        ("count", False, 20),
        ("count_waiting", False, 25),
        ("sale", True, 25),
        ("receipt", False, 30),
    ]
    then = (await api.get("/v1/levels/A/W", params={"known_at": before.isoformat()})).json()
    assert (then["on_hand"], then["counted_at"]) == (27, None)
    assert await differences(ledger) == 0


async def until_told(ledger: Ledger, sku: str, on_hand: int) -> None:
    """Wait until a level is on its topic as it is, not doubted any more."""

    async def told() -> bool:
        newest = {each.sku: each for each in await ledger.published()}
        return (newest[sku].on_hand, newest[sku].flags) == (on_hand, ())

    await until(told)


async def test_decisions_that_are_carried_out_keep_nobody_from_hearing_of_the_others(
    ledger: Ledger, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "DECISIONS", 1)
    home, beside = neighbours("A")
    await tolerate(api, {"units": 0})
    async with ledger.consuming():
        await ledger.publish(
            change(id="r", type="receipt", quantity=5, sku=beside, channel="b"),
            *(count(40 - n, n, id=f"{n}", actor="li", reference="ST-1") for n in range(1, 21)),
        )
        await ledger.until_recorded(21)
    (stocktake,) = await items(api, "/v1/stocktakes")
    choice = {"reference": "ST-1"} | {name: stocktake[name] for name in ("up_to", "counts")}
    answer = await api.post("/v1/stocktakes/approve", json=choice)
    assert answer.json() == {"decided": 20, "left": 0}
    lines = [{"sku": beside, "warehouse": "W", "quantity": 2}]
    async with ledger.api() as shop:
        held = await shop.post("/v1/reservations", json={"lines": lines})
    assert held.status_code == 201, held.text
    handler = ledger.handler()
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    told = []
    async with engine.connect() as connection:
        for number in range(3):
            assert await handler.due(connection, [home], {}) == {home}
            await connection.rollback()
            batch = Batch([], {home: 100 + number}, {home: 99 + number})
            async with connection.begin():
                (levels,) = await handler.turn(connection, batch, {})
            handler.turned()
            told += [StockLevel.model_validate_json(each.value or b"") for each in levels.messages]
    await engine.dispose()
    assert [(each.sku, each.available) for each in told] == [("A", 39), (beside, 3), ("A", 38)]


async def test_a_rejected_count_is_dropped_and_decisions_outlive_the_worker(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await tolerate(api, {"percent": 5})
    async with ledger.consuming():
        await ledger.publish(
            change(id="r", type="receipt", quantity=30),
            count(3, 1, actor="li"),
            count(28, 2, actor="li"),
            change(id="r", sku="B", channel="b", type="receipt", quantity=30),
            count(40, 1, sku="B", channel="b", actor="li"),
        )
        await ledger.until_recorded(5)
    waiting = await items(api, "/v1/counts", state="waiting")
    first, second, other = sorted(waiting, key=lambda each: (each["sku"], str(each["change_id"])))
    assert (await api.post(f"/v1/counts/{first['id']}/reject")).json()["state"] == "rejected"
    assert (await api.post(f"/v1/counts/{other['id']}/approve")).json()["settled_at"] is None
    assert await level(api) == (30, ["in_doubt"])
    # As if the worker had been killed between its commit and its messages.
    await ledger.rows("UPDATE consumer_position SET published = 0")
    async with ledger.consuming():
        await settled(api, first["id"])
        await settled(api, other["id"])
        # One more waits still.
        assert (await level(api), await level(api, "B")) == ((30, ["in_doubt"]), (40, []))
        await api.post(f"/v1/counts/{second['id']}/reject")
        await settled(api, second["id"])
        assert await level(api) == (30, [])
        await until_told(ledger, "A", 30)
    told = [(each.version, each.flags) for each in await ledger.published() if each.sku == "A"]
    assert any(told.count(each) > 1 for each in told)
    assert len(set(told)) == len({version for version, _ in told})
    assert await items(api, "/v1/accuracy") == [
        {
            "warehouse": "W",
            "counts": 1,
            "within": 0,
            "accuracy": 0.0,
            "variance_units": 10,
            "variance_money": "0",
            "without_cost": 1,
        }
    ]
    assert await differences(ledger) == 0
