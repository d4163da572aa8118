"""Pending and recovery times, on the wall clock and on the events' own."""

from datetime import datetime, timedelta

import pytest

from shared.clock import WallClock
from shared.events.stock_levels import StockLevel
from shared.testing.waiting import until
from tests.integration.alerting.service import NOON, Alerting
from tests.integration.alerting.shop import Shop

pytestmark = pytest.mark.stack

HOUR = timedelta(hours=1)


async def test_a_pending_time_passes_on_the_wall_clock_without_another_message(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low", pending_seconds=1)
    await alerting.tell(alerting.level(100))
    async with alerting.consuming():
        await _turn(alerting, subjects=1)
        told_at = WallClock().now()
        await alerting.tell(alerting.level(12))
        await until(lambda: _has(alerting, "open"))
    (alert,) = await alerting.alerts(rule="low")
    # The broker stamps messages with whole milliseconds.
    assert datetime.fromisoformat(alert["opened_at"]) > told_at + timedelta(milliseconds=998)


async def test_a_recovery_time_passes_on_the_wall_clock_without_another_message(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low", recovery_seconds=1)
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await _turn(alerting, subjects=1)
        await alerting.tell(alerting.level(50))
        await until(lambda: _has(alerting, "resolved"))


async def test_a_timer_that_ran_out_while_nobody_was_there_fires_after_the_restart(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low", pending_seconds=3_600)
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
    await alerting.rows(
        "UPDATE condition SET since = since - interval '2 h', due_at = due_at - interval '2 h'"
    )
    async with alerting.consuming():
        await until(lambda: _has(alerting, "open"))


async def test_a_line_becomes_overdue_at_its_moment_without_another_message(shop: Shop) -> None:
    levels = [{"level": "watch", "enter": 1}]
    await shop.alerting.put_rule("low", kind="inbound_overdue", levels=levels)
    await shop.turn()
    overdue_at = shop.clock.now() + HOUR
    line = {"quantity": 5, "due_at": overdue_at - timedelta(days=1), "reference": "PO"}
    await shop.hear(100, supply=[line], incoming=5)
    shop.clock.set(overdue_at)
    await shop.turn()
    assert await shop.times() == []
    shop.clock.advance(timedelta(microseconds=1))
    await shop.turn()
    assert await shop.times() == [(overdue_at + timedelta(microseconds=1), None)]


async def test_on_event_time_a_line_becomes_overdue_with_the_events(alerting: Alerting) -> None:
    """Even where the message that ends it lies in the same batch."""
    await alerting.put_rule("low", kind="inbound_overdue", levels=[{"level": "watch", "enter": 1}])
    line = {"quantity": 5, "due_at": NOON, "reference": "PO"}
    end = alerting.level(105, version=9, last_change_at=NOON + timedelta(hours=30))
    await alerting.tell(alerting.level(100, supply=[line], incoming=5), end)
    async with alerting.consuming(clock="event"):
        await alerting.caught_up()
    (alert,) = await alerting.alerts(rule="low")
    opened_at = datetime.fromisoformat(alert["opened_at"])
    assert opened_at == NOON + timedelta(days=1, microseconds=1)
    assert datetime.fromisoformat(alert["resolved_at"]) == end.last_change_at


async def test_on_event_time_a_pending_time_passes_with_the_events(alerting: Alerting) -> None:
    await alerting.put_rule("low", pending_seconds=3_600)
    await alerting.tell(alerting.level(12), *_later(alerting, "B", 59))
    async with alerting.consuming(clock="event"):
        await alerting.caught_up()
        await _turn(alerting, subjects=2)
        assert await alerting.alerts(rule="low") == []
        await alerting.tell(*_later(alerting, "B", 61))
        await until(lambda: _has(alerting, "open"))
    (alert,) = await alerting.alerts(rule="low")
    assert datetime.fromisoformat(alert["opened_at"]) == NOON + HOUR


async def test_on_event_time_what_is_due_before_a_message_comes_before_it(
    alerting: Alerting,
) -> None:
    """Even when the whole story lies in one batch."""
    await alerting.put_rule("low", pending_seconds=3_600, recovery_seconds=3_600)
    story = [(0, 12), (59, 40), (100, 12), (161, 40), (200, 12), (230, 40), (291, 12), (300, 40)]
    await alerting.tell(
        *(
            alerting.level(units, last_change_at=NOON + timedelta(minutes=minute))
            for minute, units in story
        )
    )
    async with alerting.consuming(clock="event"):
        await alerting.caught_up()
    (alert,) = await alerting.alerts()
    assert datetime.fromisoformat(alert["opened_at"]) == NOON + timedelta(minutes=160)
    assert datetime.fromisoformat(alert["resolved_at"]) == NOON + timedelta(minutes=290)


async def test_on_event_time_a_restart_goes_on_with_the_time_it_had(alerting: Alerting) -> None:
    await alerting.put_rule("low", pending_seconds=3_600)
    await alerting.tell(alerting.level(12), *_later(alerting, "B", 30))
    async with alerting.consuming(clock="event"):
        await alerting.caught_up()
    await alerting.tell(*_later(alerting, "B", 61))
    async with alerting.consuming(clock="event"):
        await until(lambda: _has(alerting, "open"))


def _later(alerting: Alerting, sku: str, minutes: int) -> list[StockLevel]:
    at = NOON + timedelta(minutes=minutes)
    return [alerting.level(100, sku=sku, last_change_at=at)]


async def _has(alerting: Alerting, state: str) -> bool:
    return state in [each["state"] for each in await alerting.alerts(rule="low")]


async def _turn(alerting: Alerting, subjects: int) -> None:
    """Wait until a turn over all subjects is done (timers go first): a new rule asks for it."""
    await alerting.put_rule("probe", levels=[{"level": "out", "enter": 1_000}])

    async def probed() -> bool:
        return len(await alerting.alerts(rule="probe")) == subjects

    await until(probed)
