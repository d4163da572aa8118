from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifier.domain.deliveries import Kind
from services.notifier.domain.limits import (
    DIGEST_GAP,
    MARGIN,
    MINUTE,
    RESERVE,
    SECOND,
    Candidate,
    Limit,
    Merge,
    Rest,
    Send,
    Window,
    next_step,
)

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
LIMIT = 20
A_MINUTE = (Limit(LIMIT, MINUTE),)
PACED = (Limit(100, MINUTE), Limit(5, SECOND))


def waiting(*kinds: Kind) -> list[Candidate]:
    return [Candidate(UUID(int=number), kind) for number, kind in enumerate(kinds)]


def used(count: int, seconds_ago: float = 1) -> list[datetime]:
    return [NOW - timedelta(seconds=seconds_ago)] * count


FIRST, CHANGE, DIGEST = Kind.FIRST, Kind.CHANGE, Kind.DIGEST


def test_nothing_waiting_is_rest_until_woken() -> None:
    assert next_step([], Window(A_MINUTE, ()), NOW) == Rest(None)


def test_everything_that_fits_goes_singly() -> None:
    full = waiting(*[FIRST] * 10, *[CHANGE] * 10)
    assert next_step(full, Window(A_MINUTE, ()), NOW) == Send(full[0].id)
    changes = waiting(CHANGE, CHANGE)
    assert next_step(changes, Window(A_MINUTE, used(18)), NOW) == Send(changes[0].id)


def test_what_is_to_be_told_together_is_one_message_and_counts_as_one() -> None:
    together = [Candidate(UUID(int=1), FIRST, "lin|S1"), Candidate(UUID(int=2), FIRST)]
    assert next_step(together, Window(A_MINUTE, used(18)), NOW) == Merge("lin|S1")
    assert next_step(together, Window(A_MINUTE, used(19)), NOW) == Merge()


def test_more_than_fits_sends_first_notices_down_to_the_reserve_and_merges_the_rest() -> None:
    many = waiting(*[FIRST] * 21)
    roomy = Window(A_MINUTE, used(LIMIT - RESERVE - 1))
    assert next_step(many, roomy, NOW) == Send(many[0].id)
    assert next_step(many, Window(A_MINUTE, used(LIMIT - RESERVE)), NOW) == Merge()


def test_escalations_go_singly_like_first_notices() -> None:
    many = waiting(*[Kind.ESCALATION] * 21)
    roomy = Window(A_MINUTE, used(LIMIT - RESERVE - 1))
    assert next_step(many, roomy, NOW) == Send(many[0].id)
    assert next_step(many, Window(A_MINUTE, used(LIMIT - RESERVE)), NOW) == Merge()


def test_changes_do_not_use_up_what_later_first_notices_need() -> None:
    assert next_step(waiting(*[CHANGE] * 21), Window(A_MINUTE, ()), NOW) == Merge()


def test_a_full_window_rests_until_its_oldest_message_leaves_it() -> None:
    window = Window(A_MINUTE, used(LIMIT, seconds_ago=50))
    until = NOW + timedelta(seconds=10) + MARGIN
    assert next_step(waiting(FIRST), window, NOW) == Rest(until)


def test_a_message_leaves_the_window_after_a_minute_and_a_margin() -> None:
    gone = Window(A_MINUTE, [NOW - MINUTE - MARGIN] * LIMIT)
    assert gone.room(NOW) == LIMIT
    assert gone.room(NOW - timedelta(milliseconds=1)) == 0


def test_digests_are_spread_over_the_rest_of_the_minute() -> None:
    window = Window(A_MINUTE, used(17, seconds_ago=0), last_digest_at=NOW)
    step = next_step(waiting(*[FIRST] * 4), window, NOW)
    assert isinstance(step, Rest)
    assert step.until is not None
    assert timedelta(seconds=19) < step.until - NOW < timedelta(seconds=21)


def test_two_digests_never_follow_within_the_gap() -> None:
    window = Window(A_MINUTE, used(19, seconds_ago=59.9), last_digest_at=NOW - timedelta(seconds=1))
    assert next_step(waiting(FIRST, FIRST), window, NOW) == Rest(
        NOW - timedelta(seconds=1) + DIGEST_GAP
    )


def test_a_digest_to_be_repeated_goes_before_another_is_made() -> None:
    queue = waiting(FIRST, FIRST, FIRST, DIGEST)
    assert next_step(queue, Window(A_MINUTE, used(18)), NOW) == Send(queue[3].id)


def test_a_test_message_does_not_wait_for_a_digest() -> None:
    queue = waiting(Kind.TEST, *[FIRST] * 21)
    assert next_step(queue, Window(A_MINUTE, used(19)), NOW) == Send(queue[0].id)


def test_a_narrow_limit_slows_down_and_merges_nothing() -> None:
    queue = waiting(*[FIRST] * 10)
    window = Window(PACED, used(5, seconds_ago=0.5))
    assert next_step(queue, window, NOW) == Rest(NOW + timedelta(seconds=0.5) + MARGIN)
    assert next_step(queue, window, NOW + SECOND) == Send(queue[0].id)


def test_a_destination_without_limits_gets_each_by_itself_at_once() -> None:
    queue = waiting(*[CHANGE] * 500)
    assert next_step(queue, Window((), used(500)), NOW) == Send(queue[0].id)


@settings(deadline=None, max_examples=50)
@given(arrivals=st.lists(st.floats(0, 240), min_size=1, max_size=300))
@pytest.mark.parametrize("limits", [A_MINUTE, PACED, (Limit(30, MINUTE), Limit(1, SECOND))])
def test_no_span_holds_more_than_its_limit_and_nothing_is_left_behind(
    limits: tuple[Limit, ...], arrivals: list[float]
) -> None:
    pending = sorted(arrivals)
    queue: list[Candidate] = []
    sent: list[datetime] = []
    last_digest: datetime | None = None
    now, number = NOW, 0
    while pending or queue:
        while pending and NOW + timedelta(seconds=pending[0]) <= now:
            pending.pop(0)
            number += 1
            queue.append(Candidate(UUID(int=number), FIRST))
        step = next_step(queue[: limits[0].count + 1], Window(limits, sent, last_digest), now)
        match step:
            case Send(id_):
                queue = [each for each in queue if each.id != id_]
                sent.append(now)
            case Merge():
                queue = []
                sent.append(now)
                last_digest = now
            case Rest(until):
                coming = NOW + timedelta(seconds=pending[0]) if pending else None
                now = min(each for each in (until, coming) if each is not None)
    for limit in limits:
        for index, instant in enumerate(sent[limit.count :]):
            assert instant - sent[index] > limit.span
