"""What alerting reads from the environment beyond what all services share."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from shared.events.stock_alerts import AlertLevel
from shared.settings import Settings

_Minutes = Annotated[int, Field(ge=1, le=100_000)]


class AlertingSettings(Settings):
    """Settings of alerting's roles."""

    clock: Literal["wall", "event"] = "wall"
    """Which time evaluations live in; `event` is for replays of history."""
    alerting_workers: int = 2
    """Workers of `consume`, each with a database connection."""
    supplier_url: str | None = None
    """Where suppliers reach `/supplier/`, as they see it; without it, where alerting is."""
    order_destination: str | None = None
    """The notifier's e-mail destination through which orders go to suppliers; none: they do not."""
    sla_watch_minutes: _Minutes = 1_440
    sla_urgent_minutes: _Minutes = 240
    sla_out_minutes: _Minutes = 60
    """Within how long after the first notice somebody is to see to an alert."""
    approval_minutes: _Minutes = 60
    """For so long a request may wait for an approval before who may give it is told again, and for
    as long again before the manager is."""
    approval_calendar: str = "office"
    """The working calendar whose time that is; around the clock where there is none of this id."""
    case_notice_hours: Annotated[int, Field(ge=0, le=8_760)] = 24
    """A stock-out that people were told of later than so long before may become a case."""
    case_money_limit: Annotated[Decimal, Field(ge=0)] = Decimal(1_000)
    """Money lost by which a stock-out matters enough; one of class A always does."""

    @property
    def sla_minutes(self) -> dict[AlertLevel, int]:
        """Those minutes by level."""
        return {
            AlertLevel.WATCH: self.sla_watch_minutes,
            AlertLevel.URGENT: self.sla_urgent_minutes,
            AlertLevel.OUT: self.sla_out_minutes,
        }
