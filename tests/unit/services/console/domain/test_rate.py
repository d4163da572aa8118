from datetime import UTC, datetime, timedelta

from services.console.domain.rate import Rate

START = datetime(2026, 3, 2, tzinfo=UTC)


def sampled(*readings: tuple[float, int]) -> Rate:
    rate = Rate(keep=3)
    for seconds, total in readings:
        rate.sample(START + timedelta(seconds=seconds), total)
    return rate


def test_one_reading_says_nothing() -> None:
    assert sampled((0, 100)).per_second is None


def test_growth_is_per_second() -> None:
    assert sampled((0, 100), (2, 160)).per_second == 30


def test_only_the_last_seconds_count() -> None:
    assert sampled((0, 0), (1, 1000), (6, 1000), (7, 1000), (11, 1000)).per_second == 0


def test_a_counter_that_starts_over_is_not_a_loss() -> None:
    assert sampled((0, 100), (1, 200), (2, 5)).per_second is None
    assert sampled((0, 100), (1, 200), (2, 5), (3, 15)).per_second == 10


def test_the_history_is_bounded() -> None:
    rate = sampled(*((second, 10 * second) for second in range(10)))
    assert list(rate.history) == [10, 10, 10]
