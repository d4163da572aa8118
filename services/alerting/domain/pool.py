"""A pool as a level: what several warehouses have of a SKU, added up."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import NamedTuple

from services.alerting.domain.sales import SalesHistory
from services.alerting.domain.subject import Due, Level

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class PoolLevel(NamedTuple):
    """The sum of levels.

    `low_water` is what is available now: when each warehouse was at its lowest is not known, and
    the sum of the lowest may never have been. For the same reason nothing late corrects it.
    """

    sku: str
    warehouse: str
    version: int
    on_hand: int
    incoming: int
    available: int
    low_water: int
    counted_at: None
    last_change_at: datetime
    sold_total: int
    supply: tuple[Due, ...]
    flags: tuple[str, ...] = ()
    corrected: None = None


def summed(sku: str, pool: str, levels: Sequence[Level]) -> PoolLevel:
    """Return what levels add up to; the version grows with each of theirs."""
    available = sum(each.available for each in levels)
    return PoolLevel(
        sku=sku,
        warehouse=pool,
        version=sum(each.version for each in levels),
        on_hand=sum(each.on_hand for each in levels),
        incoming=sum(each.incoming for each in levels),
        available=available,
        low_water=available,
        counted_at=None,
        last_change_at=max((each.last_change_at for each in levels), default=_LONG_AGO),
        sold_total=sum(each.sold_total for each in levels),
        supply=tuple(line for each in levels for line in each.supply),
    )


def sold_together(histories: Iterable[SalesHistory], day: int) -> SalesHistory:
    """Return the sales of several levels as those of one, on a UTC day or the newest of theirs.

    A warehouse that is newer than the others has sold nothing before.
    """
    known = list(histories)
    day = max([day, *(each.day for each in known)])
    there = [each.on(day) for each in known]
    sold = list(zip_longest(*(reversed(each.sold) for each in there), fillvalue=0))
    total = sum(each.total for each in there)
    return SalesHistory(
        day=day,
        total=total,
        opening=total,
        first_day=min((each.first_day for each in there), default=day),
        sold=tuple(map(sum, reversed(sold))),
    )
