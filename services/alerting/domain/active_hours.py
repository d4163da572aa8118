"""When a rule may open episodes, as a person writes it: windows of its own, or a calendar's."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.alerting.domain.office_hours import WEEKDAYS, LocalTime, Weekday, Zone
from services.alerting.domain.working_time import Span, WorkingCalendar
from shared.events.base import Code

MAX_WINDOWS = 10


class Window(BaseModel):
    """From when until when on some weekdays; an `until` that is not later is on the next day."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, serialize_by_alias=True)

    days: Annotated[list[Weekday], Field(min_length=1, max_length=7)]
    begins: Annotated[LocalTime, Field(alias="from")]
    until: LocalTime


class ActiveDefinition(BaseModel):
    """When a rule may open episodes: in `windows` in a `zone`, or in a working `calendar`."""

    model_config = ConfigDict(extra="forbid")

    calendar: Code | None = None
    """One of /v1/working-calendars, with its holidays."""
    zone: Zone | None = None
    windows: Annotated[list[Window], Field(max_length=MAX_WINDOWS)] = []

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        own = self.zone is not None or bool(self.windows)
        if own is (self.calendar is not None):
            raise ValueError("give a calendar, or windows with their zone; not both")
        if own and (self.zone is None or not self.windows):
            raise ValueError("windows need a zone such as Asia/Shanghai, and a zone needs windows")
        return self

    def hours(self, calendars: Mapping[str, WorkingCalendar]) -> WorkingCalendar | None:
        """Return the hours meant; None for a calendar that is not among those given."""
        if self.calendar is not None:
            return calendars.get(self.calendar)
        spans: defaultdict[int, set[Span]] = defaultdict(set)
        for window in self.windows:
            for day in window.days:
                spans[WEEKDAYS.index(day)].add((window.begins, window.until))
        by_day = {day: tuple(sorted(each)) for day, each in spans.items()}
        return WorkingCalendar(zone=self.zone or "", hours=by_day)
