from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.notifier.domain.deliveries import Delivery, Kind, Recipients, State
from services.notifier.domain.outcomes import (
    GIVES_UP_AFTER,
    Outcome,
    Settlement,
    Verdict,
    backoff,
    interrupted,
    lane_pause,
    of_errcode,
    settle,
)

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
DELIVERY = Delivery(
    id=UUID(int=1),
    kind=Kind.FIRST,
    alert_id=UUID(int=2),
    alert_number=1,
    event=None,
    content="{}",
    attempts=1,
    duplicate_possible=False,
    has_first=False,
)


def settled(
    delivery: Delivery,
    outcome: Outcome,
    *,
    recognises_repeats: bool = False,
    changes_posted: bool = False,
) -> Settlement:
    return settle(
        delivery,
        outcome,
        recognises_repeats=recognises_repeats,
        changes_posted=changes_posted,
        gives_up_at=NOW + GIVES_UP_AFTER,
        now=NOW,
        jitter=0.0,
    )


UNKNOWN = Outcome(Verdict.UNKNOWN, "timeout", "no answer", retry_after=timedelta(seconds=30))


PASSING = {-1: timedelta(), 45009: timedelta(seconds=60)}


@pytest.mark.parametrize(
    ("errcode", "verdict"),
    [(0, Verdict.ACCEPTED), (-1, Verdict.TRANSIENT), (93000, Verdict.PERMANENT)],
)
def test_an_errcode_decides_whatever_the_message_says(errcode: int, verdict: Verdict) -> None:
    assert of_errcode(errcode, "ok", PASSING).verdict is verdict


def test_too_often_keeps_the_whole_destination_quiet_for_as_long_as_the_vendor_does() -> None:
    outcome = of_errcode(45009, "api freq out of limit", PASSING)
    assert outcome.retry_after == outcome.lane_wait == timedelta(seconds=60)


def test_a_passing_failure_is_repeated_later_and_later() -> None:
    failed = settled(DELIVERY, Outcome(Verdict.TRANSIENT, "500", "HTTP 500"))
    assert (failed.state, failed.next_at) == (State.FAILED, NOW + timedelta(seconds=0.3))
    waits = [backoff(attempts, 0.0) for attempts in range(1, 12)]
    assert waits == sorted(waits)
    assert backoff(1, 0.999) < 1.25 * backoff(1, 0.0)
    assert lane_pause(100, 0.0) == timedelta(minutes=1)


def test_what_comes_on_or_is_sent_again_is_not_kept_waiting_for_earlier_failures() -> None:
    failed = Outcome(Verdict.TRANSIENT, "4xx", "put off", recipients=Recipients(("b", "c")))
    soon, late = NOW + timedelta(seconds=0.3), NOW + timedelta(hours=1)
    before = replace(DELIVERY, attempts=20, recipients=Recipients(("b", "c")))
    assert settled(before, failed).next_at == late
    assert settled(replace(before, recipients=Recipients(("a", "b", "c"))), failed).next_at == soon
    assert settled(replace(before, tried_before=19), failed).next_at == soon


def test_a_passing_failure_that_lasts_for_a_day_ends_dead() -> None:
    late = settle(
        replace(DELIVERY, attempts=20),
        Outcome(Verdict.TRANSIENT, "500", "HTTP 500"),
        recognises_repeats=False,
        gives_up_at=NOW + timedelta(minutes=59),
        now=NOW,
        jitter=0.0,
    )
    assert (late.state, late.reason) == (State.DEAD, "gave_up: HTTP 500")


def test_a_permanent_failure_is_dead_at_once() -> None:
    dead = settled(DELIVERY, of_errcode(93000, "invalid webhook url", PASSING))
    assert (dead.state, dead.next_at) == (State.DEAD, None)
    assert dead.reason == "refused: errcode 93000: invalid webhook url"


@pytest.mark.parametrize(
    ("kind", "has_first", "repeated"),
    [
        (Kind.FIRST, False, True),
        (Kind.ESCALATION, False, True),
        (Kind.META, False, True),
        (Kind.DIGEST, True, True),
        (Kind.DIGEST, False, False),
        (Kind.CHANGE, False, False),
        (Kind.TEST, False, False),
    ],
)
def test_what_may_have_arrived_is_repeated_only_for_first_notices(
    kind: Kind, has_first: bool, repeated: bool
) -> None:
    settlement = settled(replace(DELIVERY, kind=kind, has_first=has_first), UNKNOWN)
    if repeated:
        assert settlement.state is State.FAILED
        assert settlement.duplicate_possible
        assert settlement.next_at == NOW + timedelta(seconds=30)
    else:
        assert settlement.state is State.SUPPRESSED
        assert not settlement.duplicate_possible
    assert settlement.reason == "outcome_unknown: no answer"


def test_it_is_repeated_once_and_not_again() -> None:
    again = settled(replace(DELIVERY, duplicate_possible=True, attempts=2), UNKNOWN)
    assert again.state is State.DEAD
    assert again.duplicate_possible


@pytest.mark.parametrize("kind", list(Kind))
def test_where_a_repeat_is_recognised_everything_is_repeated_unmarked(kind: Kind) -> None:
    again = settled(replace(DELIVERY, kind=kind, attempts=9), UNKNOWN, recognises_repeats=True)
    assert again == Settlement(
        State.FAILED, False, None, "no answer", NOW + timedelta(seconds=3_600)
    )


def test_where_a_repeat_is_recognised_a_crash_repeats_everything_unmarked() -> None:
    change = replace(DELIVERY, kind=Kind.CHANGE)
    again = settled(change, interrupted(None), recognises_repeats=True)
    assert (again.state, again.duplicate_possible) == (State.FAILED, False)


def test_a_repeat_that_arrives_stays_marked() -> None:
    sent = settled(replace(DELIVERY, duplicate_possible=True), of_errcode(0, "ok", PASSING))
    assert (sent.state, sent.duplicate_possible) == (State.SENT, True)


def test_a_change_that_messages_show_is_shown_there_once_more() -> None:
    change = replace(DELIVERY, kind=Kind.CHANGE)
    first = settled(change, UNKNOWN, changes_posted=True)
    assert (first.state, first.duplicate_possible) == (State.FAILED, True)
    again = settled(replace(change, duplicate_possible=True), UNKNOWN, changes_posted=True)
    assert again.state is State.SUPPRESSED
    assert settled(change, UNKNOWN).state is State.SUPPRESSED


def test_an_attempt_cut_off_by_a_crash_is_an_unknown_outcome() -> None:
    assert settled(DELIVERY, interrupted(None)).state is State.FAILED
    change = replace(DELIVERY, kind=Kind.CHANGE)
    assert settled(change, interrupted(None)).state is State.SUPPRESSED


def test_a_repeated_mail_goes_to_those_in_doubt_and_those_put_off_and_nobody_else() -> None:
    progress = Recipients(left=("c",), reached=("a",), in_doubt=("b",), refused=("d (550)",))
    first = settled(DELIVERY, replace(UNKNOWN, recipients=progress))
    assert first.recipients == Recipients(("c", "b"), ("a",), (), ("d (550)",))
    change = settled(replace(DELIVERY, kind=Kind.CHANGE), replace(UNKNOWN, recipients=progress))
    assert (change.state, change.recipients) == (State.FAILED, progress)


def test_a_mail_that_some_never_get_is_sent_and_says_so() -> None:
    progress = Recipients(left=(), reached=("a",), refused=("d (550)",))
    sent = settled(DELIVERY, Outcome(Verdict.ACCEPTED, "250", "ok", recipients=progress))
    assert (sent.state, sent.reason) == (State.SENT, "some_recipients_refused: d (550)")
