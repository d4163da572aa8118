"""Promise 3 on the real broker and database: the order of arrival leaves no trace in a level.

Several permutations of the same changes run beside each other through one consumer, each under
SKUs and channels of its own, so that one look at the tables compares them all.
"""

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.events.stock_changes import ChangeType, StockChange
from tests.integration.ledger.service import START, Ledger, change

CHANGES = 200
REPEATS = 25
PERMUTATIONS = 4
SKUS = ("A", "B", "C", "D")
WAREHOUSES = ("north", "south")
NO_COUNT = "D"
"""A SKU that is never counted: its level is a sum from the first change on."""


class Choice(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="LOWTIDE_", extra="ignore")

    test_seed: int | None = None
    """The seed that a failed run has printed, to see it again."""


@dataclass(frozen=True)
class Modelled:
    """A level by definition, and its statement: identities with balances, oldest first."""

    on_hand: int
    unavailable: int
    sold: int
    returned: int
    received: int
    counted_at: datetime | None
    last_change_at: datetime
    statement: tuple[tuple[str, str, str, int], ...]


def history(chance: random.Random) -> list[StockChange]:
    """Return changes of few instants, so that ties are many, one count in eight."""
    made = []
    for number in range(CHANGES):
        sku = chance.choice(SKUS)
        kinds = ["sale"] * 9 + ["return", "return", "receipt", "receipt", "adjustment"]
        kinds += ["count", "count"] if sku != NO_COUNT else []
        kind = chance.choice(kinds)
        match kind:
            case "count" | "receipt":
                quantity = chance.randint(1 if kind == "receipt" else 0, 60)
            case "adjustment":
                quantity = chance.choice((-1, 1)) * chance.randint(1, 9)
            case _:
                quantity = chance.randint(1, 5)
        made.append(
            change(
                id=f"{chance.choice(('', 'order ', '单'))}{number}",
                line=chance.choice(("0", "1")),
                channel=chance.choice(("shop", "shop 2", "till")),
                type=kind,
                sku=sku,
                warehouse=chance.choice(WAREHOUSES),
                quantity=quantity,
                occurred_at=START - timedelta(hours=chance.randrange(24)),
                reason="damaged" if kind == "return" and chance.random() < 0.5 else None,
            )
        )
    return made


def modelled(changes: Sequence[StockChange]) -> Modelled:
    """Return a level as promise 3 says it: in order of when it happened, counts last."""
    balance = unavailable = 0
    totals = dict.fromkeys(ChangeType, 0)
    counted_at = None
    statement = []
    in_order = sorted(
        changes,
        key=lambda each: (
            each.occurred_at,
            each.type is ChangeType.COUNT,
            each.channel,
            each.id,
            each.line,
        ),
    )
    for each in in_order:
        totals[each.type] += each.quantity
        match each.type:
            case ChangeType.COUNT:
                balance, counted_at = each.quantity, each.occurred_at
            case ChangeType.SALE:
                balance -= each.quantity
            case _:
                balance += each.quantity
        if each.reason == "damaged":
            unavailable += each.quantity
        statement.append((each.channel, each.id, each.line, balance))
    return Modelled(
        on_hand=balance,
        unavailable=unavailable,
        sold=totals[ChangeType.SALE],
        returned=totals[ChangeType.RETURN],
        received=totals[ChangeType.RECEIPT],
        counted_at=counted_at,
        last_change_at=in_order[-1].occurred_at,
        statement=tuple(statement),
    )


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
            params={"limit": 9, **({"cursor": cursor} if cursor else {})},
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
    changes = history(chance)
    names = [f"p{number}-" for number in range(PERMUTATIONS)]
    arrivals = {name: arrival(changes, chance, name) for name in names}

    async def publish(until_left: int) -> None:
        while sum(map(len, arrivals.values())) > until_left:
            several = []
            for name in names:
                size = chance.randint(0, 40)
                several += arrivals[name][:size]
                del arrivals[name][:size]
            await ledger.publish(*several)

    half = PERMUTATIONS * CHANGES // 2
    async with ledger.consuming(max_records=5):
        await publish(until_left=half)
        await ledger.until_recorded(half // 2)
    # One that has forgotten where levels stand in time, in batches of another size.
    async with ledger.consuming(workers=3, max_records=13):
        await publish(until_left=0)
        await ledger.until_tallied(movements=PERMUTATIONS * CHANGES, repeats=PERMUTATIONS * REPEATS)
    assert await ledger.tallies() == {
        "movements": PERMUTATIONS * CHANGES,
        "repeats": PERMUTATIONS * REPEATS,
    }

    told = {(each.sku, each.warehouse): each for each in await ledger.published()}
    async with ledger.api() as api:
        for sku in SKUS:
            for warehouse in WAREHOUSES:
                model = modelled([e for e in changes if (e.sku, e.warehouse) == (sku, warehouse)])
                for name in names:
                    level = told[f"{name}{sku}", warehouse]
                    answer = await api.get(f"/v1/levels/{name}{sku}/{warehouse}")
                    published = level.model_dump(mode="json", exclude={"v", "low_water"})
                    assert published == answer.json()
                    movements = await statement(api, level.sku, level.warehouse)
                    assert movements[0]["balance"] == level.on_hand
                    assert model == Modelled(
                        on_hand=level.on_hand,
                        unavailable=level.unavailable,
                        sold=level.sold_total,
                        returned=level.returned_total,
                        received=level.received_total,
                        counted_at=level.counted_at,
                        last_change_at=level.last_change_at,
                        statement=tuple(
                            (
                                str(each["channel"]).removeprefix(name),
                                str(each["id"]),
                                str(each["line"]),
                                int(str(each["balance"])),
                            )
                            for each in reversed(movements)
                        ),
                    )


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
