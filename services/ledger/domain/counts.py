"""Counts: what was expected beside what was found, and whether it may stand.

A count beyond the tolerance of its goods, when a person has taken it, waits for another count or
for somebody who approves it: a slip of the pen moves no stock. A machine's stands at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from services.ledger.domain.changes import Change, Type, count_key


class CountState(StrEnum):
    """What has become of a count."""

    APPLIED = "applied"
    WAITING = "waiting"
    RECOUNT_REQUESTED = "recount_requested"
    """It waits for a newer count, which somebody has asked for."""
    APPROVED = "approved"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    """It waited, or would have, and a newer count holds."""


WAITING = (CountState.WAITING, CountState.RECOUNT_REQUESTED)
"""States that somebody may still decide on."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a count may be from what was expected; a limit that is None does not matter.

    For the goods of a class, in a warehouse; None stands for all. `units` and `money` bound the
    variance itself, `percent` its share of what was expected.
    """

    stock_class: str | None = None
    warehouse: str | None = None
    units: int | None = None
    percent: Decimal | None = None
    money: Decimal | None = None

    def allows(self, counted: int, expected: int, cost: Decimal | None) -> bool:
        """Return whether no limit is exceeded; without a cost the one on money is not known to be.

        Of nothing expected, any unit is more than any percentage.
        """
        variance = abs(counted - expected)
        return not (
            (self.units is not None and variance > self.units)
            or (self.percent is not None and 100 * variance > self.percent * abs(expected))
            or (self.money is not None and cost is not None and variance * cost > self.money)
        )


def tolerance_of(
    tolerances: Iterable[Tolerance], stock_class: str | None, warehouse: str
) -> Tolerance | None:
    """Return the most specific tolerance for goods; their class says more than where they are."""
    fitting = [
        each
        for each in tolerances
        if each.stock_class in {None, stock_class} and each.warehouse in {None, warehouse}
    ]
    return max(
        fitting,
        key=lambda each: (each.stock_class is not None, each.warehouse is not None),
        default=None,
    )


class Measure(NamedTuple):
    """What the counts of a level are judged by; `cost` is per base unit."""

    tolerance: Tolerance | None = None
    cost: Decimal | None = None


class Taken(NamedTuple):
    """A count as it arrived.

    `expected` is what there was just before it of what it has counted, in the order in which
    things happened, as known when it arrived; `within` its tolerance, or without one just that.
    """

    change: Change
    expected: int
    within: bool
    state: CountState
    cost: Decimal | None


class OlderCount(NamedTuple):
    """A count that happened before the one that holds: what was on hand then has to be asked."""

    level: int
    occurred_at: datetime
    key: str


class Stretch(NamedTuple):
    """What is stored between the last count before an instant and the instant itself.

    `counted_at` and `key` are None, and `counted` is 0, when nothing had been counted before.
    """

    counted_at: datetime | None = None
    key: str | None = None
    counted: int = 0
    moves: Sequence[tuple[datetime, int]] = ()


@dataclass(slots=True)
class Sheet:
    """The counts of a batch; `apply` works on it as on the levels.

    `measures` by level, of counts that somebody has taken or that have a tolerance or cost;
    `stretches` before each older count. A sheet that is `approved` lets everything stand and
    takes nothing down.
    """

    measures: Mapping[int, Measure] = field(default_factory=dict)
    stretches: Mapping[OlderCount, Stretch] = field(default_factory=dict)
    approved: bool = False
    taken: list[Taken] = field(default_factory=list)

    def take(self, change: Change, expected: int, *, newest: bool) -> Change:
        """Take a count down; returns it, or what is stored for it when it has to wait.

        `newest`: no count that holds and sets the same is newer.
        """
        if self.approved:
            return change
        tolerance, cost = self.measures.get(change.level, _UNKNOWN)
        if tolerance is None:
            within, waits = change.quantity == expected, False
        else:
            within = tolerance.allows(change.quantity, expected, cost)
            waits = bool(change.actor) and not within
        state = CountState.APPLIED
        if waits:
            state = CountState.WAITING if newest else CountState.SUPERSEDED
        self.taken.append(Taken(change, expected, within, state, cost))
        return change._replace(type=Type.COUNT_WAITING) if waits else change


_UNKNOWN = Measure()


def older_counts(
    counts: Iterable[Change], newest: Mapping[int, tuple[datetime, str] | None]
) -> list[OlderCount]:
    """Return the counts that are older than one stored or one that arrived before.

    `newest` has the place in time of each level's count that holds.
    """
    found: list[OlderCount] = []
    holding: dict[int, tuple[datetime, str]] = {}
    for count in counts:
        at = (count.occurred_at, count_key(count))
        last = holding.get(count.level) or newest[count.level]
        if last is not None and at < last:
            found.append(OlderCount(count.level, *at))
        else:
            holding[count.level] = at
    return found


def on_hand_before(
    older: OlderCount,
    stored: Stretch,
    moves: Iterable[tuple[datetime, int]],
    counts: Iterable[tuple[datetime, str, int]],
) -> int:
    """Return what was on hand just before a count.

    `moves` and `counts` are what arrived with it and before it, at any instant.
    """
    counted_at, on_hand = stored.counted_at, stored.counted
    last = None if counted_at is None else (counted_at, stored.key or "")
    for at, key, counted in counts:
        if (at, key) < older[1:] and (last is None or (at, key) > last):
            last, counted_at, on_hand = (at, key), at, counted
    for some in (stored.moves, moves):
        for at, difference in some:
            if at <= older.occurred_at and (counted_at is None or at > counted_at):
                on_hand += difference
    return on_hand
