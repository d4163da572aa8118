"""A playbook (SOP) as a person writes it: who does what until when, and what follows when late."""

from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.alerting.domain.people import Role
from services.alerting.domain.texts import Name
from shared.events.base import Code
from shared.events.stock_alerts import AlertLevel, Expected

MAX_MINUTES = 30 * 24 * 60
MAX_TIMES = 10

Minutes = Annotated[int, Field(ge=0, le=MAX_MINUTES)]


class Doing(StrEnum):
    """What follows when people are late."""

    REMIND = "remind"
    """The same people are told again."""
    ESCALATE = "escalate"
    """Others are told in their place."""
    WIDEN = "widen"
    """Others are told as well."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Whom(_Strict):
    """Somebody a step is for: say one of the three."""

    role: Role | None = None
    person: Code | None = None
    rotation: Code | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if [self.role, self.person, self.rotation].count(None) != 2:
            raise ValueError("say one of role, person and rotation")
        return self


People = Annotated[tuple[Whom, ...], Field(max_length=10)]


class Measure(_Strict):
    """What follows when it is late: `after_minutes` after the limit, or after what came before.

    `times`: how often, each `after_minutes` after the last; only people who are reminded are
    told more than once.
    """

    do: Doing
    after_minutes: Minutes = 0
    times: Annotated[int, Field(ge=1, le=MAX_TIMES)] = 1
    to: People = ()
    """Whom to escalate to, or whom to tell as well."""

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.do is Doing.REMIND:
            if self.to:
                raise ValueError("remind tells the same people again; leave to out, or escalate")
            if self.times > 1 and self.after_minutes == 0:
                raise ValueError("say with after_minutes how long lies between reminders")
        elif not self.to:
            raise ValueError("say in to whom to tell")
        elif self.times > 1:
            raise ValueError("others are told once; remind them with a measure of its own")
        return self

    @property
    def after(self) -> timedelta:
        """How long after the limit, or after what came before."""
        return timedelta(minutes=self.after_minutes)


class Step(_Strict):
    """What is expected of whom, within how long, and what follows when it is late.

    Minutes count in the working time of `calendar`, or around the clock without one.
    """

    whom: Annotated[tuple[Whom, ...], Field(min_length=1, max_length=10)] = (Whom(role=Role.OWNER),)
    expects: Expected
    within_minutes: Annotated[int, Field(ge=1, le=MAX_MINUTES)]
    calendar: Code | None = None
    late: Annotated[tuple[Measure, ...], Field(max_length=10)] = ()

    @property
    def within(self) -> timedelta:
        """How long it may take."""
        return timedelta(minutes=self.within_minutes)

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """What follows one after the other, each as often as it is to be taken."""
        return tuple(each for each in self.late for _ in range(each.times))

    def told(self, taken: int) -> tuple[Whom, ...]:
        """Return whom the step is for once so many measures were taken."""
        people = self.whom
        for measure in self.measures[:taken]:
            match measure.do:
                case Doing.REMIND:
                    pass
                case Doing.ESCALATE:
                    people = measure.to
                case Doing.WIDEN:
                    people = tuple(dict.fromkeys((*people, *measure.to)))
        return people


Steps = Annotated[tuple[Step, ...], Field(min_length=1, max_length=20)]


class PlaybookDefinition(_Strict):
    """A playbook without its identity.

    `default_for`: episodes at these levels follow it where their rule names no playbook.
    """

    name: Annotated[dict[Literal["zh-CN", "en"], Name], Field(min_length=1)]
    steps: Steps
    default_for: Annotated[tuple[AlertLevel, ...], Field(max_length=3)] = ()
    enabled: bool = True

    def named(self) -> tuple[set[str], set[str], set[str]]:
        """Return the people, rotations and calendars that it names."""
        everybody = [
            whom
            for step in self.steps
            for whom in (*step.whom, *(to for measure in step.late for to in measure.to))
        ]
        return (
            {each.person for each in everybody if each.person is not None},
            {each.rotation for each in everybody if each.rotation is not None},
            {step.calendar for step in self.steps if step.calendar is not None},
        )


class Followed(_Strict):
    """A playbook as an episode follows it: as it was when the episode took it up."""

    id: str
    version: int
    name: dict[str, str]
    steps: Steps
