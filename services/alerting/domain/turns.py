"""A rotation as a person writes it, checked; the form it has over HTTP and in storage."""

from datetime import date, time
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.alerting.domain.office_hours import LocalTime, Zone
from services.alerting.domain.rotation import Override, Rotation
from shared.events.base import Code, Instant


class OverrideDefinition(BaseModel):
    """For a while somebody else takes the turn."""

    model_config = ConfigDict(extra="forbid")

    person: Code
    starts_at: Instant
    ends_at: Instant

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError("ends_at must be later than starts_at")
        return self


class RotationDefinition(BaseModel):
    """People in the order of their turns, who hand over every `every_days` at `hand_over`.

    The first one's turn begins on `starts_on`. Of several overrides the last one counts. People
    who are away are skipped.
    """

    model_config = ConfigDict(extra="forbid")

    people: Annotated[list[Code], Field(min_length=1, max_length=100)]
    every_days: Annotated[int, Field(ge=1, le=366)] = 7
    hand_over: LocalTime = time(9)
    zone: Zone
    starts_on: date
    overrides: Annotated[list[OverrideDefinition], Field(max_length=200)] = []

    def rotation(self) -> Rotation:
        """Return the rotation that turns are found with."""
        return Rotation(
            people=tuple(self.people),
            every_days=self.every_days,
            hand_over=self.hand_over,
            zone=self.zone,
            starts_on=self.starts_on,
            overrides=tuple(
                Override(each.person, each.starts_at, each.ends_at) for each in self.overrides
            ),
        )

    def named(self) -> set[str]:
        """Return the people that it names."""
        return {*self.people, *(each.person for each in self.overrides)}
