"""Up to when everything has been heard."""

from datetime import datetime, timedelta

from services.alerting.domain.timebase import QUIET, EventTime, Heard, WallTime
from tests.unit.services.alerting.cases import NOON, level, minutes


def heard(*latest: float | None) -> dict[int, Heard]:
    """Return partitions with their newest event time in minutes; all came at noon."""
    return {
        partition: Heard(None if minute is None else minutes(minute), NOON)
        for partition, minute in enumerate(latest)
    }


def drained(*partitions: int, after: timedelta = QUIET) -> dict[int, datetime]:
    """Return partitions that were at their end some time after noon."""
    return dict.fromkeys(partitions, NOON + after)


def test_on_the_wall_clock_a_message_is_heard_when_the_broker_took_it() -> None:
    assert WallTime().of_message(level(1), minutes(5)) == minutes(5)


def test_on_the_wall_clock_only_drained_partitions_are_heard() -> None:
    assert WallTime().heard_until(heard(0, 0), {1: minutes(5)}) == {1: minutes(5)}


def test_on_event_time_a_message_is_heard_when_its_level_changed() -> None:
    told = level(1, last_change_at=minutes(3))
    assert EventTime().of_message(told, minutes(99)) == minutes(3)


def test_on_event_time_the_slowest_partition_with_something_to_read_sets_the_time() -> None:
    until = EventTime().heard_until(heard(1, 5, 9), drained(0))
    assert until == dict.fromkeys(range(3), minutes(5))


def test_on_event_time_a_partition_is_at_its_end_only_after_a_quiet_while() -> None:
    soon = drained(0, after=QUIET - timedelta(milliseconds=1))
    assert EventTime().heard_until(heard(1, 5), soon) == dict.fromkeys(range(2), minutes(1))


def test_on_event_time_the_newest_message_sets_the_time_when_all_is_read() -> None:
    until = EventTime().heard_until(heard(1, 5, None), drained(0, 1, 2))
    assert set(until.values()) == {minutes(5)}


def test_on_event_time_a_partition_that_has_not_begun_holds_all_others() -> None:
    assert EventTime().heard_until(heard(1, None), drained(0)) == {}


def test_on_event_time_nothing_is_heard_of_empty_partitions() -> None:
    assert EventTime().heard_until(heard(None), drained(0)) == {}
