"""Which of what died still tells something."""

from dataclasses import replace
from uuid import UUID

import pytest

from services.notifier.domain.deliveries import Kind, Reason
from services.notifier.domain.replays import (
    AGAIN,
    LATER,
    Notice,
    Told,
    fate_of_digest,
    fates_of,
)
from shared.events.stock_alerts import AlertEvent

EPISODE = UUID(int=1)
PAST = "newer_revision: 2"


def notice(
    revision: int,
    event: str = "opened",
    kind: Kind = Kind.FIRST,
    told: Told = Told.NO,
    *,
    here: bool = True,
) -> Notice:
    """Return a delivery of one episode; its id is its revision."""
    id_ = UUID(int=revision if here else 1_000 + revision)
    return Notice(id_, kind, AlertEvent(event), EPISODE, revision, told, here)


def change(revision: int, event: str = "acknowledged", told: Told = Told.NO) -> Notice:
    return notice(revision, event, Kind.CHANGE, told)


def fates(*episode: Notice) -> list[str | None]:
    """Return what becomes of the dead of an episode, the oldest first."""
    dead = [each for each in episode if each.told is Told.NO and each.here]
    found = fates_of(dead, episode)
    return [found[each.id] for each in dead]


def test_what_nobody_was_told_is_told() -> None:
    assert fates(notice(1)) == [AGAIN]


def test_what_the_destination_knows_to_be_past_is_not_told() -> None:
    assert fates(notice(1), change(2, told=Told.YES)) == [PAST]


def test_a_program_is_told_what_is_past_as_well() -> None:
    def full(one: Notice) -> Notice:
        return replace(one, in_full=True)

    ended = full(change(3, "resolved"))
    assert fates(full(change(2)), ended) == [AGAIN, AGAIN]
    assert fates(full(change(2)), full(change(4, told=Told.YES))) == [AGAIN]
    assert fates(full(change(2)), full(change(4, told=Told.GOING))) == [LATER]


def test_a_first_notice_goes_before_what_waits_behind_it() -> None:
    assert fates(notice(1), change(2, told=Told.COMING)) == [AGAIN]
    assert fates(notice(1), change(2), change(3)) == [AGAIN, "newer_revision: 3", AGAIN]


@pytest.mark.parametrize("event", ["opened", "escalated", "refused"])
def test_what_must_arrive_stays_as_it_is_while_something_newer_is_under_way(event: str) -> None:
    kinds = {"opened": Kind.FIRST, "escalated": Kind.ESCALATION, "refused": Kind.CHANGE}
    assert fates(notice(1, event, kinds[event]), change(2, told=Told.GOING)) == [LATER]


def test_a_change_gives_way_to_the_next_one_and_an_escalation_does_not() -> None:
    begun = notice(1, told=Told.YES)
    for told in (Told.COMING, Told.GOING):
        assert fates(begun, change(2), change(3, told=told)) == ["newer_revision: 3"]
    escalated = notice(2, "escalated", Kind.ESCALATION)
    assert fates(begun, escalated, change(3)) == [AGAIN, AGAIN]


@pytest.mark.parametrize("ending", ["resolved", "retracted"])
@pytest.mark.parametrize("told", [Told.NO, Told.YES, Told.GOING, Told.COMING])
def test_an_episode_that_is_over_is_not_told_as_if_it_were_new(ending: str, told: Told) -> None:
    over = change(3, ending, told)
    found = fates(notice(1), change(2), over)
    assert found[:2] == ["newer_revision: 3"] * 2


def test_an_end_that_only_other_destinations_were_to_hear_of_counts() -> None:
    elsewhere = notice(2, "resolved", Kind.CHANGE, Told.YES, here=False)
    assert fates(notice(1), elsewhere) == [PAST]
    assert fates(notice(1), replace(elsewhere, event=AlertEvent.ACKNOWLEDGED)) == [AGAIN]


def test_the_end_is_told_to_whoever_may_have_heard_of_the_beginning() -> None:
    end = change(2, "resolved")
    for told in (Told.YES, Told.COMING, Told.GOING):
        assert fates(notice(1, told=told), end) == [AGAIN]
    assert fates(notice(1), end) == [PAST, Reason.ENDED_UNTOLD]
    assert fates(replace(notice(1), doubtful=True), end) == [PAST, AGAIN]
    assert fates(notice(1), replace(end, doubtful=True)) == [PAST, AGAIN]


@pytest.mark.parametrize(
    ("parts", "fate"),
    [
        ([AGAIN, AGAIN], Reason.TAKEN_APART),
        ([AGAIN, PAST], Reason.TAKEN_APART),
        ([PAST, PAST], Reason.NEWER_REVISION),
        ([PAST, Reason.ENDED_UNTOLD], Reason.ENDED_UNTOLD),
        ([AGAIN, LATER], LATER),
    ],
)
def test_a_digest_is_told_by_what_it_was_made_of(parts: list[str | None], fate: str) -> None:
    assert fate_of_digest(parts, reached=False) == fate


@pytest.mark.parametrize(
    ("parts", "fate"),
    [([AGAIN, AGAIN], AGAIN), ([AGAIN, PAST], Reason.TAKEN_APART), ([PAST], Reason.NEWER_REVISION)],
)
def test_a_digest_that_some_have_goes_on_for_the_others_while_all_of_it_holds(
    parts: list[str | None], fate: str | None
) -> None:
    assert fate_of_digest(parts, reached=True) == fate
