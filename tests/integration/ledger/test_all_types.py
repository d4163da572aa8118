"""All types of changes through broker and database: levels, their past, and what is still to come.

What a level should be is worked out by `domain.past`, which unit tests hold against a plain model;
here it is the tables, the batches and the answers that are looked at.
"""

import random
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest

from services.ledger.domain.changes import TYPE_OF, Change, Type
from services.ledger.domain.commitments import Book, demand_of, supply_of
from services.ledger.domain.past import Standing, in_order, walk
from shared.events.stock_changes import ChangeType, StockChange
from tests.factories.changes import course
from tests.integration.ledger.service import START, Ledger, change

CHANGES = 240
WAREHOUSES = ("north", "south")
SKUS = ("A", "B", "C")


def halves(event: StockChange) -> Iterator[tuple[str, Change]]:
    """Return what a change is to each warehouse that it concerns."""
    told = Change(
        level=0,
        type=TYPE_OF[event.type],
        hash=b"",
        content=0,
        position=0,
        offset=0,
        **event.model_dump(
            include={
                *("quantity", "occurred_at", "received_at", "channel", "id", "line", "reason"),
                *("reference", "actor", "counterparty", "bucket", "eta"),
            }
        ),
    )
    yield event.warehouse, told
    if event.type is ChangeType.TRANSFER_SHIPPED:
        assert event.counterparty is not None
        yield (
            event.counterparty,
            told._replace(type=Type.TRANSFER_ARRIVING, counterparty=event.warehouse),
        )


def past_of(changes: Sequence[StockChange], sku: str, warehouse: str) -> list[Change]:
    return sorted(
        (
            half
            for event in changes
            if event.sku == sku
            for place, half in halves(event)
            if place == warehouse
        ),
        key=in_order,
    )


def expected(past: Sequence[Change]) -> dict[str, object]:
    book = Book()
    *_, standing = walk(past, book)
    return {
        **standing._asdict(),
        "available": standing.available,
        "supply": [_shown(*due) for due in supply_of(book.lines, 0)],
        "demand": [_shown(*due) for due in demand_of(book.lines, 0)],
    }


def _shown(quantity: int, due_at: datetime | None, reference: str) -> dict[str, object]:
    due = None if due_at is None else due_at.isoformat().replace("+00:00", "Z")
    return {"quantity": quantity, "due_at": due, "reference": reference}


@pytest.mark.parametrize("arrival", ["as it happened", "any order"])
async def test_levels_are_what_all_their_changes_make_them(ledger: Ledger, arrival: str) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}, {arrival}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311 - a course of events, not a secret
    changes = course(chance, CHANGES, skus=SKUS, warehouses=WAREHOUSES, until=START)
    if arrival == "any order":
        chance.shuffle(changes)
    else:
        changes.sort(key=lambda each: each.occurred_at)
    half = CHANGES // 2
    async with ledger.consuming(max_records=7):
        await ledger.publish(*changes[:half])
        await ledger.until_recorded(half)
    # One that has forgotten everything, in batches of another size.
    async with ledger.consuming(max_records=500):
        await ledger.publish(*changes[half:])
        await ledger.until_recorded(CHANGES)
        known = {(each.sku, each.warehouse): each for each in await ledger.published()}
    noon = START - timedelta(hours=6)
    async with ledger.api() as api:
        for sku in SKUS:
            for warehouse in WAREHOUSES:
                past = past_of(changes, sku, warehouse)
                wanted = expected(past)
                level = (await api.get(f"/v1/levels/{sku}/{warehouse}")).json()
                assert {name: level[name] for name in wanted} == wanted
                told = known[sku, warehouse].model_dump(mode="json")
                assert {name: told[name] for name in level} == level
                earlier = [each for each in past if each.occurred_at <= noon]
                if earlier:
                    answer = await api.get(
                        f"/v1/levels/{sku}/{warehouse}", params={"as_of": noon.isoformat()}
                    )
                    before = expected(earlier)
                    assert {name: answer.json()[name] for name in before} == before
                statement = (
                    await api.get(f"/v1/levels/{sku}/{warehouse}/statement?limit=500")
                ).json()["items"]
                assert [
                    (each["balance"], each["reserved"], each["unavailable"], each["incoming"])
                    for each in reversed(statement)
                ] == list(walk(past))
                assert sum(each["applied"] for each in statement) == level["on_hand"]


async def test_what_was_known_at_an_instant_is_told_as_it_was_believed_then(ledger: Ledger) -> None:
    async with ledger.consuming():
        await ledger.publish(change(id="count", type="count", quantity=10))
        await ledger.until_recorded(1)
        (row,) = await ledger.rows("SELECT recorded_at FROM movement")
        believed_at: datetime = row[0]
        late = change(id="late", quantity=4, occurred_at=START + timedelta(hours=1))
        await ledger.publish(late)
        await ledger.until_recorded(2)
    async with ledger.api() as api:
        known = {"known_at": believed_at.isoformat()}
        assert (await api.get("/v1/levels/A/W", params=known)).json()["on_hand"] == 10
        assert (await api.get("/v1/levels/A/W")).json()["on_hand"] == 6
        before = {"known_at": (believed_at - timedelta(seconds=1)).isoformat()}
        answer = await api.get("/v1/levels/A/W", params=before)
        assert answer.status_code == 404
        listed = (await api.get("/v1/levels", params=known)).json()["items"]
        assert [each["on_hand"] for each in listed] == [10]


async def test_an_order_reserves_until_it_is_shipped_whoever_says_so_twice(ledger: Ledger) -> None:
    async def level() -> Standing:
        rows = await ledger.rows("SELECT on_hand, reserved, unavailable, incoming FROM level")
        return Standing(*rows[0])

    async with ledger.consuming():
        await ledger.publish(
            change(id="count", type="count", quantity=10),
            change(id="o1", type="order_placed", quantity=3, reference="order 1"),
            change(id="o2", type="order_placed", quantity=2, reference="order 2"),
        )
        await ledger.until_recorded(3)
        assert (await level()).available == 5
        shipped = START + timedelta(hours=1)
        await ledger.publish(
            change(
                id="s1",
                type="order_fulfilled",
                quantity=3,
                reference="order 1",
                occurred_at=shipped,
            ),
            change(
                id="s1",
                channel="warehouse",
                type="order_fulfilled",
                quantity=3,
                reference="order 1",
                occurred_at=shipped,
            ),
        )
        await ledger.until_recorded(5)
        # The second report is a movement of goods, but order 2 is still owed its two.
        assert (await level()).reserved == 2


async def test_a_short_receipt_of_a_transfer_stays_visible_at_the_destination(
    ledger: Ledger,
) -> None:
    async with ledger.consuming():
        await ledger.publish(
            change(id="c", type="count", quantity=10, warehouse="north"),
            change(
                id="t",
                type="transfer_shipped",
                quantity=6,
                warehouse="north",
                counterparty="south",
                reference="T-1",
                occurred_at=START + timedelta(hours=1),
            ),
            change(
                id="r",
                type="transfer_received",
                quantity=4,
                warehouse="south",
                counterparty="north",
                reference="T-1",
                occurred_at=START + timedelta(hours=2),
            ),
        )
        await ledger.until_recorded(3)
        levels = {each.warehouse: each for each in await ledger.published()}
    assert (levels["north"].on_hand, levels["north"].incoming) == (4, 0)
    assert (levels["south"].on_hand, levels["south"].incoming) == (4, 2)
    assert [each.quantity for each in levels["south"].supply] == [2]
