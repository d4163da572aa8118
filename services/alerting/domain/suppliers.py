"""Suppliers, and when what is collected for one leaves as an order."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Supplier:
    """Who is ordered from. `order_weekdays` count from 1 for Monday, in the supplier's own zone.

    `days_since`: since when there are these order days; None for ever.
    """

    id: str
    name: str
    language: str = "zh-CN"
    timezone: str = "Asia/Shanghai"
    email: str | None = None
    minimum: Decimal | None = None
    order_weekdays: tuple[int, ...] = ()
    order_hour: int = 16
    days_since: datetime | None = field(default=None, compare=False)


def leaves_at(supplier: Supplier, opened_at: datetime) -> datetime | None:
    """Return when an order leaves that was opened at an instant: the hour of the next order day.

    A day that was past when somebody made it an order day is none. None where the supplier has no
    order days.
    """
    if not supplier.order_weekdays:
        return None
    zone = ZoneInfo(supplier.timezone)
    waits_since = opened_at if supplier.days_since is None else max(opened_at, supplier.days_since)
    local = waits_since.astimezone(zone)
    for ahead in range(8):
        day = local.date() + timedelta(days=ahead)
        leaves = datetime.combine(day, time(supplier.order_hour), zone)
        if day.isoweekday() in supplier.order_weekdays and leaves > waits_since:
            return leaves
    raise AssertionError("a week has every weekday")


def is_due(
    supplier: Supplier | None, opened_at: datetime, money: Decimal | None, now: datetime
) -> bool:
    """Return whether an open order of so much money (None: unknown) is to leave by itself."""
    if supplier is None:
        return False
    if supplier.minimum is not None and money is not None and money >= supplier.minimum:
        return True
    leaves = leaves_at(supplier, opened_at)
    return leaves is not None and leaves <= now
