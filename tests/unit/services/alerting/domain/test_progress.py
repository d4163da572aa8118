"""The step machine: what is due when, and what no order of events may bring about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from typing_extensions import override

from services.alerting.domain import progress
from services.alerting.domain.playbook import Doing, Step
from services.alerting.domain.progress import Deed, Progress
from services.alerting.domain.working_time import WorkingCalendar
from shared.events.stock_alerts import Expected

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
MINUTE = timedelta(minutes=1)
OFFICE = WorkingCalendar("UTC", dict.fromkeys(range(5), ((time(9), time(18)),)))
CALENDARS = {"office": OFFICE}
ACKNOWLEDGE, ACT, APPROVE, CONFIRM = Expected


def step(expects: Expected, within: int = 30, **fields: object) -> Step:
    return Step.model_validate({"expects": expects, "within_minutes": within} | fields)


LATE = [
    {"do": "remind"},
    {"do": "remind", "after_minutes": 10},
    {"do": "escalate", "after_minutes": 20, "to": [{"role": "manager"}]},
]
STEPS = (step(ACKNOWLEDGE, late=LATE), step(ACT, 60, late=LATE[:1]), step(CONFIRM, 120))


@dataclass
class Course:
    """One episode, told what happens minute by minute."""

    steps: Sequence[Step] = STEPS
    now: datetime = NOON
    at: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.at = progress.begun(self.steps, self.now, CALENDARS)

    def wait(self, minutes: float) -> None:
        self.now += minutes * MINUTE

    def done(self, what: Expected) -> None:
        self.at = progress.met(self.steps, self.at, what, self.now, CALENDARS)

    def undo(self, what: Expected) -> None:
        self.at = progress.undone(self.steps, self.at, what, self.now, CALENDARS)

    def snooze(self, minutes: float) -> None:
        until = self.now + minutes * MINUTE
        self.at = progress.stood(self.steps, self.at, until, self.now, CALENDARS)

    def rise(self) -> None:
        awake = progress.roused(self.at)
        self.at = progress.restarted(self.steps, awake, self.now, CALENDARS)

    def fire(self, generation: int | None = None) -> Deed | None:
        wanted = self.at.generation if generation is None else generation
        found = progress.late(self.steps, self.at, wanted, self.now, CALENDARS)
        if found is None:
            return None
        deed, self.at = found
        return deed

    @property
    def due_in(self) -> float | None:
        return None if self.at.due_at is None else (self.at.due_at - self.now) / MINUTE


def test_who_is_late_is_reminded_and_then_others_are_told() -> None:
    course = Course()
    assert course.at.by == NOON + 30 * MINUTE
    course.wait(29)
    assert course.fire() is None
    deeds = []
    for minutes in (1, 10, 20):
        course.wait(minutes)
        deeds.append(course.fire())
        assert course.fire() is None
    assert [(each.doing, each.since) for each in deeds if each is not None] == [
        (Doing.REMIND, NOON),
        (Doing.REMIND, NOON),
        (Doing.ESCALATE, NOON),
    ]
    assert (course.at.escalated, course.due_in) == (True, None)


def test_the_next_step_begins_with_a_clock_of_its_own() -> None:
    course = Course()
    course.wait(45)
    course.fire()
    course.done(ACKNOWLEDGE)
    assert (course.at.number, course.due_in, course.at.escalated) == (2, 60, False)
    course.done(ACKNOWLEDGE)
    assert course.at.number == 2
    course.done(ACT)
    third = course.at
    assert (third.number, third.by, third.due_at) == (3, course.now + 120 * MINUTE, None)
    course.done(CONFIRM)
    assert (course.at.number, course.at.by, course.at.due_at) == (4, None, None)


@pytest.mark.parametrize(
    ("what", "number"), [(ACKNOWLEDGE, 2), (ACT, 3), (APPROVE, 3), (CONFIRM, 4)]
)
def test_whoever_does_more_need_not_do_less(what: Expected, number: int) -> None:
    course = Course()
    course.done(what)
    assert course.at.number == number


def test_what_comes_to_nothing_is_expected_again_with_its_whole_time() -> None:
    course = Course()
    course.undo(ACT)
    assert course.at.number == 1
    course.done(CONFIRM)
    course.wait(300)
    for what, number in ((APPROVE, 4), (ACT, 2), (CONFIRM, 2)):
        course.undo(what)
        assert course.at.number == number
    assert (course.due_in, course.at.generation) == (60, 3)


def test_of_two_steps_that_expect_the_same_one_is_met() -> None:
    course = Course((step(ACKNOWLEDGE), step(ACKNOWLEDGE), step(ACT)))
    course.done(ACKNOWLEDGE)
    assert course.at.number == 2


def test_while_it_is_put_off_the_clock_stands_still() -> None:
    course = Course()
    course.wait(20)
    course.snooze(120)
    assert course.due_in == 130
    # Put off for longer meanwhile: what was left is left still.
    course.wait(60)
    course.snooze(600)
    assert course.due_in == 610
    course.wait(600)
    assert course.fire() is None
    course.wait(10)
    assert course.fire() is not None


def test_a_step_that_begins_while_it_is_put_off_has_its_time_afterwards() -> None:
    course = Course()
    course.snooze(120)
    course.done(ACKNOWLEDGE)
    assert course.due_in == 180


def test_what_gets_worse_is_awake_and_has_the_whole_time_again() -> None:
    course = Course()
    course.wait(20)
    course.snooze(120)
    course.rise()
    assert (course.due_in, course.at.stands_until) == (30, None)


def test_limits_and_distances_are_working_time() -> None:
    steps = (step(ACKNOWLEDGE, 120, calendar="office", late=LATE),)
    course = Course(steps, NOON.replace(hour=17))
    assert course.at.by == NOON.replace(day=3, hour=10)
    # Half an hour of the two is gone when it is put off over the night.
    course.wait(30)
    course.snooze(14 * 60)
    assert course.at.due_at == NOON.replace(day=3, hour=10, minute=30)


def test_after_an_outage_nobody_is_told_everything_in_a_breath() -> None:
    course = Course()
    course.wait(24 * 60)
    assert course.fire() is not None
    assert course.fire() is None
    assert course.due_in == 10


class Interleavings(RuleBasedStateMachine):
    """Whatever happens in whatever order: a dead timer does nothing, and nobody hears too early."""

    @initialize(calendar=st.sampled_from([None, "office"]))
    def begin(self, calendar: str | None) -> None:
        self.course = Course(
            tuple(each.model_copy(update={"calendar": calendar}) for each in STEPS)
        )
        self.timers = [self.course.at.generation]
        self.began = self.asleep_until = self.course.now
        self.resolved = False

    def moved(self) -> None:
        """Remember each timer that is set: it may ring at any time later."""
        if self.course.at.generation != self.timers[-1]:
            assert self.course.at.generation > self.timers[-1]
            self.timers.append(self.course.at.generation)

    @rule(minutes=st.integers(1, 200))
    def wait(self, minutes: int) -> None:
        self.course.wait(minutes)

    @rule(back=st.integers(0, 10))
    def ring(self, back: int) -> None:
        before = self.course.at
        generation = self.timers[-1 - back % len(self.timers)]
        deed = self.course.fire(generation)
        if deed is None:
            assert self.course.at == before
            return
        step_then = self.course.steps[before.number - 1]
        assert not self.resolved
        assert generation == before.generation
        assert deed.step is step_then
        assert self.course.now >= max(self.began + step_then.within, self.asleep_until)
        self.moved()

    @precondition(lambda self: not self.resolved)
    @rule(what=st.sampled_from([ACKNOWLEDGE, ACT, CONFIRM]))
    def do(self, what: Expected) -> None:
        number = self.course.at.number
        self.course.done(what)
        if self.course.at.number != number:
            self.began = max(self.course.now, self.asleep_until)
        self.moved()

    @precondition(lambda self: not self.resolved)
    @rule(minutes=st.integers(1, 300))
    def snooze(self, minutes: int) -> None:
        self.course.snooze(minutes)
        self.asleep_until = self.course.now + minutes * MINUTE
        self.moved()

    @precondition(lambda self: not self.resolved)
    @rule()
    def rise(self) -> None:
        self.course.rise()
        self.began = self.asleep_until = self.course.now
        self.moved()

    @precondition(lambda self: not self.resolved)
    @rule()
    def resolve(self) -> None:
        self.course.at = progress.ended(self.course.at)
        self.resolved = True
        self.moved()

    @override
    def teardown(self) -> None:
        """Where something is left to follow, it does when its time has come."""
        at = self.course.at
        if at.due_at is not None:
            assert not self.resolved
            self.course.now = max(self.course.now, at.due_at)
            assert self.course.fire() is not None
        elif not self.resolved and at.by is not None:
            assert at.taken == len(self.course.steps[at.number - 1].measures)


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(deadline=None, max_examples=150, stateful_step_count=30)
