"""What is said of a condition whose episode a person has ended: nothing until it is worse.

A worker knows conditions and no episodes: what somebody has ended holds for it as before. So what
it announces is looked through once more, where the open episodes are known.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.alerting.domain.draft import Announcement
from services.alerting.domain.subject import Subject
from shared.events.stock_alerts import ENDINGS, SEVERITY, AlertEvent, AlertLevel

Key = tuple[str, Subject]
"""A rule and what it watches."""


@dataclass(frozen=True, slots=True)
class EndedByHand:
    """An episode that a person has ended while what it warned of goes on."""

    id: UUID
    number: int
    level: AlertLevel
    ended_at: datetime
    by: str
    name: str
    """What `by` is called."""
    note: str


class Sifted(NamedTuple):
    """What is to be told, and of which ended episodes the condition is over, or told anew."""

    told: list[Announcement]
    over: dict[Key, datetime]


def sift(
    announcements: Sequence[Announcement],
    is_open: Collection[Key],
    ended: Mapping[Key, AlertLevel],
) -> Sifted:
    """Return what is to be told of announcements, in order.

    What gets worse than an episode was when somebody ended it opens a new one; what eases or
    recovers is over without a word. `ended` has the levels of those episodes.
    """
    goes_on = set(is_open)
    sifted = Sifted([], {})
    for each in announcements:
        key, transition = (each.rule.id, each.subject), each.transition
        if transition.event is AlertEvent.OPENED or key in goes_on:
            sifted.told.append(each)
            if transition.event in ENDINGS:
                goes_on.remove(key)
            else:
                goes_on.add(key)
        elif transition.event in ENDINGS:
            sifted.over[key] = transition.occurred_at
        elif SEVERITY[transition.level] > SEVERITY[ended[key]]:
            opened = replace(transition, event=AlertEvent.OPENED, previous_level=None)
            sifted.told.append(replace(each, transition=opened))
            sifted.over[key] = transition.occurred_at
            goes_on.add(key)
    return sifted
