"""A working calendar as a person writes it, checked; the form it has over HTTP and in storage."""

import re
from datetime import date, time
from itertools import pairwise
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from services.alerting.domain.working_time import WorkingCalendar

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_COUNTRIES = frozenset(holidays.list_supported_countries(include_aliases=False))
_HH_MM = r"([01]\d|2[0-3]):[0-5]\d"
MAX_DAYS = 400


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("this is no time zone; write one such as Asia/Shanghai") from None
    return zone


def _known_country(country: str) -> str:
    if country not in _COUNTRIES:
        raise ValueError("no holidays are known of this country; write a code such as CN, or none")
    return country


def _local(value: object) -> object:
    if isinstance(value, time) or (isinstance(value, str) and re.fullmatch(_HH_MM, value)):
        return value
    raise ValueError(
        'write a local time such as "09:00", in quotes in a file; the zone is one of its own'
    )


def _hh_mm(value: time) -> str:
    return value.isoformat("minutes")


Zone = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]
LocalTime = Annotated[
    time,
    BeforeValidator(_local),
    PlainSerializer(_hh_mm),
    # The format `time` of JSON Schema has an offset, which a local time must not have.
    WithJsonSchema({"type": "string", "pattern": f"^{_HH_MM}$"}),
]


class Hours(BaseModel):
    """From when until when; `until` 00:00 is midnight."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    begins: Annotated[LocalTime, Field(alias="from")]
    until: LocalTime

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.until <= self.begins and self.until != time(0):
            raise ValueError("until must be later than from, or 00:00 for midnight")
        return self


class CalendarDefinition(BaseModel):
    """When people work: hours by weekday in a zone, without the holidays of a country.

    `days_on` and `days_off` are days that differ; for China the days that are worked in exchange
    (调休) are known already.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    zone: Zone
    hours: dict[Weekday, Annotated[list[Hours], Field(max_length=6)]]
    country: Annotated[str, Field(max_length=8), AfterValidator(_known_country)] | None = None
    days_on: Annotated[list[date], Field(max_length=MAX_DAYS)] = []
    days_off: Annotated[list[date], Field(max_length=MAX_DAYS)] = []

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not any(self.hours.values()):
            raise ValueError("give the hours of at least one weekday")
        for day, spans in self.hours.items():
            for earlier, later in pairwise(spans):
                if earlier.until == time(0) or later.begins < earlier.until:
                    raise ValueError(f"the hours of {day} must follow one another")
        if set(self.days_on) & set(self.days_off):
            raise ValueError("a day cannot be on and off at once")
        return self

    def calendar(self) -> WorkingCalendar:
        """Return the calendar that time is counted with."""
        return WorkingCalendar(
            zone=self.zone,
            hours={
                WEEKDAYS.index(day): tuple((each.begins, each.until) for each in spans)
                for day, spans in self.hours.items()
            },
            country=self.country,
            on=frozenset(self.days_on),
            off=frozenset(self.days_off),
        )
