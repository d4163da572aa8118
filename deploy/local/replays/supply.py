"""Plan the opening counts and weekly receipts: a pure function of the file's own sales."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import accumulate

from deploy.local.replays.declaration import Declaration, Opening, Receipts
from deploy.local.replays.mapping import Change, Instants, Mapped


@dataclass(frozen=True)
class Supplied:
    """An opening count or a receipt of one SKU."""

    change: Change
    folded: str
    at: datetime


class Sales:
    """Units sold by SKU and day, collected while the lines are mapped.

    Returns and adjustments are no demand; exact duplicates and service codes count nowhere.
    """

    def __init__(self) -> None:
        self._units: defaultdict[str, Counter[date]] = defaultdict(Counter)
        self.first: datetime | None = None
        self.last: datetime | None = None

    def watch(self, lines: Iterable[Mapped]) -> Iterator[Mapped]:
        """Pass the lines on, counting what was sold."""
        for line in lines:
            wall = line.invoiced_at
            self.first = wall if self.first is None else min(self.first, wall)
            self.last = wall if self.last is None else max(self.last, wall)
            if line.is_goods:
                units = self._units[line.folded]
                if line.change.type == "sale" and line.change.quantity > 0 and not line.is_repeat:
                    units[wall.date()] += line.change.quantity
            yield line

    @property
    def skus(self) -> list[str]:
        """Every SKU of goods in the file, sold or not."""
        return sorted(self._units)

    def units_by_day(self, sku: str) -> Mapping[date, int]:
        """Return the units sold of a SKU, days without sales left out."""
        return self._units[sku]


def plan_supply(sales: Sales, declaration: Declaration) -> Iterator[Supplied]:
    """Yield an opening count for every SKU, and its receipts until the file's last line."""
    if sales.first is None or sales.last is None:
        return
    shop = declaration.shop
    instants = Instants(shop.zone_info)
    first_day = sales.first.date()
    midnight = datetime.combine(first_day, time())
    order_days = list(_order_days(first_day, sales.last, declaration.receipts))

    def supplied(wall: datetime, sku: str, identity: str, kind: str, quantity: int) -> Supplied:
        at, text = instants.of(wall)
        change = Change(
            id=identity,
            line=sku,
            channel=shop.supply_channel,
            type=kind,
            sku=sku,
            warehouse=shop.warehouse,
            quantity=quantity,
            occurred_at=text,
            reference=identity,
        )
        return Supplied(change, sku, at)

    for sku in sales.skus:
        sold = SoldUnits(sales.units_by_day(sku), first_day, sales.last.date())
        units = opening_units(sold, first_day, declaration.opening)
        yield supplied(midnight, sku, f"opening-{first_day}", "count", units)
        for day in order_days:
            units = receipt_units(sold, first_day, day, declaration.receipts)
            if units:
                arrival = _arrival(day, declaration.receipts)
                yield supplied(arrival, sku, f"order-{day}", "receipt", units)


class SoldUnits:
    """Units sold in any span of days, by running totals."""

    def __init__(self, units: Mapping[date, int], first: date, last: date) -> None:
        days = (last - first).days + 1
        self._first = first
        self._until = [
            0,
            *accumulate(units.get(first + timedelta(days=day), 0) for day in range(days)),
        ]

    def between(self, start: date, end: date) -> int:
        """Return the units of the days from `start` to before `end`."""
        highest = len(self._until) - 1
        low = min(max((start - self._first).days, 0), highest)
        high = min(max((end - self._first).days, 0), highest)
        return self._until[high] - self._until[low]


def opening_units(sold: SoldUnits, first_day: date, rule: Opening) -> int:
    """Return what lies on the shelf at the file's first midnight."""
    units = sold.between(first_day, first_day + timedelta(days=rule.observed_days))
    return _packs(
        units * rule.cover_days * rule.safety_percent, rule.observed_days * 100, rule.pack_units
    )


def receipt_units(sold: SoldUnits, first_day: date, order_day: date, rule: Receipts) -> int:
    """Return what is ordered on a day, from the days before it that the file has."""
    start = max(first_day, order_day - timedelta(days=rule.observed_days))
    units = sold.between(start, order_day)
    return _packs(units * rule.covered_days, (order_day - start).days, rule.pack_units)


def _packs(numerator: int, denominator: int, pack_units: int) -> int:
    """Round numerator / denominator units up to whole packs, exactly."""
    return -(-numerator // (denominator * pack_units)) * pack_units


def _order_days(first_day: date, last: datetime, rule: Receipts) -> Iterator[date]:
    """Yield the order days after the first day whose goods arrive by the file's last line."""
    day = first_day + timedelta(days=(rule.weekday - first_day.weekday() - 1) % 7 + 1)
    while _arrival(day, rule) <= last:
        yield day
        day += timedelta(days=7)


def _arrival(order_day: date, rule: Receipts) -> datetime:
    return datetime.combine(order_day + timedelta(days=rule.lead_days), time(rule.arrival_hour))
