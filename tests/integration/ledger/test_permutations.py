"""Promise 3 on the real broker and database: the order of arrival leaves no trace in a level.

Several permutations of the same changes run beside each other through one consumer, each under
SKUs and channels of its own, so that one look at the tables compares them all.
"""

import random
import secrets
from datetime import timedelta

import httpx
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.events.stock_changes import Bucket, ChangeType, StockChange
from tests.factories.changes import course
from tests.integration.ledger.service import START, Ledger, change
from tests.model import stock
from tests.model.stock import Level

CHANGES = 1_000
REPEATS = 50
PERMUTATIONS = 3
SKUS = tuple("ABCDEFGHIJKLMNOP")
BUCKETED = ("A", "B", "C")
"""SKUs of which more than what is on hand is counted: slower, for that depends on all the past."""
WAREHOUSES = ("north", "south")


class Choice(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="LOWTIDE_", extra="ignore")

    test_seed: int | None = None
    """The seed that a failed run has printed, to see it again."""


def arrival(changes: list[StockChange], chance: random.Random, name: str) -> list[StockChange]:
    """Return the changes in an order of their own, some of them told again later on."""
    own = [
        each.model_copy(update={"sku": f"{name}{each.sku}", "channel": f"{name}{each.channel}"})
        for each in changes
    ]
    chance.shuffle(own)
    for _ in range(REPEATS):
        place = chance.randrange(len(own))
        again = own[place].model_copy(
            update={
                "received_at": START + timedelta(seconds=place),
                "occurred_at": START - timedelta(minutes=chance.randrange(10_000)),
                "actor": "a retry",
            }
        )
        own.insert(chance.randint(place + 1, len(own)), again)
    return own


async def statement(api: httpx.AsyncClient, sku: str, warehouse: str) -> list[dict[str, object]]:
    """Return a level's whole statement, newest first, read in small pages."""
    found: list[dict[str, object]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await api.get(
            f"/v1/levels/{sku}/{warehouse}/statement",
            params={"limit": 40, **({"cursor": cursor} if cursor else {})},
        )
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
    return found


async def test_permutations_of_the_same_changes_give_the_levels_of_the_model(
    ledger: Ledger,
) -> None:
    seed = Choice().test_seed or secrets.randbits(32)
    print(f"LOWTIDE_TEST_SEED={seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311 - a course of events, not a secret
    changes = course(
        chance,
        CHANGES,
        skus=SKUS,
        warehouses=WAREHOUSES,
        until=START,
        hours=24,
        bucketed=BUCKETED,
    )
    names = [f"p{number}-" for number in range(PERMUTATIONS)]
    arrivals = {name: arrival(changes, chance, name) for name in names}

    async def publish(until_left: int) -> None:
        while sum(map(len, arrivals.values())) > until_left:
            several = []
            for name in names:
                size = chance.randint(0, 150)
                several += arrivals[name][:size]
                del arrivals[name][:size]
            await ledger.publish(*several)

    half = PERMUTATIONS * CHANGES // 2
    async with ledger.consuming(max_records=40):
        await publish(until_left=half)
        await ledger.until_recorded(half // 2)
    # One that has forgotten where levels stand in time, in batches of another size.
    async with ledger.consuming(workers=3, max_records=300):
        await publish(until_left=0)
        await ledger.until_tallied(movements=PERMUTATIONS * CHANGES, repeats=PERMUTATIONS * REPEATS)
    assert await ledger.tallies() == {
        "movements": PERMUTATIONS * CHANGES,
        "repeats": PERMUTATIONS * REPEATS,
    }

    kept = await ledger.rows(
        "SELECT channel, change_id, line, bucket, counted, state FROM stock_count"
    )
    assert sorted(map(tuple, kept)) == sorted(
        (
            *(f"{name}{each.channel}", each.id, each.line),
            *(each.bucket or Bucket.ON_HAND, each.quantity, "applied"),
        )
        for name in names
        for each in changes
        if each.type is ChangeType.COUNT
    )

    told = {(each.sku, each.warehouse): each for each in await ledger.published()}
    async with ledger.api() as api:
        for sku, warehouse in sorted({place for each in changes for place in stock.places(each)}):
            model = stock.level(changes, (sku, warehouse))
            own = stock.in_order(e for e in changes if (e.sku, e.warehouse) == (sku, warehouse))
            balances = [
                (*stock.identity(each), on_hand)
                for each, (on_hand, _) in zip(own, stock.balances(own), strict=True)
            ]
            for name in names:
                level = told[f"{name}{sku}", warehouse]
                assert Level.told(level) == model
                answer = await api.get(f"/v1/levels/{name}{sku}/{warehouse}")
                published = level.model_dump(mode="json", exclude={"v", "low_water", "corrected"})
                assert published == answer.json()
                movements = await statement(api, level.sku, level.warehouse)
                assert movements[0]["balance"] == level.on_hand
                assert balances == [
                    (
                        str(each["channel"]).removeprefix(name),
                        *(each["id"], each["line"], each["balance"]),
                    )
                    for each in reversed(movements)
                    if each["type"] != "transfer_arriving"
                ]


async def test_the_later_of_two_counts_at_one_instant_holds_across_a_restart(
    ledger: Ledger,
) -> None:
    def count(sku: str, id_: str, quantity: int) -> StockChange:
        return change(id=id_, type="count", quantity=quantity, sku=sku, channel=sku)

    async with ledger.consuming():
        await ledger.publish(count("lower first", "1", 4), count("higher first", "2", 7))
        await ledger.until_recorded(2)
    async with ledger.consuming():
        await ledger.publish(count("lower first", "2", 7), count("higher first", "1", 4))
        await ledger.until_recorded(4)
    assert await ledger.on_hand("lower first", "W") == 7
    assert await ledger.on_hand("higher first", "W") == 7
