"""Metrics are everybody's; what one process measures is said by that process."""

from shared.observability.metrics import TOPIC_CHECKED_AT


def test_who_compares_nothing_does_not_say_that_it_was_in_1970() -> None:
    TOPIC_CHECKED_AT.clear()
    assert [each.samples for each in TOPIC_CHECKED_AT.collect()] == [[]]
