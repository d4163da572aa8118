"""Which time evaluations live in: the wall clock, or the events' own in a replay of history.

Either way a moment counts as passed only when everything before it has been heard: missing or
late messages never open or resolve anything by themselves.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from typing_extensions import override

from services.alerting.domain.subject import Level


class Timebase(Protocol):
    """Tells the time of a message, and up to when a worker's partitions have been heard."""

    def of_message(self, level: Level, appended_at: datetime) -> datetime:
        """Return when a message counts as heard; `appended_at` is the broker's time of it."""

    def heard_until(
        self, latest: Mapping[int, datetime | None], drained: Mapping[int, datetime]
    ) -> Mapping[int, datetime]:
        """Return up to when everything was heard, by partition; those left out are unknown.

        `latest` is the newest event time by partition owned, None where nothing was heard;
        `drained` the wall-clock time at which a partition was last seen read to its end.
        """


class WallTime(Timebase):
    """The wall clock. A message's moment is when the broker took it.

    So a consumer that was down for an hour finds the same pending and recovery times as one
    that was not, and fires a timer only for a partition that it has read to the end since.
    """

    @override
    def of_message(self, level: Level, appended_at: datetime) -> datetime:
        return appended_at

    @override
    def heard_until(
        self, latest: Mapping[int, datetime | None], drained: Mapping[int, datetime]
    ) -> Mapping[int, datetime]:
        return drained


class EventTime(Timebase):
    """The events' own time (`last_change_at`), for replays of history.

    Time passes with the slowest partition that still has something to read. When all are at
    their end, it is as late as the newest message says, and what is due by then fires.
    """

    @override
    def of_message(self, level: Level, appended_at: datetime) -> datetime:
        return level.last_change_at

    @override
    def heard_until(
        self, latest: Mapping[int, datetime | None], drained: Mapping[int, datetime]
    ) -> Mapping[int, datetime]:
        reading = [at for partition, at in latest.items() if partition not in drained]
        heard = [at for at in reading or latest.values() if at is not None]
        if not heard or (reading and len(heard) < len(reading)):
            return {}  # nothing at all, or something to read that has not begun
        return dict.fromkeys(latest, min(heard) if reading else max(heard))
