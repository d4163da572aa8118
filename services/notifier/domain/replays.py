"""Sending again what died: which of it still tells something, and what becomes of the rest.

A revision that the destination knows to be past is not sent, nor is one of an episode that has
ended: it would read as if it were new. The end itself is sent to whoever may have been told of the
beginning, and to nobody else.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from services.notifier.domain.deliveries import MUST_ARRIVE, Kind, Reason
from shared.events.stock_alerts import ENDINGS, AlertEvent


class Told(StrEnum):
    """Whether a destination knows what a delivery says."""

    YES = "yes"
    """It was accepted, by itself or in a digest."""
    GOING = "going"
    """It is being sent, or waits in a digest: nothing older can be told before it."""
    COMING = "coming"
    """It waits, as long as anything older of its episode does."""
    NO = "no"


@dataclass(frozen=True, slots=True)
class Notice:
    """A delivery that tells of one revision of an episode.

    `here` says that it is for the destination in question; `doubtful` that it may have arrived, or
    has for some of its recipients, whatever `told` is; `in_full` that a program listens there,
    which is told of every revision.
    """

    id: UUID
    kind: Kind
    event: AlertEvent
    alert_id: UUID
    revision: int
    told: Told
    here: bool = True
    doubtful: bool = False
    in_full: bool = False


AGAIN = None
"""What becomes of a delivery that is sent again: it has no reason not to be."""

LATER = "later"
"""What becomes of one that stays dead for now: it depends on what is going."""


def fates_of(dead: Iterable[Notice], episodes: Sequence[Notice]) -> dict[UUID, str | None]:
    """Return for each dead notice AGAIN, LATER or why it is not sent again.

    `episodes` are all deliveries of the episodes concerned, the dead ones among them.
    """
    by_episode: dict[UUID, list[Notice]] = {}
    for each in episodes:
        by_episode.setdefault(each.alert_id, []).append(each)
    found: dict[UUID, str | None] = {}
    again: set[UUID] = set()
    # The newest first: what is sent again may make older ones needless.
    for each in sorted(dead, key=lambda one: one.revision, reverse=True):
        fate = _fate(each, by_episode[each.alert_id], again)
        found[each.id] = fate
        if fate is AGAIN:
            again.add(each.id)
    return found


def fate_of_digest(parts: Collection[str | None], *, reached: bool) -> str | None:
    """Return what becomes of a dead digest, by the fates of what it was made of.

    It is taken apart, so that nothing of it is told that is past by now. Only one that has
    `reached` some of its recipients, and holds as it is, goes on for the others.
    """
    if LATER in parts:
        return LATER
    if AGAIN not in parts:
        return Reason.ENDED_UNTOLD if Reason.ENDED_UNTOLD in parts else Reason.NEWER_REVISION
    if reached and set(parts) == {AGAIN}:
        return AGAIN
    return Reason.TAKEN_APART


def _fate(notice: Notice, episode: Sequence[Notice], again: set[UUID]) -> str | None:
    later = [each for each in episode if each.revision > notice.revision]
    own = [each for each in later if each.here]
    if notice.in_full:
        return LATER if any(each.told is Told.GOING for each in own) else AGAIN
    newer = {each.revision for each in own if each.told is Told.YES}
    newer |= {each.revision for each in later if each.event in ENDINGS}
    goes_by_itself = notice.kind in MUST_ARRIVE or notice.event is AlertEvent.REFUSED
    if not goes_by_itself:
        # As while they wait: a change gives way to the next one.
        newer |= {each.revision for each in own if each.told is not Told.NO or each.id in again}
    if newer:
        return f"{Reason.NEWER_REVISION}: {max(newer)}"
    if notice.event in ENDINGS and not _heard_of(notice, episode):
        return Reason.ENDED_UNTOLD
    return LATER if any(each.told is Told.GOING for each in own) else AGAIN


def _heard_of(end: Notice, episode: Sequence[Notice]) -> bool:
    """Return whether an end's destination has, or may have, heard of its episode."""
    return end.doubtful or any(
        each.here and each.revision < end.revision and (each.told is not Told.NO or each.doubtful)
        for each in episode
    )
