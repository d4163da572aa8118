"""What is known of levels goes with them when the topic has more partitions."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from itertools import count

import pytest
import pytest_asyncio

from services.alerting.repartitioning import Report, repartition
from services.alerting.settings import AlertingSettings
from services.alerting.wiring import consume as alerting_consume
from shared.clock import WallClock
from shared.database.engine import Engine, create_engine
from shared.errors import Fenced, Stopped
from shared.events.stock_levels import TOPIC, StockLevel, level_key
from shared.events.topics import TOPICS
from shared.kafka import admin
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack

BEFORE = TOPICS[TOPIC].partitions
MORE = BEFORE + 6
RUN = {
    "kind": "broken_size_run",
    "subject": "product",
    "levels": [{"level": "watch", "enter": 0.6}],
}


def _moving(number: int) -> list[str]:
    """Return SKUs that have another partition among more."""
    names = (f"SKU-{each}" for each in count())
    moving = (each for each in names if partition_of(each, BEFORE) != partition_of(each, MORE))
    return [sku for _, sku in zip(range(number), moving, strict=False)]


ONE, OTHER, STRAY = _moving(3)
STAYING = next(
    each
    for each in (f"SKU-{number}" for number in count())
    if partition_of(each, BEFORE) == partition_of(each, MORE) == partition_of(ONE, BEFORE)
)
"""Has the partition that another SKU leaves."""


@pytest_asyncio.fixture
async def engine(settings: AlertingSettings) -> AsyncIterator[Engine]:
    engine = create_engine(settings.database_url.get_secret_value())
    yield engine
    await engine.dispose()


def _told(alerting: Alerting, sku: str, available: int) -> StockLevel:
    return alerting.level(available, sku=sku, last_change_at=WallClock().now())


async def _tell(alerting: Alerting, partitions: int, *levels: StockLevel) -> None:
    """Publish levels as a ledger does that knows of so many partitions."""
    messages = [
        Message(
            partition_of(each.sku, partitions), level_key(each.sku, each.warehouse), each.encode()
        )
        for each in levels
    ]
    await alerting.producer.send(TOPIC, messages)


def _declare(monkeypatch: pytest.MonkeyPatch, partitions: int) -> None:
    """Have the consumer be of a release that declares so many partitions."""
    monkeypatch.setattr(
        alerting_consume, "STOCK_LEVELS", replace(TOPICS[TOPIC], partitions=partitions)
    )


async def _until_heard(alerting: Alerting, *levels: StockLevel) -> None:
    """Wait until levels are known: `caught_up` asks for the declared partitions only."""

    async def are_known() -> bool:
        rows = await alerting.rows("SELECT sku, version FROM known_level")
        return {(each.sku, each.version) for each in levels} <= {tuple(row) for row in rows}

    await until(are_known)


async def _homes(alerting: Alerting, of: str) -> dict[str, Collection[int]]:
    rows = await alerting.rows(f"SELECT sku, array_agg(DISTINCT partition) FROM {of} GROUP BY sku")  # noqa: S608 - this test's
    return {row[0]: row[1] for row in rows}


async def test_levels_pools_and_options_are_known_where_they_are_told_of_then(
    alerting: Alerting, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Consumers refuse to start before; what nobody had evaluated of the old order is passed over.

    So is what lies before it, of whatever SKU, and nothing that comes after it. What was open
    then ends by a message in the new partition, and nothing opens twice.
    """
    settings = alerting.settings
    where = settings.kafka, settings.topic_prefix
    await alerting.put_rule("level", levels=[{"level": "watch", "enter": 20}])
    await alerting.put_rule("pool", subject="pool", levels=[{"level": "watch", "enter": 20}])
    await alerting.put_rule("run", **RUN)
    for sku in (ONE, OTHER):
        # The product has the code of one of its options.
        await alerting.name(sku, attributes={"product": ONE})
    first = [_told(alerting, sku, 5) for sku in (ONE, OTHER)]
    out = [_told(alerting, sku, 0) for sku in (ONE, OTHER)]
    await alerting.tell(*first, *out)
    async with alerting.consuming():
        await alerting.caught_up()
    assert len(await alerting.alerts(state="open")) == 5
    with pytest.raises(Stopped, match=f"has {BEFORE} partitions, not {MORE}: run the ledger"):
        await repartition(engine, *where, MORE)

    unheard = [_told(alerting, sku, 0) for sku in (STAYING, ONE, STRAY)]
    after = _told(alerting, STAYING, 50)
    unreadable = Message(partition_of(ONE, BEFORE), b"\xff|W", b"{}")
    await alerting.producer.send(TOPIC, [unreadable])
    await _tell(alerting, BEFORE, *unheard, after)
    await admin.grow(*where, [TOPIC], MORE)

    async def be_refused() -> None:
        async with alerting.consuming():
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as refused:
        await be_refused()
    assert refused.group_contains(Stopped, match=f"has {MORE} partitions, stored are {BEFORE}")

    assert await repartition(engine, *where, MORE) == Report(BEFORE, MORE, 2, 4)
    assert await repartition(engine, *where, MORE) == Report(MORE, MORE, 0, 0)
    homes = {sku: [partition_of(sku, MORE)] for sku in (ONE, OTHER)}
    assert await _homes(alerting, "known_level") == homes
    assert await _homes(alerting, "condition WHERE subject_kind <> 'product'") == homes
    assert await _homes(alerting, "condition WHERE subject_kind = 'product'") == {ONE: [-1]}
    assert await _homes(alerting, "out_option") == homes

    back = [_told(alerting, sku, 50) for sku in (ONE, OTHER, STRAY)]
    await _tell(alerting, MORE, *back)
    _declare(monkeypatch, MORE)
    async with alerting.consuming():
        await _until_heard(alerting, *back, after)
    alerts = await alerting.alerts()
    assert [each["state"] for each in alerts] == ["resolved"] * 5
    assert await alerting.rows("SELECT FROM out_option") == []
    homes |= {sku: [partition_of(sku, MORE)] for sku in (STRAY, STAYING)}
    assert await _homes(alerting, "known_level") == homes


async def test_who_is_at_work_meanwhile_is_fenced_off(
    alerting: Alerting, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that has known nothing before passes over what lies in partitions of old."""
    await alerting.tell(_told(alerting, ONE, 5))
    where = alerting.settings.kafka, alerting.settings.topic_prefix
    report = await repartition(engine, *where, BEFORE)
    assert report == Report(BEFORE, BEFORE, 0, 0)

    async def be_fenced_off() -> None:
        async with alerting.consuming():
            await alerting.caught_up()
            await repartition(engine, *where, BEFORE)
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as ended:
        await be_fenced_off()
    assert ended.group_contains(Fenced)
    await alerting.rows("DELETE FROM known_level")
    await alerting.rows("DELETE FROM consumer_position")
    await admin.grow(*where, [TOPIC], MORE)
    assert await repartition(engine, *where, MORE) == Report(MORE, MORE, 0, 1)
    again = _told(alerting, ONE, 5)
    await _tell(alerting, MORE, again)
    _declare(monkeypatch, MORE)
    async with alerting.consuming():
        await _until_heard(alerting, again)
