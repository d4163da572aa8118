"""What survives: a process that is killed, a broker's answer that is lost, two owners at once."""

import asyncio
import random
import sys
from collections.abc import Sequence

import pytest

from deploy.local.instance import home
from services.alerting.outbound.stock_alerts import relay_of
from services.alerting.settings import AlertingSettings
from services.alerting.store.outbox import NOTICES
from shared.database.engine import create_engine
from shared.database.outbox import Outbox
from shared.errors import Fenced, Unavailable
from shared.kafka.messages import Message
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack


async def test_a_notice_committed_before_a_crash_is_sent_by_the_next_process(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(12), alerting.level(50))
    async with alerting.consuming():
        await alerting.caught_up()
    assert await alerting.notices() == []
    async with alerting.relaying():
        await until(lambda: _outbox_is_empty(alerting))
    notices = await alerting.notices()
    assert [(each.revision, each.event) for each in notices] == [(1, "opened"), (2, "resolved")]


async def test_a_notice_whose_acknowledgement_was_lost_is_sent_again_and_in_order(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(12), alerting.level(50))
    async with alerting.consuming():
        await alerting.caught_up()

    class Deaf:
        """Sends, then never hears the answer."""

        async def send(self, topic: str, messages: Sequence[Message]) -> None:
            await alerting.producer.send(topic, messages)
            raise Unavailable("the broker")

    engine = create_engine(alerting.database.url("alerting"))
    with pytest.raises(Unavailable):
        await relay_of(Outbox(engine, NOTICES), Deaf()).step()
    assert await relay_of(Outbox(engine, NOTICES), alerting.producer).step() == 2
    assert await relay_of(Outbox(engine, NOTICES), alerting.producer).step() == 0
    await engine.dispose()
    assert [each.revision for each in await alerting.notices()] == [1, 2, 1, 2]


async def test_one_relay_works_at_a_time(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
    engine = create_engine(alerting.database.url("alerting"))
    async with (
        Outbox(engine, NOTICES).taken(10) as first,
        Outbox(engine, NOTICES).taken(10) as second,
    ):
        assert (len(first), len(second)) == (1, 0)
    await engine.dispose()


async def test_an_owner_that_lost_its_partitions_fires_nothing_more(alerting: Alerting) -> None:
    await alerting.tell(alerting.level(12))

    async def lose_the_partitions() -> None:
        async with alerting.consuming():
            await alerting.caught_up()
            await alerting.rows("UPDATE consumer_position SET epoch = epoch + 1")
            # A new rule asks the old owner to look at what it knows.
            await alerting.put_rule("low")
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as ended:
        await lose_the_partitions()
    assert ended.group_contains(Fenced)
    assert await alerting.alerts() == []


async def test_consumers_killed_at_any_moment_miss_nothing_and_open_nothing_twice(
    alerting: Alerting,
) -> None:
    """Two processes share the partitions; one after another is killed and started again."""
    chance = random.Random(20260301)  # noqa: S311 - a fixed course of events
    skus = [f"S{number}" for number in range(40)]
    course = {sku: [chance.randrange(60) for _ in range(60)] for sku in skus}
    await alerting.put_rule("low")
    async with asyncio.TaskGroup() as group:
        consumers = [Supervised(alerting.settings, number) for number in range(2)]
        supervision = [group.create_task(each.run()) for each in consumers]
        for step in range(60):
            await alerting.tell(*(alerting.level(course[sku][step], sku=sku) for sku in skus))
            if step % 15 == 7:
                chance.choice(consumers).kill()
        await alerting.caught_up()
        for task in supervision:
            task.cancel()
    async with alerting.relaying():
        await until(lambda: _outbox_is_empty(alerting))
    found = await alerting.rows("SELECT sku, count(*) AS n FROM alert GROUP BY sku ORDER BY sku")
    assert {row["sku"]: row["n"] for row in found} == {
        sku: count for sku in skus if (count := _episodes(course[sku]))
    }
    told: dict[str, list[int]] = {}
    for notice in await alerting.notices():
        told.setdefault(str(notice.alert_id), []).append(notice.revision)
    for revisions in told.values():
        assert revisions == list(range(1, len(revisions) + 1))
    assert len(told) == sum(row["n"] for row in found)


def _episodes(units: list[int]) -> int:
    """Count how often a level falls under 20 after it was at 30 or more (or at first)."""
    count, is_open = 0, False
    for each in units:
        if not is_open and each < 20:
            count, is_open = count + 1, True
        elif is_open and each >= 30:
            is_open = False
    return count


class Supervised:
    """A `consume` process that is started again whenever it has ended."""

    def __init__(self, settings: AlertingSettings, number: int) -> None:
        self._environment = {
            "LOWTIDE_KAFKA": settings.kafka,
            "LOWTIDE_TOPIC_PREFIX": settings.topic_prefix,
            "LOWTIDE_DATABASE_URL": settings.database_url.get_secret_value(),
            "LOWTIDE_INSTANCE": str(number),
            "LOWTIDE_LOG_LEVEL": "warning",
            "PYTHONPYCACHEPREFIX": str(home() / "cache" / "pycache"),
        }
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        while True:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.alerting", "consume", env=self._environment
            )
            self._process = process
            try:
                await process.wait()
            except asyncio.CancelledError:
                process.kill()
                await process.wait()
                raise

    def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


async def _outbox_is_empty(alerting: Alerting) -> bool:
    return await alerting.rows("SELECT FROM outbox LIMIT 1") == []
