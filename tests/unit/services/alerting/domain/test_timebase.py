"""Up to when everything has been heard."""

from services.alerting.domain.timebase import EventTime, WallTime
from tests.unit.services.alerting.cases import NOON, level, minutes


def test_on_the_wall_clock_a_message_is_heard_when_the_broker_took_it() -> None:
    assert WallTime().of_message(level(1), minutes(5)) == minutes(5)


def test_on_the_wall_clock_only_drained_partitions_are_heard() -> None:
    heard = WallTime().heard_until({0: NOON, 1: NOON}, {1: minutes(5)})
    assert heard == {1: minutes(5)}


def test_on_event_time_a_message_is_heard_when_its_level_changed() -> None:
    told = level(1, last_change_at=minutes(3))
    assert EventTime().of_message(told, minutes(99)) == minutes(3)


def test_on_event_time_the_slowest_partition_with_something_to_read_sets_the_time() -> None:
    latest = {0: minutes(1), 1: minutes(5), 2: minutes(9)}
    heard = EventTime().heard_until(latest, {0: NOON})
    assert heard == {0: minutes(5), 1: minutes(5), 2: minutes(5)}


def test_on_event_time_the_newest_message_sets_the_time_when_all_is_read() -> None:
    latest = {0: minutes(1), 1: minutes(5), 2: None}
    heard = EventTime().heard_until(latest, {0: NOON, 1: NOON, 2: NOON})
    assert set(heard.values()) == {minutes(5)}


def test_on_event_time_a_partition_that_has_not_begun_holds_all_others() -> None:
    assert EventTime().heard_until({0: minutes(1), 1: None}, {0: NOON}) == {}


def test_on_event_time_nothing_is_heard_of_empty_partitions() -> None:
    assert EventTime().heard_until({0: None}, {0: NOON}) == {}
