"""Promise 1: a change is counted once, whenever, wherever and however often it is told."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from services.ledger.commands.archive import archive
from services.ledger.commands.statement import Period, read
from services.ledger.domain.identities import RecentIdentities
from services.ledger.pipeline import StockChanges
from services.ledger.sorting import FUTURE
from services.ledger.store.identity_filters import Filters
from services.ledger.store.periods import IDENTITY_DAYS, Periods, identity_start
from shared.clock import ManualClock
from shared.database.engine import Driver, create_engine
from shared.events.dead_letters import DeadLetter, DeadReason
from shared.events.stock_changes import StockChange
from shared.kafka.handler import Batch
from shared.kafka.messages import Outgoing
from tests.integration.ledger.service import PARTITIONS, START, Ledger, change

BOUNDARY = datetime.combine(
    identity_start(START.date()) + timedelta(days=IDENTITY_DAYS), time(), UTC
)
"""The first instant of the next period of identities."""
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def clock(ledger: Ledger) -> ManualClock:
    """Set what the ledger records by to an hour after the changes happened."""
    ledger.clock = manual = ManualClock(START + timedelta(hours=1))
    return manual


def forgetful(ledger: Ledger) -> StockChanges:
    """Return a handler without a memory: every identity is asked of the database."""
    handler = StockChanges(ledger.clock, PARTITIONS)
    handler._sorting._recent = RecentIdentities(0)
    return handler


RECEIPT = change(id="r", type="receipt", quantity=5)


def again(**fields: object) -> StockChange:
    """Return the receipt told again, by a retry that gives other times and another actor."""
    retried: dict[str, object] = {
        "occurred_at": START - timedelta(hours=7),
        "received_at": START + timedelta(minutes=1),
        "actor": "retry",
    }
    return StockChange.model_validate(RECEIPT.model_dump() | retried | fields)


async def test_repeats_are_recognised_over_all_periods(ledger: Ledger, clock: ManualClock) -> None:
    first_told = BOUNDARY - SECOND
    clock.set(first_told)
    async with ledger.consuming(handler=lambda: forgetful(ledger)):
        await ledger.publish(RECEIPT)
        await ledger.until_recorded(1)
        later = [
            BOUNDARY,
            BOUNDARY + SECOND,
            BOUNDARY + IDENTITY_DAYS * DAY - SECOND,
            BOUNDARY + IDENTITY_DAYS * DAY,
            first_told + 90 * DAY,
        ]
        for number, instant in enumerate(later, start=1):
            clock.set(instant)
            # A change of its own beside it: the period has identities to be told apart from.
            await ledger.publish(again(), change(id=f"other {number}", quantity=1))
            await ledger.until_tallied(repeats=number, movements=1 + number)
    assert await ledger.on_hand() == 5 - len(later)
    assert await ledger.tallies() == {"movements": 1 + len(later), "repeats": len(later)}


async def test_a_new_process_recognises_repeats_of_the_period_before(
    ledger: Ledger, clock: ManualClock
) -> None:
    clock.set(BOUNDARY - SECOND)
    async with ledger.consuming():
        await ledger.publish(RECEIPT)
        await ledger.until_recorded(1)
    clock.set(BOUNDARY)
    async with ledger.consuming():
        await ledger.publish(again())
        await ledger.until_tallied(repeats=1)
    assert await ledger.on_hand() == 5


async def test_a_clock_set_back_over_the_end_of_a_period_forgets_nothing(
    ledger: Ledger, clock: ManualClock
) -> None:
    clock.set(BOUNDARY + SECOND)
    async with ledger.consuming(handler=lambda: forgetful(ledger)):
        await ledger.publish(RECEIPT)
        await ledger.until_recorded(1)
        clock.set(BOUNDARY - SECOND)
        await ledger.publish(again())
        await ledger.until_tallied(repeats=1)
    assert await ledger.tallies() == {"movements": 1, "repeats": 1}
    assert await ledger.on_hand() == 5


async def build_filters(ledger: Ledger, folder: Path) -> int:
    """Do what is done every day; returns how many filters were made."""
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        report = await archive(
            engine,
            folder,
            now=ledger.clock.now(),
            keep_days=400,
            keep_reservations_days=90,
            progress=lambda *_: None,
            tell=lambda _: None,
        )
    finally:
        await engine.dispose()
    return report.filters


async def test_closed_periods_are_asked_only_for_what_their_filters_let_pass(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    asked: list[list[bytes]] = []

    class Asking(Filters):
        @override
        async def load(self, driver: Driver, periods: Periods) -> None:
            await super().load(driver, periods)
            passed = self.known.filter.among

            def among(identities: Sequence[bytes]) -> list[bytes]:
                asked.append(passed(identities))
                return asked[-1]

            self.known.filter.among = among  # type: ignore[method-assign]

    filters = Asking()

    def handler() -> StockChanges:
        handler = StockChanges(clock, PARTITIONS, filters)
        handler._sorting._recent = RecentIdentities(0)
        return handler

    clock.set(BOUNDARY - SECOND)
    async with ledger.consuming(handler=handler):
        await ledger.publish(RECEIPT)
        await ledger.until_recorded(1)
        clock.set(BOUNDARY + 2 * DAY)
        assert await build_filters(ledger, tmp_path) == 1
        assert await build_filters(ledger, tmp_path) == 0
        await ledger.publish(again(), change(id="sale"))
        await ledger.until_tallied(repeats=1, movements=2)
        assert [len(each) for each in asked if each] == [1]

        # The clock is set back into the period, which gets another identity, and forward again.
        clock.set(BOUNDARY - DAY)
        await ledger.publish(change(id="set back"))
        await ledger.until_recorded(3)
        assert await ledger.rows("SELECT 1 FROM identity_filter") == []
        clock.set(BOUNDARY + 2 * DAY)
        await ledger.publish(change(id="set back"), again())
        await ledger.until_tallied(repeats=3)

        # Nobody has to know them any more.
        clock.set(BOUNDARY + 92 * DAY)
        await build_filters(ledger, tmp_path)
        await ledger.publish(again())
        await ledger.until_recorded(4)
    assert await ledger.tallies() == {"movements": 4, "repeats": 3}
    assert await ledger.on_hand() == 5 + 5 - 2


class Deadlocked(StockChanges):
    """Loses its first transaction of a day to a deadlock."""

    lost: int = 0

    @override
    async def handle(self, connection: AsyncConnection, batch: Batch) -> Sequence[Outgoing]:
        outgoing = await super().handle(connection, batch)
        if self._clock.now() >= BOUNDARY and not self.lost:
            self.lost += 1
            raise asyncpg.DeadlockDetectedError("deadlock detected")
        return outgoing


async def test_a_batch_that_is_repeated_after_midnight_makes_its_day_again(
    ledger: Ledger, clock: ManualClock
) -> None:
    handlers: list[Deadlocked] = []

    def handler() -> StockChanges:
        handlers.append(Deadlocked(clock, PARTITIONS))
        return handlers[-1]

    clock.set(BOUNDARY - 3 * DAY)
    async with ledger.consuming(handler=handler, workers=1):
        await ledger.publish(RECEIPT)
        await ledger.until_recorded(1)
        clock.set(BOUNDARY)
        await ledger.publish(change(id="sale", quantity=1))
        await ledger.until_recorded(2)
    assert [each.lost for each in handlers] == [1]
    assert await ledger.on_hand() == 4


def told(letter: DeadLetter) -> tuple[str, int, int | None]:
    """Return why a change was refused, the quantity it had, and that of the first told."""
    value = json.loads(letter.value or "")
    first = None if letter.first is None else json.loads(letter.first)["quantity"]
    return letter.reason, value["quantity"], first


@pytest.mark.parametrize("known_from", ["the batch", "memory", "the database", "another period"])
async def test_an_identity_with_other_content_is_refused_with_both_payloads(
    ledger: Ledger, clock: ManualClock, known_from: str
) -> None:
    other = again(quantity=7)
    if known_from == "the batch":
        await ledger.publish(RECEIPT, other)
    else:
        await ledger.publish(RECEIPT)
    remembers = known_from in {"the batch", "memory"}
    async with ledger.consuming(handler=ledger.handler if remembers else lambda: forgetful(ledger)):
        await ledger.until_recorded(1)
        if known_from == "another period":
            clock.set(BOUNDARY)
        if known_from != "the batch":
            await ledger.publish(other)
        await ledger.until_rejected(DeadReason.ID_REUSED, 1)
        assert await ledger.on_hand() == 5
    (letter,) = await ledger.dead_letters()
    assert told(letter) == (DeadReason.ID_REUSED, 7, 5)
    assert letter.detail == "(shop, r, 0) is known with other content"
    assert json.loads(letter.first or "") == {
        "sku": "A",
        "warehouse": "W",
        "type": "receipt",
        "quantity": 5,
        "reason": None,
        "reference": None,
        "occurred_at": START.isoformat(),
    }
    assert await ledger.tallies() == {"movements": 1, "rejected.id_reused": 1}


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "return"},
        {"warehouse": "other"},
        {"quantity": 6},
        {"reason": ""},
        {"reference": "PO 1"},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_other_content_is_any_field_but_times_and_actor(
    ledger: Ledger, clock: ManualClock, fields: dict[str, object]
) -> None:
    await ledger.publish(RECEIPT, again(), again(**fields))
    async with ledger.consuming():
        await ledger.until_tallied(repeats=1)
        await ledger.until_rejected(DeadReason.ID_REUSED, 1)
    assert await ledger.tallies() == {"movements": 1, "repeats": 1, "rejected.id_reused": 1}


async def test_each_telling_is_compared_with_what_is_stored_not_with_the_one_before(
    ledger: Ledger, clock: ManualClock
) -> None:
    await ledger.publish(RECEIPT)
    async with ledger.consuming():
        await ledger.until_recorded(1)
    await ledger.publish(again(quantity=7), again(), again(quantity=7))
    async with ledger.consuming(handler=lambda: forgetful(ledger)):
        await ledger.until_rejected(DeadReason.ID_REUSED, 2)
    assert await ledger.tallies() == {"movements": 1, "repeats": 1, "rejected.id_reused": 2}
    assert [told(letter) for letter in await ledger.dead_letters()] == [
        (DeadReason.ID_REUSED, 7, 5),
        (DeadReason.ID_REUSED, 7, 5),
    ]


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_repeat_that_is_mapped_to_another_sku_now_is_not_counted_there(
    ledger: Ledger, clock: ManualClock, workers: int
) -> None:
    async with ledger.consuming(workers=workers):
        await ledger.publish(RECEIPT)
        await ledger.until_recorded(1)
        await ledger.publish(again(sku="B"), change(id="b", sku="B", type="receipt"))
        await ledger.until_rejected(DeadReason.ID_REUSED, 1)
        await ledger.until_recorded(2)
    assert await ledger.on_hand("A") == 5
    assert await ledger.on_hand("B") == 1
    (letter,) = await ledger.dead_letters()
    assert json.loads(letter.value or "")["sku"] == "B"
    assert json.loads(letter.first or "")["sku"] == "A"


async def test_what_happens_more_than_five_minutes_ahead_is_refused(
    ledger: Ledger, clock: ManualClock
) -> None:
    limit = clock.now() + FUTURE
    await ledger.publish(
        change(id="limit", occurred_at=limit),
        change(id="beyond", occurred_at=limit + timedelta(microseconds=1)),
        change(id="count", type="count", quantity=9, occurred_at=datetime(2099, 1, 1, tzinfo=UTC)),
    )
    async with ledger.consuming():
        await ledger.until_rejected(DeadReason.FROM_THE_FUTURE, 2)
        await ledger.until_recorded(1)
        assert await ledger.on_hand() == -1
    assert [json.loads(each.value or "")["id"] for each in await ledger.dead_letters()] == [
        "beyond",
        "count",
    ]


async def test_what_was_refused_as_future_is_taken_when_its_time_has_come(
    ledger: Ledger, clock: ManualClock
) -> None:
    tomorrow = change(id="early", occurred_at=clock.now() + DAY)
    async with ledger.consuming():
        await ledger.publish(tomorrow)
        await ledger.until_rejected(DeadReason.FROM_THE_FUTURE, 1)
        clock.advance(DAY)
        await ledger.publish(tomorrow)
        await ledger.until_recorded(1)


@pytest.mark.parametrize("remembers", [True, False])
async def test_a_repeat_is_a_repeat_even_from_the_future(
    ledger: Ledger, clock: ManualClock, remembers: bool
) -> None:
    async with ledger.consuming(handler=ledger.handler if remembers else lambda: forgetful(ledger)):
        await ledger.publish(RECEIPT)
        await ledger.until_recorded(1)
        await ledger.publish(again(occurred_at=clock.now() + DAY))
        await ledger.until_tallied(repeats=1)
    assert await ledger.tallies() == {"movements": 1, "repeats": 1}


async def test_two_tellings_in_a_batch_one_of_them_from_the_future(
    ledger: Ledger, clock: ManualClock
) -> None:
    ahead = clock.now() + DAY
    await ledger.publish(
        change(id="future first", occurred_at=ahead),
        change(id="future first"),
        change(id="future last"),
        change(id="future last", occurred_at=ahead),
        change(id="future only", occurred_at=ahead),
        change(id="future only", occurred_at=ahead),
    )
    async with ledger.consuming():
        await ledger.until_tallied(movements=2, repeats=1)
        await ledger.until_rejected(DeadReason.FROM_THE_FUTURE, 3)
    assert await ledger.on_hand() == -2
    assert await ledger.tallies() == {
        "movements": 2,
        "repeats": 1,
        "rejected.from_the_future": 3,
    }


async def test_a_statement_marks_when_a_change_was_told_again(
    ledger: Ledger, clock: ManualClock
) -> None:
    in_batch, later = START + timedelta(minutes=2), START + timedelta(minutes=9)
    await ledger.publish(
        RECEIPT, again(received_at=in_batch), change(id="sale", occurred_at=START + SECOND)
    )
    async with ledger.consuming():
        await ledger.until_recorded(2)
        clock.set(BOUNDARY)
        await ledger.publish(again(received_at=later))
        await ledger.until_tallied(repeats=2)
    async with ledger.api() as api:
        answer = await api.get("/v1/levels/A/W/statement")
    sale, receipt = answer.json()["items"]
    assert sale["repeats"] == []
    assert (receipt["id"], receipt["balance"]) == ("r", 5)
    assert [
        (datetime.fromisoformat(each["received_at"]), datetime.fromisoformat(each["recorded_at"]))
        for each in receipt["repeats"]
    ] == [(in_batch, START + timedelta(hours=1)), (later, BOUNDARY)]


async def test_a_transfer_told_again_is_marked_at_both_ends_as_far_as_was_known(
    ledger: Ledger, clock: ManualClock
) -> None:
    shipped = change(id="t", type="transfer_shipped", quantity=2, counterparty="N")
    told = {"received_at": START + timedelta(minutes=9)}
    # Elsewhere, a sale of the same SKU was told again as well.
    sale = change(id="s", warehouse="E")
    async with ledger.consuming():
        await ledger.publish(shipped, sale, sale)
        await ledger.until_tallied(movements=2, repeats=1)
        known_at = clock.now()
        clock.set(BOUNDARY)
        await ledger.publish(shipped.model_copy(update=told))
        await ledger.until_tallied(repeats=2)
    again = {"received_at": told["received_at"], "recorded_at": BOUNDARY}
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        async with ledger.api() as api:
            for warehouse, type_ in (("W", "transfer_shipped"), ("N", "transfer_arriving")):
                path = f"/v1/levels/A/{warehouse}/statement"
                for then, expected in ((None, [again]), (known_at, []), (BOUNDARY, [again])):
                    asked = {} if then is None else {"known_at": then.isoformat()}
                    (line,) = (await api.get(path, params=asked)).json()["items"]
                    assert line["type"] == type_
                    assert [
                        {name: datetime.fromisoformat(at) for name, at in each.items()}
                        for each in line["repeats"]
                    ] == expected
                    period = Period(known_at=then)
                    (shown,) = [part async for part in read(engine, "A", warehouse, period)]
                    assert [
                        each._asdict() for some in shown.again.values() for each in some
                    ] == expected
    finally:
        await engine.dispose()
