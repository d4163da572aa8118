"""How long records wait, by what a consumer has seen of them, and the warning before they go."""

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared.events.topics import ALERT_REPORTS, CATALOG_ITEMS, STOCK_CHANGES, STOCK_LEVELS
from shared.kafka.waiting import Waiting
from tests.factories.records import FakeRecord

HOUR = 3600.0
DAY = 24 * HOUR
NOW = 1_800_000_000.0


def told(name: str, topic: str, partition: int = 0) -> float | None:
    return REGISTRY.get_sample_value(name, {"topic": topic, "partition": str(partition)})


def seconds(topic: str, partition: int = 0) -> float | None:
    return told("lowtide_lag_seconds", topic, partition)


def share(topic: str, partition: int = 0) -> float | None:
    return told("lowtide_lag_share_of_kept", topic, partition)


def waiting_since(topic: str, at: float) -> Waiting:
    waiting = Waiting(topic)
    waiting.note_claimed(0)
    waiting.note_begun({0: [FakeRecord(timestamp=int(at * 1000)), FakeRecord(offset=1)]})
    return waiting


def test_a_record_waits_since_the_broker_took_it() -> None:
    waiting = waiting_since(STOCK_CHANGES.name, NOW - 90)
    waiting.tell({0: 3}, NOW)
    assert seconds(STOCK_CHANGES.name) == 90


def test_nothing_waits_where_all_is_applied() -> None:
    waiting = waiting_since(STOCK_CHANGES.name, NOW - 90)
    waiting.tell({0: 0}, NOW)
    assert (seconds(STOCK_CHANGES.name), share(STOCK_CHANGES.name)) == (0, 0)


def test_what_comes_after_a_quiet_week_has_not_waited_for_a_week() -> None:
    waiting = waiting_since(ALERT_REPORTS.name, NOW - 7 * DAY)
    waiting.tell({0: 0}, NOW - 2)
    waiting.tell({0: 1}, NOW)
    assert seconds(ALERT_REPORTS.name) == 2


def test_of_a_partition_just_claimed_nobody_knows_since_when_something_waits() -> None:
    waiting = waiting_since(STOCK_CHANGES.name, NOW - 13 * DAY)
    waiting.tell({0: 1}, NOW)
    waiting.note_claimed(0)
    waiting.tell({0: 1}, NOW)
    assert told("lowtide_lag_records", STOCK_CHANGES.name) == 1
    assert (seconds(STOCK_CHANGES.name), share(STOCK_CHANGES.name)) == (None, None)


def test_what_another_process_has_is_not_told_of() -> None:
    waiting = waiting_since(STOCK_CHANGES.name, NOW - 90)
    waiting.tell({0: 3}, NOW)
    waiting.tell({}, NOW)
    assert (seconds(STOCK_CHANGES.name), share(STOCK_CHANGES.name)) == (None, None)


def test_a_clock_behind_the_brokers_makes_no_age_below_nothing() -> None:
    waiting = waiting_since(STOCK_CHANGES.name, NOW + 5)
    waiting.tell({0: 3}, NOW)
    assert seconds(STOCK_CHANGES.name) == 0


@pytest.mark.parametrize(
    ("topic", "kept_hours"), [(STOCK_CHANGES.name, 14 * 24), (STOCK_LEVELS.name, 24)]
)
def test_that_half_of_the_time_records_are_kept_for_is_over_is_said_once(
    topic: str, kept_hours: float
) -> None:
    began = NOW - kept_hours * HOUR / 2
    waiting = waiting_since(topic, began)
    with capture_logs() as lines:
        waiting.tell({0: 3, 1: 0}, NOW)
    assert (share(topic), lines) == (0.5, [])
    with capture_logs() as lines:
        waiting.tell({0: 3, 1: 0}, NOW + HOUR)
        waiting.tell({0: 3, 1: 0}, NOW + 2 * HOUR)
    (line,) = lines
    assert line["log_level"] == "warning"
    assert (line["topic"], line["partition"]) == (topic, 0)
    assert (line["waited_hours"], line["kept_hours"]) == (kept_hours / 2 + 1, kept_hours)


def test_it_is_said_again_of_the_next_time() -> None:
    waiting = waiting_since(STOCK_LEVELS.name, NOW - 13 * HOUR)
    with capture_logs() as lines:
        waiting.tell({0: 3}, NOW)
        waiting.tell({0: 0}, NOW)
        waiting.tell({0: 1}, NOW + 13 * HOUR)
    assert len(lines) == 2


def test_what_is_known_by_its_newest_record_alone_has_an_age_and_no_share() -> None:
    waiting = waiting_since(CATALOG_ITEMS.name, NOW - 90 * DAY)
    with capture_logs() as lines:
        waiting.tell({0: 3}, NOW)
    assert (seconds(CATALOG_ITEMS.name), share(CATALOG_ITEMS.name)) == (90 * DAY, None)
    assert lines == []
