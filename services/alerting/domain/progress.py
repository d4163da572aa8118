"""How far an episode is in its playbook: a clock for each step, and what happens when it is over.

step 1 ──met──▶ step 2 ──met──▶ … ──▶ no step left
  │ limit passed: remind, escalate, widen, one after the other, until it is met

Every move makes a new generation, so that a timer of an earlier one can do nothing any more. Pure:
the time comes in, and who has to be told comes out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from services.alerting.domain.playbook import Doing, Measure, Step, Whom
from services.alerting.domain.working_time import (
    WorkingCalendar,
    add_working_time,
    working_time_between,
)
from shared.events.stock_alerts import Expected

Calendars = Mapping[str, WorkingCalendar]

_RANK: Final = {
    Expected.ACKNOWLEDGE: 1,
    Expected.ACT: 2,
    Expected.APPROVE: 3,
    Expected.CONFIRM: 4,
}
"""What is done later tells that what comes before it need not be waited for."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an episode is.

    `number` is the step, from 1; past the last one there is nothing left to wait for. `taken` is
    how many measures were taken since it is late, `by` its limit, `due_at` when the next measure
    follows (None: none does). Until `stands_until` the clock stands still.
    """

    generation: int
    number: int
    taken: int
    since: datetime
    by: datetime | None
    due_at: datetime | None
    stands_until: datetime | None = None
    escalated: bool = False


class Deed(NamedTuple):
    """What has to be done about people who are late, and whom to tell."""

    doing: Doing
    whom: tuple[Whom, ...]
    step: Step
    since: datetime
    """Since when what is expected was expected."""


def begun(steps: Sequence[Step], now: datetime, calendars: Calendars) -> Progress:
    """Return the progress of an episode that takes a playbook up."""
    return _at(steps, 1, Progress(0, 1, 0, now, None, None), now, calendars)


def met(
    steps: Sequence[Step], progress: Progress, what: Expected, now: datetime, calendars: Calendars
) -> Progress:
    """Return the progress once something expected was done; the next step begins with its clock.

    Steps before it that expect less are met as well: whoever acts need not acknowledge. One that
    expects more goes on, and so does its clock.
    """
    number = progress.number
    while number <= len(steps) and _RANK[steps[number - 1].expects] <= _RANK[what]:
        number += 1
        if steps[number - 2].expects is what:
            break
    if number == progress.number:
        return progress
    return _at(steps, number, progress, now, calendars)


def undone(
    steps: Sequence[Step], progress: Progress, what: Expected, now: datetime, calendars: Calendars
) -> Progress:
    """Return the progress once nothing has come of something expected: its step begins again."""
    number = next((at for at, step in enumerate(steps, 1) if step.expects is what), len(steps) + 1)
    return _at(steps, number, progress, now, calendars) if number < progress.number else progress


def restarted(
    steps: Sequence[Step], progress: Progress, now: datetime, calendars: Calendars
) -> Progress:
    """Return the progress with the clock of its step set anew: it is worse now, or another's."""
    if progress.by is None:
        return progress
    return _at(steps, progress.number, progress, now, calendars)


def roused(progress: Progress) -> Progress:
    """Return the progress once nobody puts the episode off any more."""
    return replace(progress, stands_until=None)


def stood(
    steps: Sequence[Step],
    progress: Progress,
    until: datetime,
    now: datetime,
    calendars: Calendars,
) -> Progress:
    """Return the progress of an episode put off: what is left of its time is left afterwards."""
    if progress.by is None:
        return replace(progress, generation=progress.generation + 1, stands_until=until)
    calendar = _calendar(steps[progress.number - 1], calendars)
    since = max(now, progress.stands_until or now)

    def later(instant: datetime) -> datetime:
        return add_working_time(until, working_time_between(since, instant, calendar), calendar)

    return replace(
        progress,
        generation=progress.generation + 1,
        by=later(progress.by) if progress.by > since else progress.by,
        due_at=None if progress.due_at is None else later(progress.due_at),
        stands_until=until,
    )


def ended(progress: Progress) -> Progress:
    """Return the progress of an episode that is over: nothing is due any more."""
    return replace(progress, generation=progress.generation + 1, by=None, due_at=None)


def late(
    steps: Sequence[Step],
    progress: Progress,
    generation: int,
    now: datetime,
    calendars: Calendars,
) -> tuple[Deed, Progress] | None:
    """Return what a timer of a generation has to do, and the progress after it.

    None when it is not due, or not the timer of the present generation. What comes next is counted
    from now, so that nobody is told three times in a breath after an outage.
    """
    if generation != progress.generation or progress.due_at is None or progress.due_at > now:
        return None
    if progress.stands_until is not None and progress.stands_until > now:
        return None
    step = steps[progress.number - 1]
    taken = progress.taken + 1
    measure = step.measures[progress.taken]
    after = replace(
        progress,
        generation=generation + 1,
        taken=taken,
        due_at=_next_due(step, taken, now, calendars),
        escalated=progress.escalated or measure.do is not Doing.REMIND,
    )
    return Deed(measure.do, step.told(taken), step, progress.since), after


def _at(
    steps: Sequence[Step], number: int, before: Progress, now: datetime, calendars: Calendars
) -> Progress:
    """Return the progress at the beginning of a step; its clock begins when it need not stand."""
    stands = before.stands_until
    since = now if stands is None else max(now, stands)
    generation = before.generation + 1
    if number > len(steps):
        return Progress(generation, number, 0, since, None, None, stands)
    step = steps[number - 1]
    by = add_working_time(since, step.within, _calendar(step, calendars))
    due_at = _next_due(step, 0, by, calendars)
    return Progress(generation, number, 0, since, by, due_at, stands)


def _next_due(step: Step, taken: int, start: datetime, calendars: Calendars) -> datetime | None:
    measures: tuple[Measure, ...] = step.measures
    if taken == len(measures):
        return None
    return add_working_time(start, measures[taken].after, _calendar(step, calendars))


def _calendar(step: Step, calendars: Calendars) -> WorkingCalendar | None:
    # One that is not there any more stands for no hours at all: people would never be late.
    return None if step.calendar is None else calendars.get(step.calendar)
