"""Which time evaluations live in: the wall clock, or the events' own in a replay of history.

Either way a moment counts as passed only when everything before it has been heard: missing or
late messages never open or resolve anything by themselves.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from typing_extensions import override

from services.alerting.domain.subject import Level


class Heard(NamedTuple):
    """What was heard of a partition: its newest event time, and when its last message came."""

    latest: datetime | None
    appended_at: datetime


class Timebase(Protocol):
    """Tells the time of a message, and up to when a worker's partitions have been heard."""

    follows_playbooks: bool
    """Whether people are expected to act: in a replay of history nobody can any more."""

    def of_message(self, level: Level, appended_at: datetime) -> datetime:
        """Return when a message counts as heard; `appended_at` is the broker's time of it."""

    def heard_until(
        self, heard: Mapping[int, Heard], drained: Mapping[int, datetime]
    ) -> Mapping[int, datetime]:
        """Return up to when everything was heard, by partition; those left out are unknown.

        `heard` has the partitions owned, `drained` the wall-clock time at which one was last
        seen read to its end.
        """


QUIET = timedelta(seconds=0.5)
"""Longer than a batch takes on its way through the ledger, shorter than anyone would wait."""


class WallTime(Timebase):
    """The wall clock. A message's moment is when the broker took it.

    So a consumer that was down for an hour finds the same pending and recovery times as one
    that was not, and fires a timer only for a partition that it has read to the end since.
    """

    follows_playbooks = True

    @override
    def of_message(self, level: Level, appended_at: datetime) -> datetime:
        return appended_at

    @override
    def heard_until(
        self, heard: Mapping[int, Heard], drained: Mapping[int, datetime]
    ) -> Mapping[int, datetime]:
        return drained


class EventTime(Timebase):
    """The events' own time (`last_change_at`), for replays of history.

    Time passes with the slowest partition that still has something to read. When all are at
    their end, it is as late as the newest message says, and what is due by then fires. A
    partition is at its end when nothing has come for QUIET: a year may pass in two minutes, and
    what is on its way through the ledger is then days behind the other partitions.
    """

    follows_playbooks = False

    @override
    def of_message(self, level: Level, appended_at: datetime) -> datetime:
        return level.last_change_at

    @override
    def heard_until(
        self, heard: Mapping[int, Heard], drained: Mapping[int, datetime]
    ) -> Mapping[int, datetime]:
        reading = [
            each.latest
            for partition, each in heard.items()
            if partition not in drained or drained[partition] - each.appended_at < QUIET
        ]
        if None in reading:
            return {}  # something to read, and nothing heard of it yet
        told = [each.latest for each in heard.values() if each.latest is not None]
        if not told:
            return {}
        watermark = min(filter(None, reading)) if reading else max(told)
        return dict.fromkeys(heard, watermark)
