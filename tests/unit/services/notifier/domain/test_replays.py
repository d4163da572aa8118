"""Which of what died still tells something."""

from dataclasses import replace
from uuid import UUID

import pytest

from services.notifier.domain.deliveries import Kind
from services.notifier.domain.replays import AGAIN, Notice, Told, reasons_of
from shared.events.stock_alerts import AlertEvent

EPISODE = UUID(int=1)


def notice(
    revision: int,
    event: str = "opened",
    kind: Kind = Kind.FIRST,
    told: Told = Told.NO,
    *,
    here: bool = True,
    readers: frozenset[str] | None = None,
) -> Notice:
    """Return a delivery of one episode; its id is its revision."""
    id_ = UUID(int=revision if here else 1_000 + revision)
    return Notice(id_, kind, AlertEvent(event), EPISODE, revision, told, here, readers=readers)


def change(revision: int, event: str = "acknowledged", told: Told = Told.NO) -> Notice:
    return notice(revision, event, Kind.CHANGE, told)


def reasons(*episode: Notice) -> list[str | None]:
    """Return what becomes of the dead of an episode, the oldest first."""
    dead = [each for each in episode if each.told is Told.NO and each.here]
    found = reasons_of(dead, episode)
    return [found[each.id] for each in dead]


def test_what_nobody_was_told_is_told() -> None:
    assert reasons(notice(1)) == [AGAIN]


def test_what_the_destination_knows_to_be_past_is_not_told() -> None:
    assert reasons(notice(1), change(2, told=Told.YES)) == ["newer_revision: 2"]


def test_a_first_notice_goes_before_what_waits_behind_it() -> None:
    assert reasons(notice(1), change(2, told=Told.COMING)) == [AGAIN]
    assert reasons(notice(1), change(2), change(3)) == [AGAIN, "newer_revision: 3", AGAIN]


def test_a_change_gives_way_to_the_next_one_and_an_escalation_does_not() -> None:
    begun = notice(1, told=Told.YES)
    assert reasons(begun, change(2), change(3, told=Told.COMING)) == ["newer_revision: 3"]
    escalated = notice(2, "escalated", Kind.ESCALATION)
    assert reasons(begun, escalated, change(3)) == [AGAIN, AGAIN]


@pytest.mark.parametrize("ending", ["resolved", "retracted"])
@pytest.mark.parametrize("told", [Told.NO, Told.YES, Told.COMING])
def test_an_episode_that_is_over_is_not_told_as_if_it_were_new(ending: str, told: Told) -> None:
    over = change(3, ending, told)
    found = reasons(notice(1), change(2), over)
    assert found[:2] == ["newer_revision: 3"] * 2


def test_an_end_that_only_other_destinations_were_to_hear_of_counts() -> None:
    elsewhere = notice(2, "resolved", Kind.CHANGE, Told.YES, here=False)
    assert reasons(notice(1), elsewhere) == ["newer_revision: 2"]
    assert reasons(notice(1), replace(elsewhere, event=AlertEvent.ACKNOWLEDGED)) == [AGAIN]


def test_the_end_is_told_to_whoever_may_have_heard_of_the_beginning() -> None:
    assert reasons(notice(1, told=Told.YES), change(2, "resolved")) == [AGAIN]
    assert reasons(notice(1), change(2, "resolved")) == ["newer_revision: 2", "ended_untold"]
    perhaps = replace(notice(1), doubtful=True)
    assert reasons(perhaps, change(2, "resolved")) == ["newer_revision: 2", AGAIN]


def test_one_readers_news_is_no_news_to_another() -> None:
    boss, lin = frozenset({"boss"}), frozenset({"lin"})
    mine = notice(1, readers=boss)
    assert reasons(mine, notice(2, "reminded", told=Told.YES, readers=lin)) == [AGAIN]
    both = notice(2, "reminded", told=Told.YES, readers=boss | lin)
    assert reasons(mine, both) == ["newer_revision: 2"]
    assert reasons(mine, replace(both, readers=None)) == ["newer_revision: 2"]
    end = notice(3, "resolved", Kind.CHANGE, readers=boss)
    assert reasons(notice(1, told=Told.YES, readers=lin), end) == ["ended_untold"]
