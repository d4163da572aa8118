"""Sending again what died: which of it still tells something, and what becomes of the rest.

A revision that the destination knows to be past is not sent, nor is one of an episode that has
ended: it would read as if it were new. The end itself is sent to whoever may have been told of the
beginning, and to nobody else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from services.notifier.domain.deliveries import MUST_ARRIVE, Kind, Reason
from shared.events.stock_alerts import ENDINGS, AlertEvent


class Told(StrEnum):
    """Whether a delivery's reader knows what it says."""

    YES = "yes"
    """It was accepted, by itself or in a digest."""
    COMING = "coming"
    """It waits, or is being sent."""
    NO = "no"


@dataclass(frozen=True, slots=True)
class Notice:
    """A delivery that tells of one revision of an episode.

    `readers` are those it is for, None where they are not counted one by one. `here` says that it
    is for the destination in question; `doubtful` that it may have arrived in spite of all.
    """

    id: UUID
    kind: Kind
    event: AlertEvent
    alert_id: UUID
    revision: int
    told: Told
    here: bool = True
    doubtful: bool = False
    readers: frozenset[str] | None = None

    def meets(self, other: "Notice") -> bool:
        """Return whether somebody is a reader of both."""
        if self.readers is None or other.readers is None:
            return True
        return not self.readers.isdisjoint(other.readers)


AGAIN = None
"""What becomes of a delivery that is sent again: it has no reason not to be."""


def reasons_of(dead: Iterable[Notice], episodes: Sequence[Notice]) -> dict[UUID, str | None]:
    """Return for each dead notice why it is not sent again, or AGAIN.

    `episodes` are all deliveries of the episodes concerned, the dead ones among them.
    """
    by_episode: dict[UUID, list[Notice]] = {}
    for each in episodes:
        by_episode.setdefault(each.alert_id, []).append(each)
    found: dict[UUID, str | None] = {}
    again: set[UUID] = set()
    # The newest first: what is sent again may make older ones needless.
    for each in sorted(dead, key=lambda one: one.revision, reverse=True):
        reason = _reason(each, by_episode[each.alert_id], again)
        found[each.id] = reason
        if reason is AGAIN:
            again.add(each.id)
    return found


def _reason(notice: Notice, episode: Sequence[Notice], again: set[UUID]) -> str | None:
    later = [each for each in episode if each.revision > notice.revision]
    own = [each for each in later if each.here and each.meets(notice)]
    newer = {each.revision for each in own if each.told is Told.YES}
    newer |= {each.revision for each in later if each.event in ENDINGS}
    if notice.kind not in MUST_ARRIVE and notice.event is not AlertEvent.REFUSED:
        # As while they wait: a change gives way to the next one.
        newer |= {each.revision for each in own if each.told is Told.COMING or each.id in again}
    if newer:
        return f"{Reason.NEWER_REVISION}: {max(newer)}"
    if notice.event in ENDINGS and not _heard_of(notice, episode):
        return Reason.ENDED_UNTOLD
    return AGAIN


def _heard_of(end: Notice, episode: Sequence[Notice]) -> bool:
    """Return whether an end's readers have, or may have, heard of its episode."""
    return end.doubtful or any(
        each.here
        and each.meets(end)
        and each.revision < end.revision
        and (each.told is not Told.NO or each.doubtful)
        for each in episode
    )
