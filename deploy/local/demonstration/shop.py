"""The simulated shops: what is sold, supplied, returned, broken and miscounted, second by second.

Everything follows from the seed, the start and the quantities found then, so a run can be told
again exactly. The model knows what really lies on the shelves; Lowtide only learns what it is
told (see `telling`).
"""

import heapq
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from deploy.local.demonstration.assortment import ONLINE, STORE, Article, Pace, Warehouse
from deploy.local.demonstration.habits import HABITS, Habits, busyness
from deploy.local.demonstration.telling import (
    MARKETPLACE,
    POS,
    WEB,
    Happening,
    Place,
    Post,
    Tellers,
)

_OPENING_SECONDS = 15.0
"""About how long the opening promotion takes to sell a SKU down to its floor, under the watch
limit. Buyers come as they like, so it goes on until it has."""
_OPENING_FLOOR = 15
_OPENING_ABOVE = 32
_PROMOTION_EVERY_SECONDS = 360.0
_PROMOTION_SECONDS = 90.0
_PROMOTION_FACTOR = 4.0

WRONG_COUNT_AFTER_SECONDS = 100.0
RECOUNT_AFTER_SECONDS = 220.0
WRONG_COUNT = 6
# Enough that the shelf itself stays out of the rules meanwhile: only the count is to blame.
_MISCOUNTED_FROM = 58

_RETURNED = 0.03
_BROKEN_A_SECOND = 1 / 120
_BROKEN_FROM = 40
_UNITS_A_SALE = {1: 0.78, 2: 0.14, 3: 0.08}
# After an absence (a laptop asleep, services away) only so much is caught up.
_LONGEST_STEP = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class _Promotion:
    """More sales of a SKU until an instant, and while more than `floor` units are left."""

    place: Place
    ends: float
    units_a_second: float
    floor: int = 0


@dataclass(order=True, slots=True)
class _Due:
    """Something that happens later; seconds since the start."""

    at: float
    order: int
    kind: str = field(compare=False)
    place: Place = field(compare=False)
    quantity: int = field(compare=False)
    channel: str = field(compare=False)


class Shop:
    """The shops from one start on. `step` moves them to an instant and returns what they send.

    `shelves` are the units at the start by place.
    """

    def __init__(
        self,
        articles: Sequence[Article],
        shelves: Mapping[Place, int],
        *,
        start: datetime,
        run: str,
        seed: int,
        zone: str,
    ) -> None:
        self.shelves = dict(shelves)
        self._articles = {article.sku: article for article in articles}
        self._start = start
        self._last = start
        self._run = run
        self._zone = ZoneInfo(zone)
        self._draw = random.Random(f"{seed}:{run}")  # noqa: S311 - a simulation
        self._tellers = Tellers(articles, start=start, run=run, draw=self._draw)
        self._due: list[_Due] = []
        self._order = 0
        self._supplied: set[Place] = set()
        self._promotion = self._opening_promotion()
        self._plan_miscount()

    def step(self, now: datetime) -> list[Post]:
        """Return what is sent between the last step and now, in the order of sending."""
        begin = self._seconds(max(self._last, now - _LONGEST_STEP))
        end = self._seconds(now)
        self._last = now
        happenings = [self._happen(due) for due in self._due_until(end)]
        self._promote(begin, end)
        happenings += self._sell(begin, end)
        happenings += self._break(begin, end)
        self._reorder(end)
        return self._tellers.tell(happenings, end)

    def _sell(self, begin: float, end: float) -> Iterable[Happening]:
        busy = busyness((self._start + timedelta(seconds=end)).astimezone(self._zone))
        places = list(self.shelves)
        rates = list(accumulate(self._units_a_second(place, end, busy) for place in places))
        mean = sum(units * share for units, share in _UNITS_A_SALE.items())
        for at in self._arrivals(rates[-1] / mean, begin, end):
            place = self._draw.choices(places, cum_weights=rates)[0]
            wanted = self._draw.choices(list(_UNITS_A_SALE), list(_UNITS_A_SALE.values()))[0]
            quantity = min(wanted, self.shelves[place])
            if quantity:
                yield self._sale(at, place, quantity)

    def _sale(self, at: float, place: Place, quantity: int) -> Happening:
        channel = self._channel(place)
        self.shelves[place] -= quantity
        if self._draw.random() < _RETURNED:
            later = at + self._draw.uniform(60, 600)
            self._plan(later, "return", place, quantity, channel)
        return Happening(at, channel, "sale", place, quantity)

    def _break(self, begin: float, end: float) -> Iterable[Happening]:
        for at in self._arrivals(_BROKEN_A_SECOND, begin, end):
            full = [place for place, units in self.shelves.items() if units > _BROKEN_FROM]
            if full:
                place = self._draw.choice(full)
                self.shelves[place] -= 1
                said = {"reason": "damage", "actor": "仓管 老周"}
                yield Happening(at, _house(place), "adjustment", place, -1, said)

    def _happen(self, due: _Due) -> Happening:
        if due.kind == "count":
            return self._count(due)
        self.shelves[due.place] += due.quantity
        said = {}
        if due.kind == "receipt":
            self._supplied.discard(due.place)
            said = {"reference": f"PO-{self._run}-{due.order:04d}"}
        return Happening(due.at, due.channel, due.kind, due.place, due.quantity, said)

    def _count(self, due: _Due) -> Happening:
        """Count wrongly where a quantity was planned, else what really is there."""
        wrong = due.quantity > 0
        said = {
            "reference": f"PD-{self._run}-{1 if wrong else 2}",
            "actor": "店员 小李" if wrong else "店长 阿敏",
        }
        counted = due.quantity if wrong else self.shelves[due.place]
        return Happening(due.at, due.channel, "count", due.place, counted, said)

    def _reorder(self, now: float) -> None:
        for place, units in self.shelves.items():
            habits = self._habits(place)
            if units <= habits.reorder_at and place not in self._supplied:
                self._supplied.add(place)
                quantity = math.ceil((habits.refill_to - units) / 6) * 6
                arrives = now + self._draw.uniform(*habits.lead_seconds)
                self._plan(arrives, "receipt", place, quantity, _house(place))

    def _opening_promotion(self) -> _Promotion:
        """Sell one SKU down within seconds, so that whoever just started sees an alert soon."""
        tight = [
            (units, place)
            for place, units in self.shelves.items()
            if units > _OPENING_ABOVE and self._articles[place[0]].pace is Pace.TIGHT
        ]
        units, place = min(tight or [(units, place) for place, units in self.shelves.items()])
        needed = max(units - _OPENING_FLOOR, 0) / _OPENING_SECONDS
        return _Promotion(place, math.inf, needed, _OPENING_FLOOR)

    def _promote(self, begin: float, end: float) -> None:
        if begin // _PROMOTION_EVERY_SECONDS < end // _PROMOTION_EVERY_SECONDS:
            brisk = [place for place in self.shelves if self._is(place, Pace.BRISK)]
            extra = HABITS[Pace.BRISK].units_a_minute / 60 * (_PROMOTION_FACTOR - 1)
            place = self._draw.choice(brisk)
            self._promotion = _Promotion(place, end + _PROMOTION_SECONDS, extra)

    def _plan_miscount(self) -> None:
        shelves = [
            place
            for place, units in self.shelves.items()
            if place[1] == STORE.id and units >= _MISCOUNTED_FROM and self._is(place, Pace.STEADY)
        ]
        if shelves:
            place = self._draw.choice(shelves)
            self._plan(WRONG_COUNT_AFTER_SECONDS, "count", place, WRONG_COUNT, POS)
            self._plan(RECOUNT_AFTER_SECONDS, "count", place, 0, POS)

    def _units_a_second(self, place: Place, now: float, busy: float) -> float:
        promotion = self._promotion
        promoted = (
            promotion.place == place
            and now < promotion.ends
            and self.shelves[place] > promotion.floor
        )
        usual = self._habits(place).units_a_minute / 60 * busy
        return usual + (promotion.units_a_second if promoted else 0.0)

    def _arrivals(self, a_second: float, begin: float, end: float) -> Iterable[float]:
        """Yield the instants of a Poisson process."""
        at = begin
        while a_second > 0:
            at += self._draw.expovariate(a_second)
            if at >= end:
                return
            yield at

    def _channel(self, place: Place) -> str:
        if place[1] == ONLINE.id:
            return self._draw.choices((WEB, MARKETPLACE), (0.55, 0.45))[0]
        # Some web orders are picked up in the store.
        return self._draw.choices((POS, WEB), (0.85, 0.15))[0]

    def _plan(self, at: float, kind: str, place: Place, quantity: int, channel: str) -> None:
        self._order += 1
        heapq.heappush(self._due, _Due(at, self._order, kind, place, quantity, channel))

    def _due_until(self, end: float) -> Iterable[_Due]:
        while self._due and self._due[0].at < end:
            yield heapq.heappop(self._due)

    def _habits(self, place: Place) -> Habits:
        return HABITS[self._articles[place[0]].pace]

    def _is(self, place: Place, pace: Pace) -> bool:
        return self._articles[place[0]].pace is pace

    def _seconds(self, instant: datetime) -> float:
        return (instant - self._start).total_seconds()


def opening_units(article: Article, warehouse: Warehouse, seed: int) -> int:
    """Return what lies on a shelf that Lowtide has never heard of."""
    habits = HABITS[article.pace]
    draw = random.Random(f"{seed}:{article.sku}:{warehouse.id}")  # noqa: S311 - a simulation
    return draw.randint(habits.reorder_at + 5, habits.refill_to)


def _house(place: Place) -> str:
    """Return the channel that speaks for a warehouse itself."""
    return POS if place[1] == STORE.id else WEB
