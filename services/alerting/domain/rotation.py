"""Rotations: people who take turns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Override(NamedTuple):
    """For a while somebody else takes the turn."""

    person: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Rotation:
    """People in the order of their turns.

    They hand over every so many days at an hour in a zone; the first one's turn begins on
    `starts_on`. Of several overrides the last one counts.
    """

    people: Sequence[str]
    every_days: int
    hand_over: time
    zone: str
    starts_on: date
    overrides: Sequence[Override] = ()

    def on_duty(self, now: datetime, is_away: Callable[[str], bool]) -> str:
        """Return whose turn it is; who is away is skipped.

        When everybody is away it is whose turn it would be: somebody must find the alert.
        """
        for override in reversed(self.overrides):
            if override.starts_at <= now < override.ends_at and not is_away(override.person):
                return override.person
        turn = self._turn(now)
        inline = (self.people[(turn + each) % len(self.people)] for each in range(len(self.people)))
        there = (person for person in inline if not is_away(person))
        return next(there, self.people[turn % len(self.people)])

    def _turn(self, now: datetime) -> int:
        """Return how many hand-overs there were; before the start it goes on backwards."""
        local = now.astimezone(ZoneInfo(self.zone))
        days = (local.date() - self.starts_on).days
        if local.time() < self.hand_over:
            days -= 1
        return days // self.every_days
