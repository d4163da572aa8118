from datetime import UTC, datetime, timedelta

from shared.testing.vendor import Quota

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def test_every_span_has_its_limit() -> None:
    quota = Quota((3, MINUTE), (2, SECOND))
    assert [quota.admits("a", START) for _ in range(3)] == [True, True, False]
    assert quota.admits("a", START + SECOND)
    assert not quota.admits("a", START + 2 * SECOND)
    assert quota.admits("a", START + MINUTE)


def test_keys_are_counted_by_themselves() -> None:
    quota = Quota((1, MINUTE))
    assert [quota.admits(key, START) for key in "aab"] == [True, False, True]


def test_one_too_many_blocks_for_a_while_and_what_comes_meanwhile_does_not_prolong_it() -> None:
    quota = Quota((1, SECOND), block=MINUTE)
    assert quota.admits("a", START)
    assert not quota.admits("a", START)
    assert not quota.admits("a", START + MINUTE - SECOND)
    assert quota.admits("a", START + MINUTE)
