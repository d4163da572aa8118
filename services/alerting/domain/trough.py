"""How low a level got while something was the matter with it: as it was told, and as is known now.

What comes to light late changes the past: a receipt that was recorded after the shortage it would
have prevented shows that there never was one.
"""

from datetime import datetime
from typing import NamedTuple

from services.alerting.domain.subject import Level


class Trough(NamedTuple):
    """The smallest available since an instant, in units.

    `since` is event time: the newest change when the condition began. `told` is as the messages
    said it; `known` as it is known now (it was never lower), None where nobody can say.
    """

    since: datetime
    told: int
    known: int | None

    @property
    def was_corrected(self) -> bool:
        """Whether it is known by now that it was not as low as was told."""
        return self.known is not None and self.known > self.told


def begun(level: Level) -> Trough:
    """Return the trough of a condition that begins where the level is."""
    return Trough(level.last_change_at, level.low_water, level.low_water)


def deepened(trough: Trough, level: Level, *, gap: bool) -> Trough:
    """Return the trough after a message; `gap`: some message before it was missed.

    A message that was missed may have said that there was less, so nothing is known any more.
    """
    return Trough(
        trough.since,
        min(trough.told, level.low_water),
        None if gap or trough.known is None else _lowest(trough.since, trough.known, level),
    )


def _lowest(since: datetime, known: int, level: Level) -> int | None:
    corrected = level.corrected
    if corrected is None:
        return min(known, level.low_water)
    if corrected.lowered is None:
        return None
    if corrected.since is not None and corrected.since <= since:
        known += corrected.raised
    # The message's own lowest as well: it may have been before what was lowered arrived.
    return min(known, level.low_water) - corrected.lowered
