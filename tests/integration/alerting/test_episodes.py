"""Level messages on a real broker become episodes in a real database."""

from datetime import timedelta

import pytest

from shared.events.topics import TOPICS
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.testing.waiting import until
from tests.integration.alerting.service import NOON, Alerting

pytestmark = pytest.mark.stack


async def test_a_level_under_its_limit_opens_an_episode_that_reaches_stock_alerts(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low", labels={"team": "buyers"})
    await alerting.name("A", name="Lamp")
    await alerting.tell(alerting.level(100), alerting.level(12, incoming=5))
    async with alerting.consuming(), alerting.relaying():

        async def published() -> bool:
            return bool(await alerting.notices())

        await until(published)
    (notice,) = await alerting.notices()
    assert (notice.event, notice.level, notice.revision) == ("opened", "watch", 1)
    assert (notice.sku, notice.sku_name, notice.warehouse) == ("A", "Lamp", "W")
    assert (notice.facts.available, notice.facts.threshold, notice.facts.incoming) == (12, 20, 5)
    assert (notice.rule.id, notice.rule.version, notice.labels) == ("low", 1, {"team": "buyers"})
    (alert,) = await alerting.alerts()
    assert alert["id"] == str(notice.alert_id)
    assert await alerting.rows("SELECT FROM outbox") == []


async def test_a_limit_crossed_and_recrossed_in_one_batch_opens_and_resolves(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(100), alerting.level(12), alerting.level(90))
    async with alerting.consuming():
        await alerting.caught_up()
    (alert,) = await alerting.alerts()
    assert await alerting.history(alert) == [("opened", "watch"), ("resolved", "watch")]


async def test_a_dip_inside_one_message_opens_and_resolves(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(100), alerting.level(90, low_water=12))
    async with alerting.consuming():
        await alerting.caught_up()
    (alert,) = await alerting.alerts()
    assert await alerting.history(alert) == [("opened", "watch"), ("resolved", "watch")]
    (first, _) = (await alerting.ask("GET", f"/v1/alerts/{alert['id']}"))["history"]
    assert first["reason"] == "dipped"


async def test_a_level_that_gets_worse_and_better_updates_its_one_episode(
    alerting: Alerting,
) -> None:
    limits = [
        {"level": "watch", "enter": 20, "exit": 30},
        {"level": "urgent", "enter": 5, "exit": 10},
        {"level": "out", "enter": 1},
    ]
    await alerting.put_rule("low", levels=limits)
    await alerting.tell(*(alerting.level(units) for units in (25, 19, 4, 0, 8, 12, 29, 30)))
    async with alerting.consuming():
        await alerting.caught_up()
    (alert,) = await alerting.alerts()
    assert await alerting.history(alert) == [
        ("opened", "watch"),
        ("level_changed", "urgent"),
        ("level_changed", "out"),
        ("level_changed", "urgent"),
        ("level_changed", "watch"),
        ("resolved", "watch"),
    ]


async def test_a_new_trigger_after_the_end_is_a_new_episode(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    await alerting.tell(*(alerting.level(units) for units in (12, 40, 12)))
    async with alerting.consuming():
        await alerting.caught_up()
    first, second = await alerting.alerts()
    assert (first["state"], second["state"]) == ("resolved", "open")
    assert second["number"] > first["number"]


async def test_an_open_episode_may_end_and_be_followed_by_another_in_one_batch(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
    await alerting.tell(alerting.level(40), alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
    first, second = await alerting.alerts()
    assert (first["state"], second["state"]) == ("resolved", "open")


async def test_a_version_seen_before_is_dropped_even_by_the_next_process(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low")
    dip = alerting.level(90, low_water=12)
    await alerting.tell(dip)
    async with alerting.consuming():
        await alerting.caught_up()
    await alerting.tell(dip, dip)
    async with alerting.consuming():
        await alerting.caught_up()
    assert len(await alerting.alerts()) == 1


async def test_the_next_process_finds_the_open_episode_and_ends_it(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
    await alerting.tell(alerting.level(11), alerting.level(50))
    async with alerting.consuming():
        await alerting.caught_up()
    (alert,) = await alerting.alerts()
    assert await alerting.history(alert) == [("opened", "watch"), ("resolved", "watch")]


async def test_daily_sales_survive_the_process(alerting: Alerting) -> None:
    await alerting.put_rule(
        "cover", kind="days_of_cover", levels=[{"level": "watch", "enter": 7, "exit": 9}]
    )
    days = [
        alerting.level(100, sold_total=10 * day, last_change_at=NOON + timedelta(days=day))
        for day in range(9)
    ]
    async with alerting.consuming(clock="event"):
        for some in (days[:1], days[1:5]):
            await alerting.tell(*some)
            await alerting.caught_up()
    await alerting.tell(*days[5:])
    async with alerting.consuming(clock="event"):
        await alerting.caught_up()
        assert await alerting.alerts() == []
        at = NOON + timedelta(days=8, hours=1)
        await alerting.tell(alerting.level(69, sold_total=80, last_change_at=at))
        await alerting.caught_up()
    (alert,) = await alerting.alerts()
    assert alert["facts"]["daily_sales"] == 10
    assert alert["facts"]["days_of_cover"] == 6.9


async def test_a_record_that_cannot_be_read_is_put_aside_and_the_rest_flows(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low")
    partition = partition_of("A", TOPICS["stock.levels"].partitions)
    await alerting.producer.send("stock.levels", [Message(partition, b"A|W", b"{")])
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
    assert len(await alerting.alerts()) == 1


async def test_a_record_in_a_strangers_partition_is_put_aside_and_the_rest_flows(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low")
    home = partition_of("A", TOPICS["stock.levels"].partitions)
    async with alerting.consuming():
        await alerting.tell(alerting.level(50))
        await alerting.caught_up()
        misplaced = alerting.level(3)
        await alerting.producer.send(
            "stock.levels",
            [Message((home + 1) % TOPICS["stock.levels"].partitions, b"A|W", misplaced.encode())],
        )
        await alerting.caught_up()
        assert await alerting.alerts() == []
        await alerting.tell(alerting.level(12))
        await alerting.caught_up()
    (alert,) = await alerting.alerts()
    assert alert["facts"]["available"] == 12
