"""Promise 5: what somebody has meddled with is named, made anew, and told in a newer generation."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from deploy.local.instance import REPOSITORY, home
from services.ledger import pipeline
from services.ledger.commands import rebuild as rebuilding_module
from services.ledger.commands.rebuild import Report, Selection, rebuild
from services.ledger.commands.verify import Difference, verify
from services.ledger.store import generations
from shared.database import engine as engine_module
from shared.database.engine import Engine, create_engine
from shared.database.history import History, history
from shared.errors import Fenced, Stopped, Unavailable
from shared.events.stock_levels import GENERATION_SHIFT, StockLevel
from shared.kafka import worker
from shared.kafka.consumer import PartitionConsumer
from shared.kafka.messages import Message
from shared.kafka.producer import Producer
from shared.testing.waiting import until
from tests.integration.ledger.lossy import lossy
from tests.integration.ledger.service import PARTITIONS, START, Ledger, change
from tests.integration.ledger.test_owners import Dying, run_until_crash


@asynccontextmanager
async def engine_of(ledger: Ledger) -> AsyncIterator[Engine]:
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        yield engine
    finally:
        await engine.dispose()


async def found_by_verify(ledger: Ledger) -> list[Difference]:
    found: list[Difference] = []
    async with engine_of(ledger) as engine:
        await verify(engine, progress=lambda *_: None, found=found.append)
    return found


async def rebuilt(ledger: Ledger, selection: Selection | None = None) -> Report:
    async with engine_of(ledger) as engine:
        return await rebuild(
            engine,
            selection or Selection(),
            progress=lambda *_: None,
        )


async def run_until_fenced(consumer: PartitionConsumer) -> None:
    with pytest.raises(Fenced):
        await consumer.run(asyncio.Event())


def newest(levels: list[StockLevel]) -> dict[tuple[str, str], StockLevel]:
    """Return what a reader holds that drops what is not newer than what it has."""
    held: dict[tuple[str, str], StockLevel] = {}
    for each in levels:
        known = held.get((each.sku, each.warehouse))
        if known is None or each.version > known.version:
            held[each.sku, each.warehouse] = each
    return held


def generation_of(level: StockLevel) -> int:
    return level.version >> GENERATION_SHIFT


def later(hours: int) -> object:
    return START + timedelta(hours=hours)


HISTORY = (
    change(id="count", type="count", quantity=10),
    change(id="order", type="order_placed", quantity=4, reference="order 1"),
    change(
        id="shipped",
        type="order_fulfilled",
        quantity=3,
        reference="order 1",
        occurred_at=later(1),
    ),
    change(id="supply", type="supply_expected", quantity=20, reference="PO 1"),
    change(id="part", type="receipt", quantity=5, reference="PO 1", occurred_at=later(2)),
    change(id="plan", type="demand_expected", quantity=6, reference="show", eta=later(99)),
    change(id="used", type="consumed", quantity=2, reference="show", occurred_at=later(3)),
    change(id="lost", type="demand_cancelled", sku="D", quantity=0, reference="no show"),
    change(id="odd", type="count", sku="B", quantity=3, bucket="available"),
    change(id="hold", type="hold", sku="B", quantity=1, occurred_at=later(1)),
    change(id="unordered", type="order_fulfilled", sku="B", reference="nobody's"),
    change(id="away", type="transfer_shipped", sku="B", quantity=2, counterparty="V"),
    change(id="sold", sku="C"),
)
LEVELS = 5

MEDDLING = {
    "on_hand": "UPDATE level SET on_hand = on_hand + 1 WHERE sku = 'A'",
    "counted_at": "UPDATE level SET counted_at = NULL, count_key = NULL WHERE sku = 'A'",
    "line order order 1": "UPDATE commitment SET done = done - 1 WHERE reference = 'order 1'",
    "line supply PO 1 0": "DELETE FROM commitment WHERE kind = 2",
    "line consumption show": "UPDATE commitment SET done = 9 WHERE kind = 5 AND reference = 'show'",
    "supply": "UPDATE level SET supply = NULL WHERE sku = 'A'",
    "demanding": "UPDATE level SET demanding = false WHERE sku = 'A'",
    "intricate_until": "UPDATE level SET intricate_until = NULL WHERE sku = 'B'",
    "unordered": "UPDATE level SET unordered = 0 WHERE sku = 'B' AND warehouse = 'W'",
    "sold_changes": "UPDATE level SET sold_changes = 9 WHERE sku = 'B' AND warehouse = 'W'",
    "incoming": "UPDATE level SET incoming = 0 WHERE sku = 'B' AND warehouse = 'V'",
    "last_change_at": "UPDATE level SET last_change_at = NULL WHERE sku = 'C'",
    "partition": "UPDATE level SET partition = (partition + 1) % 24 WHERE sku = 'C'",
    "version": "UPDATE level SET version = version + (5::bigint << 40) WHERE sku = 'C'",
}
"""What is done to the tables by hand, and the name under which it must be found."""


async def test_what_was_meddled_with_is_named_rebuilt_and_told_as_newer(ledger: Ledger) -> None:
    async with ledger.consumer(workers=1) as first, asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(run_until_fenced(first))
        await ledger.publish(*HISTORY)
        await ledger.until_recorded(len(HISTORY))
        await ledger.until_published(version=1, sku="C")
        assert await found_by_verify(ledger) == []
        before = newest(await ledger.published())
        for statement in MEDDLING.values():
            await ledger.rows(statement)
        named = {each.field for each in await found_by_verify(ledger)}
        assert named == MEDDLING.keys() | {"count_key"}

        report = await rebuilt(ledger)
        assert (report.levels, report.movements) == (LEVELS, len(HISTORY) + 1)
        assert report.differing == LEVELS - 1
        assert await found_by_verify(ledger) == []
        # The owner from before has its levels in memory as they were: it must not go on.
        await ledger.publish(change(id="again", sku="C"))
        await ended
    async with ledger.consuming():
        await ledger.until_recorded(len(HISTORY) + 1)
        await ledger.until_published(version=2, sku="C")
        after = newest(await ledger.published())
    # Beyond the generation that somebody had invented, so that nobody drops what follows.
    assert {generation_of(each) for each in after.values()} == {report.generation} == {7}
    for key in [("A", "W"), ("B", "W"), ("B", "V")]:
        unlike = {"version", "low_water", "corrected"}
        assert after[key].model_dump(exclude=unlike) == before[key].model_dump(exclude=unlike)
        assert after[key].low_water == after[key].available
    assert after["C", "W"].on_hand == -2
    assert await found_by_verify(ledger) == []


async def test_some_levels_are_rebuilt_without_the_others_consumers_noticing(
    ledger: Ledger,
) -> None:
    async with ledger.consuming():
        await ledger.publish(change(id="1", sku="A"), change(id="2", sku="B"))
        await ledger.until_recorded(2)
        await ledger.until_claimed(times=1)
    await ledger.rows("UPDATE level SET on_hand = 5")
    report = await rebuilt(ledger, Selection(skus=["A"]))
    assert (report.levels, report.differing) == (1, 1)
    assert [each.sku for each in await found_by_verify(ledger)] == ["B"]
    claims = await ledger.rows("SELECT epoch FROM consumer_position ORDER BY epoch")
    assert [row[0] for row in claims] == [1] * (PARTITIONS - 1) + [2]
    async with ledger.consuming():
        await ledger.until_claimed(times=2)

        async def told() -> bool:
            held = newest(await ledger.published())
            return generation_of(held["A", "W"]) == 2 and held["A", "W"].on_hand == -1

        await until(told)
    assert generation_of(newest(await ledger.published())["B", "W"]) == 1


class Slow(Producer):
    """Reaches a broker that takes three messages in the time that a delivery has."""

    @override
    async def send(
        self, topic: str, messages: Sequence[Message], *, until: float | None = None
    ) -> None:
        if len(messages) > 3:
            raise Unavailable("the broker")
        await super().send(topic, messages, until=until)


async def test_what_was_rebuilt_is_told_in_portions_that_a_slow_broker_takes(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "SENT_AT_ONCE", 3)
    skus = [f"SKU {number}" for number in range(10)]
    async with ledger.consuming():
        await ledger.publish(*(change(sku=sku, id=sku) for sku in skus))
        await ledger.until_recorded(len(skus))
    await rebuilt(ledger)
    async with (
        Slow(ledger.settings.kafka, ledger.settings.topic_prefix) as producer,
        ledger.consuming(producer=producer, workers=1),
    ):

        async def told() -> bool:
            levels = await ledger.published()
            return {each.sku for each in levels if generation_of(each) == 2} == {*skus}

        await until(told)


async def test_claims_wait_for_a_rebuild_and_a_second_one_does_not(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "LOCK_TIMEOUT_MS", 300)
    async with engine_of(ledger) as engine, ledger.consumer() as consumer:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            async with generations.rebuilding(engine):
                tasks.create_task(consumer.run(stop))

                async def waits() -> bool:
                    return "being rebuilt" in (await consumer.check() or "")

                await until(waits)
                with pytest.raises(Stopped, match="another rebuild"):
                    await rebuilt(ledger)
                assert await ledger.rows("SELECT 1 FROM consumer_position") == []
            await ledger.publish(change())
            await ledger.until_recorded(1)
            stop.set()


async def test_a_level_that_changes_while_it_is_rebuilt_is_read_once_more(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding_module, "LEVELS_AT_ONCE", 1)
    async with ledger.consuming():
        await ledger.publish(*(change(id=sku, sku=sku, quantity=2) for sku in "ABC"))
        await ledger.until_recorded(3)
    reserving = await asyncpg.connect(ledger.database.administrator_url)

    async def change_the_last() -> None:
        await reserving.execute("SET search_path = ledger")
        await reserving.execute("BEGIN")
        await reserving.execute(
            "UPDATE level SET version = version + 1, on_hand = on_hand - 2, "
            "sold_total = sold_total + 2, sold_changes = sold_changes + 1 "
            "WHERE id = (SELECT max(id) FROM level)"
        )
        await reserving.execute(
            "INSERT INTO movement SELECT (jsonb_populate_record(m, "
            """'{"id": "meanwhile"}')).* FROM movement AS m """
            "WHERE level_id = (SELECT max(id) FROM level)"
        )
        await reserving.execute("COMMIT")

    # Each portion is stored after it was read: the first one is the moment between for the last.
    store, changed = rebuilding_module._store, False

    async def store_after_a_change(*arguments: object) -> None:
        nonlocal changed
        if not changed:
            changed = True
            await change_the_last()
        await store(*arguments)  # type: ignore[arg-type] # passed through as they come

    monkeypatch.setattr(rebuilding_module, "_store", store_after_a_change)
    try:
        report = await rebuilt(ledger)
    finally:
        await reserving.close()
    assert (report.levels, report.movements, report.differing) == (3, 4, 0)
    assert await found_by_verify(ledger) == []


async def test_a_rebuild_that_was_paused_stores_nothing_after_the_next_claim(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ledger.consuming():
        await ledger.publish(change())
        await ledger.until_recorded(1)
    await ledger.rows("UPDATE level SET on_hand = 7")
    store = rebuilding_module._store

    async def store_after_a_claim(*arguments: object) -> None:
        # Its lock is gone, as after a lost connection: a consumer has come and claimed.
        await ledger.rows("UPDATE consumer_position SET epoch = epoch + 1")
        await store(*arguments)  # type: ignore[arg-type] # passed through as they come

    monkeypatch.setattr(rebuilding_module, "_store", store_after_a_claim)
    with pytest.raises(Fenced):
        await rebuilt(ledger)
    assert await ledger.on_hand() == 7


async def test_a_dip_that_nobody_was_told_of_survives_a_rebuild(ledger: Ledger) -> None:
    await ledger.publish(
        change(id="count", type="count", quantity=10),
        change(id="sale", quantity=9, occurred_at=later(1)),
        change(id="receipt", type="receipt", quantity=20, occurred_at=later(2)),
    )
    async with (
        Dying(ledger.settings.kafka, ledger.settings.topic_prefix) as producer,
        ledger.consumer(producer=producer) as consumer,
    ):
        await run_until_crash(consumer)
    # Wrong by a hundred, and so was the dip: it is as deep below the level as it was.
    # The second is a reservation's, which its owner has not told of either.
    await ledger.rows(
        "UPDATE level SET on_hand = on_hand + 100, low_water = low_water + 100, dip = 105"
    )
    await rebuilt(ledger)
    assert [row[0] for row in await ledger.rows("SELECT dip FROM level")] == [5]
    first, second = await told_of_both(ledger)
    assert (first.available, first.low_water, generation_of(first)) == (21, 1, 2)
    assert (second.available, second.low_water, generation_of(second)) == (21, 5, 2)


async def told_of_both(ledger: Ledger) -> list[StockLevel]:
    """Return what the claim tells, and then the turn for which the rebuild has queued the dip."""

    async def both() -> bool:
        return len(await ledger.published()) == 2

    async with ledger.consuming():
        await until(both)
    return await ledger.published()


PROMISES = """
SELECT l.sku, c.reference, c.total, c.done, c.shipped, c.held, c.released, c.fulfilled, l.unordered
FROM level AS l JOIN commitment AS c ON c.level_id = l.id ORDER BY l.sku, c.reference
"""

UNTOLD = """
SELECT l.sku, l.dip IS NOT NULL, d.partition, l.partition
FROM level AS l LEFT JOIN dirty_level AS d ON d.level_id = l.id ORDER BY l.sku
"""


async def test_promises_are_rebuilt_and_what_reservations_changed_is_told(ledger: Ledger) -> None:
    async with ledger.api() as api:

        async def reserve(sku: str, reference: str) -> str:
            line = {"sku": sku, "warehouse": "W", "quantity": 3}
            asked = {"lines": [line], "reference": reference}
            made = await api.post("/v1/reservations", json=asked)
            return str(made.json()["id"])

        async with ledger.consuming():
            await ledger.publish(
                change(id="count", type="count", quantity=20),
                change(id="other", type="count", sku="B", quantity=20),
                change(id="unheard", type="order_fulfilled", quantity=2, reference="unheard of"),
            )
            await ledger.until_recorded(3)
            shipped, released = await reserve("A", "order 1"), await reserve("A", "order 1")
            await ledger.publish(change(id="part", type="order_fulfilled", reference="order 1"))
            await ledger.until_recorded(4)
            await api.post(f"/v1/reservations/{shipped}/fulfil")
            await api.delete(f"/v1/reservations/{released}")
        await reserve("A", "order 2")
        await reserve("B", "order 2")
    promises = [tuple(row) for row in await ledger.rows(PROMISES)]
    assert promises[0] == ("A", "order 1", 0, 1, 1, 6, 3, 2, 2)

    await ledger.rows("UPDATE commitment SET shipped = 9, held = 9, released = 9, fulfilled = 9")
    await ledger.rows("UPDATE level SET unordered = 9, partition = (partition + 1) % 24")
    await ledger.rows("UPDATE dirty_level SET partition = (partition + 1) % 24")
    await ledger.rows(
        "DELETE FROM dirty_level AS d USING level AS l WHERE l.id = d.level_id AND l.sku = 'B'"
    )
    await rebuilt(ledger)
    assert [tuple(row) for row in await ledger.rows(PROMISES)] == promises
    for _, dipped, queued, partition in await ledger.rows(UNTOLD):
        assert (dipped, queued) == (True, partition)
    async with ledger.consuming():

        async def told() -> bool:
            return all(row[1:3] == (False, None) for row in map(tuple, await ledger.rows(UNTOLD)))

        await until(told)
    assert await found_by_verify(ledger) == []


KILLED = """
import asyncio, sys
from services.ledger.commands import rebuild
from shared.database.engine import create_engine

rebuild.LEVELS_AT_ONCE = 1
made = rebuild.rebuild(
    create_engine(sys.argv[1]), rebuild.Selection(), progress=lambda *_: None
)
asyncio.run(made)
"""


async def test_a_rebuild_that_is_killed_leaves_whole_levels_and_is_done_again(
    ledger: Ledger,
) -> None:
    async with ledger.consuming():
        await ledger.publish(*(change(id=sku, sku=sku) for sku in "ABC"))
        await ledger.until_recorded(3)
        await ledger.until_claimed(times=1)  # also those partitions that hold none of the three
    await ledger.rows("UPDATE level SET on_hand = 7")
    holder = await asyncpg.connect(ledger.database.administrator_url)
    try:
        await holder.execute("SET search_path = ledger")
        await holder.execute("BEGIN")
        await holder.execute(
            "SELECT 1 FROM level WHERE id = (SELECT max(id) FROM level) FOR UPDATE"
        )
        process = await run(ledger, "-c", KILLED, ledger.settings.database_url.get_secret_value())

        async def waits_for_the_last() -> bool:
            rows = await ledger.rows("SELECT count(*) FROM level WHERE on_hand = -1")
            return bool(rows[0][0] == 2)

        await until(waits_for_the_last, seconds=60)
        process.send_signal(signal.SIGKILL)
        await process.communicate()
        await holder.execute("COMMIT")
    finally:
        await holder.close()
    assert [each.stored for each in await found_by_verify(ledger)] == [7]

    process = await run(ledger, "-m", "services.ledger", "rebuild", "--yes")
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert json.loads(out) == {"generation": 3, "levels": 3, "movements": 3, "differing": 1}
    async with ledger.consuming():
        await ledger.until_claimed(times=3)

        async def told() -> bool:
            held = newest(await ledger.published()).values()
            return [(generation_of(each), each.on_hand) for each in held] == [(3, -1)] * 3

        await until(told)
    assert await found_by_verify(ledger) == []


async def run(ledger: Ledger, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        env={
            "PYTHONPYCACHEPREFIX": str(home() / "cache" / "pycache"),
            "LOWTIDE_KAFKA": ledger.settings.kafka,
            "LOWTIDE_TOPIC_PREFIX": ledger.settings.topic_prefix,
            "LOWTIDE_DATABASE_URL": ledger.settings.database_url.get_secret_value(),
        },
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_another_history_of_the_database_begins_a_generation(ledger: Ledger) -> None:
    async with ledger.consuming():
        await ledger.publish(change(id="1", sku="A"), change(id="2", sku="B"))
        await ledger.until_recorded(2)
        await ledger.until_claimed(times=1)
        await ledger.until_published(version=1, sku="B")
    # As if all this had been committed on a server whose standby was promoted since.
    await ledger.rows("UPDATE generation SET timeline = timeline - 1")
    async with ledger.consuming():
        await ledger.until_claimed(times=2)

        async def all_told() -> bool:
            held = newest(await ledger.published()).values()
            return [generation_of(each) for each in held] == [2, 2]

        await until(all_told)
    # Once, however many claim.
    async with ledger.consuming():
        await ledger.until_claimed(times=3)
    assert [tuple(row) for row in await ledger.rows("SELECT number, least FROM generation")] == [
        (2, 2)
    ]


async def test_an_owner_does_not_go_on_in_another_history(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        lossy(ledger.settings.database_url.get_secret_value()) as way,
        ledger.consumer(workers=1, database_url=way.url) as consumer,
        asyncio.TaskGroup() as tasks,
    ):
        ended = tasks.create_task(run_until_fenced(consumer))
        await ledger.publish(change(id="1"))
        await ledger.until_published(version=1)

        async def promoted(connection: AsyncConnection) -> History:
            return (await history(connection))._replace(timeline=2)

        monkeypatch.setattr(worker, "history", promoted)
        way.loses = "the commit"
        await ledger.publish(change(id="2"))
        await ended
    assert await ledger.tallies() == {"movements": 1}
