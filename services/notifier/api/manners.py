"""The part of a destination's body that says when it wants to be told."""

from datetime import time
from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from services.notifier.domain.addresses import ADDRESSES, DestinationKind
from services.notifier.domain.manners import Every, Manners, QuietHours, Rhythm
from shared.events.stock_alerts import AlertLevel


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("send an IANA zone such as Asia/Shanghai")
    return name


Zone = Annotated[str, AfterValidator(_zone)]
_Minute = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""Hours and minutes; the format `time` of JSON Schema would have a zone."""

_Weekday = Annotated[int, Field(ge=1, le=7)]
_EVERY_DAY = list(range(1, 8))


class QuietHoursBody(BaseModel):
    """When nobody wants to be disturbed: what comes then waits until it ends, as one message.

    `days` are those on which it begins (1 is Monday), `levels` those that come through. Where `to`
    is not after `from` it ends on the next day. `zone` is the destination's unless it is given.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    begins: _Minute = Field(alias="from")
    ends: _Minute = Field(alias="to")
    zone: Zone | None = None
    days: Annotated[list[_Weekday], Field(min_length=1, max_length=7)] = _EVERY_DAY
    levels: Annotated[list[AlertLevel], Field(max_length=3)] = [AlertLevel.OUT]

    @model_validator(mode="after")
    def _ends_some_time(self) -> Self:
        if self.begins == self.ends and set(self.days) == set(_EVERY_DAY):
            raise ValueError("it is never over: disable the destination instead, or leave days out")
        return self


class RhythmBody(BaseModel):
    """How often it is told: immediately, on the hour, or each day `at` a time."""

    model_config = ConfigDict(extra="forbid")

    every: Every = Every.IMMEDIATELY
    at: _Minute = f"{Rhythm().at:%H:%M}"
    zone: Zone | None = None


def manners_of(
    kind: DestinationKind,
    timezone: str,
    quiet: QuietHoursBody | None,
    rhythm: RhythmBody,
    *,
    mentions: bool,
) -> Manners:
    """Return what is to be stored."""
    return Manners(
        rhythm=Rhythm(rhythm.every, time.fromisoformat(rhythm.at), rhythm.zone or timezone),
        quiet=None
        if quiet is None
        else QuietHours(
            begins=time.fromisoformat(quiet.begins),
            ends=time.fromisoformat(quiet.ends),
            zone=quiet.zone or timezone,
            days=frozenset(quiet.days),
            passes=frozenset(quiet.levels),
        ),
        of_programs=ADDRESSES[kind].of_programs,
        mentions=mentions,
    )


def shown_quiet(manners: Manners) -> QuietHoursBody | None:
    """Return quiet hours as they are answered."""
    quiet = manners.quiet
    if quiet is None:
        return None
    return QuietHoursBody(
        begins=f"{quiet.begins:%H:%M}",
        ends=f"{quiet.ends:%H:%M}",
        zone=quiet.zone,
        days=sorted(quiet.days),
        levels=[level for level in AlertLevel if level in quiet.passes],
    )


def shown_rhythm(manners: Manners) -> RhythmBody | None:
    """Return the rhythm as it is answered; None for a destination that is told immediately."""
    rhythm = manners.rhythm
    if rhythm.every is Every.IMMEDIATELY:
        return None
    return RhythmBody(every=rhythm.every, at=f"{rhythm.at:%H:%M}", zone=rhythm.zone)
