"""What is promised, not moved: orders, supply on its way, dated demand.

Each is a line of two numbers: a total (ordered, shipped, expected) and what of it is done
(fulfilled or cancelled, received, consumed). Totals of orders and transfers add up; those of
supply and demand are decided anew, and the decision that happened last holds. Sums and the last
decision do not depend on the order of arrival, so neither does what is open.

An order and the reservations of its reference are one promise, whichever is told first:

    open = max(placed, held − released) − fulfilled or cancelled by channels − fulfilled by the API
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import NamedTuple

from services.ledger.domain.changes import SOLD, Change, Type, count_key

SHOWN = 8
"""Lines of supply and of demand that a level message carries at the most."""


class Kind(IntEnum):
    """What a line is about; numbers are for life."""

    ORDER = 1
    SUPPLY = 2
    TRANSFER = 3
    DEMAND = 4
    CONSUMPTION = 5
    """What is demanded for a reference in all, and what was used up for it."""


class Key(NamedTuple):
    """Which line: `line` is empty for orders, where it comes from for transfers."""

    level: int
    kind: Kind
    reference: str
    line: str = ""


class Line(NamedTuple):
    """A line; quantities in base units, `decided` orders decisions on its total.

    An order's has sums besides: `shipped` of what is done, and what its reservations have ever
    held, released and fulfilled.
    """

    total: int = 0
    done: int = 0
    decided_at: datetime | None = None
    decided_key: str | None = None
    due_at: datetime | None = None
    shipped: int = 0
    held: int = 0
    released: int = 0
    fulfilled: int = 0

    @property
    def cancelled(self) -> int:
        """What channels said was cancelled of an order."""
        return self.done - self.shipped


class Due(NamedTuple):
    """What is still to come, as a level tells of it."""

    quantity: int
    due_at: datetime | None
    reference: str


_RESERVATION = frozenset({Type.RESERVED, Type.RESERVATION_RELEASED, Type.RESERVATION_FULFILLED})
ORDERING = _RESERVATION | {Type.ORDER_PLACED, Type.ORDER_CANCELLED, Type.ORDER_FULFILLED}
"""Types that are about an order, and move what is reserved."""

_TRANSFER = frozenset({Type.TRANSFER_ARRIVING, Type.TRANSFER_RECEIVED})
_SUPPLY = frozenset({Type.SUPPLY_EXPECTED, Type.SUPPLY_CANCELLED})
DEMANDING = frozenset({Type.DEMAND_EXPECTED, Type.DEMAND_CANCELLED})
"""Types that are about a demand: what its reference uses up has to be noted."""

_CONSUMING = SOLD | {Type.CONSUMED, Type.TRANSFER_SHIPPED}
_ADDING = frozenset({Type.ORDER_PLACED, Type.TRANSFER_ARRIVING})
_DECIDING = _SUPPLY | DEMANDING

COMMITTING = ORDERING | _TRANSFER | _SUPPLY | DEMANDING
"""Types that always concern a line; a receipt with a reference does, too."""

_ABOUT_LINES = COMMITTING | {Type.RECEIPT}
"""Types that may concern a line at all."""

CONSUMING = _CONSUMING
"""Types that use up a demand of their reference, where there is one."""

_NEVER = datetime.min.replace(tzinfo=UTC)


def key_of(change: Change) -> Key | None:
    """Return the line that a change is about besides what it moves; None for most."""
    change_type, reference = change.type, change.reference
    if change_type not in _ABOUT_LINES:
        return None
    if change_type in ORDERING:
        return Key(change.level, Kind.ORDER, reference or "")
    if change_type in _SUPPLY or (change_type is Type.RECEIPT and reference):
        return Key(change.level, Kind.SUPPLY, reference or "", change.line)
    if change_type in _TRANSFER:
        return Key(change.level, Kind.TRANSFER, reference or "", change.counterparty or "")
    if change_type in DEMANDING:
        return Key(change.level, Kind.DEMAND, reference or "", change.line)
    return None


def keys_of(changes: Iterable[Change]) -> set[Key]:
    """Return the lines that some changes are about."""
    about = [change for change in changes if change.type in _ABOUT_LINES]  # few: spare the calls
    return {key for change in about if (key := key_of(change)) is not None}


def demands(change: Change) -> bool:
    """Return whether a change is about a demand, so that what its level uses up has to be noted."""
    return change.type in DEMANDING


def consumption_of(change: Change) -> Key | None:
    """Return the line that counts what a change uses up for its reference."""
    if change.type in _CONSUMING and change.reference:
        return Key(change.level, Kind.CONSUMPTION, change.reference)
    return None


def after(line: Line, change: Change) -> Line:
    """Return a line as a change leaves it."""
    if change.type in _DECIDING:
        key = count_key(change)
        if (change.occurred_at, key) <= (line.decided_at or _NEVER, line.decided_key or ""):
            return line
        expected = change.type in {Type.SUPPLY_EXPECTED, Type.DEMAND_EXPECTED}
        total = change.quantity if expected else 0
        return Line(total, line.done, change.occurred_at, key, change.eta)
    if change.type in _ADDING:
        dues = [each for each in (line.due_at, change.eta) if each is not None]
        return line._replace(total=line.total + change.quantity, due_at=max(dues, default=None))
    if change.type is Type.RESERVED:
        return line._replace(held=line.held + change.quantity)
    if change.type is Type.RESERVATION_RELEASED:
        return line._replace(released=line.released + change.quantity)
    if change.type is Type.RESERVATION_FULFILLED:
        return line._replace(fulfilled=line.fulfilled + change.quantity)
    shipped = change.quantity if change.type is Type.ORDER_FULFILLED else 0
    return line._replace(done=line.done + change.quantity, shipped=line.shipped + shipped)


def open_of(kind: Kind, line: Line) -> int:
    """Return what is still to come of a line.

    Below zero only for an order that nobody has placed or reserved and that was shipped all the
    same.
    """
    if kind is not Kind.ORDER:
        return max(0, line.total - line.done)
    left = max(line.total, line.held - line.released) - line.done - line.fulfilled
    return left if line.total == line.held == 0 else max(0, left)


@dataclass(slots=True)
class Book:
    """The lines that a batch touches; `apply` works on it as on the levels."""

    lines: dict[Key, Line] = field(default_factory=dict)
    changed: set[Key] = field(default_factory=set)
    told: set[int] = field(default_factory=set)
    """Levels that tell something else of their supply or demand now."""
    unordered: dict[int, int] = field(default_factory=dict)
    """By level, how much more was shipped for orders that nobody has placed: it takes reserved
    below what is promised to the others."""
    noting: bool = False
    """Whether what is used up is noted for every reference, as its demand may be told later."""

    def take(self, change: Change) -> tuple[int, int]:
        """Note a change; returns what it does to reserved and to incoming."""
        reserved = incoming = 0
        key = key_of(change)
        if key is not None:
            before = self.lines.get(key) or Line()
            now = self.lines[key] = after(before, change)
            self.changed.add(key)
            left, was = open_of(key.kind, now), open_of(key.kind, before)
            difference = left - was
            if key.kind is Kind.ORDER:
                reserved = difference
                if left < 0 or was < 0:
                    more = min(was, 0) - min(left, 0)
                    self.unordered[key.level] = self.unordered.get(key.level, 0) + more
            elif key.kind is Kind.DEMAND:
                self._demand(key, difference)
            else:
                incoming = difference
            if key.kind is not Kind.ORDER and (now.total or before.total):
                self.told.add(key.level)
        used = consumption_of(change)
        if used is not None and (self.noting or used in self.lines):
            line = self.lines.get(used) or Line()
            self.lines[used] = line._replace(done=line.done + change.quantity)
            self.changed.add(used)
            self.told.add(used.level)
        return reserved, incoming

    def _demand(self, key: Key, more: int) -> None:
        """Note how much more is demanded for a reference, by all its lines together.

        So it is known without them whether any of it is open.
        """
        of_all = Key(key.level, Kind.CONSUMPTION, key.reference)
        line = self.lines.get(of_all) or Line()
        self.lines[of_all] = line._replace(total=line.total + more)
        self.changed.add(of_all)


def supply_of(lines: Mapping[Key, Line], level: int, *, most: int | None = SHOWN) -> list[Due]:
    """Return a level's next supplies, the soonest first, those without a date last."""
    return _soonest(
        Due(open_of(key.kind, line), line.due_at, key.reference)
        for key, line in lines.items()
        if key.level == level and key.kind in {Kind.SUPPLY, Kind.TRANSFER}
    )[:most]


def demand_of(lines: Mapping[Key, Line], level: int, *, most: int | None = SHOWN) -> list[Due]:
    """Return a level's next demands; what was used up of a reference is taken off the soonest."""
    used = {
        key.reference: line.done
        for key, line in lines.items()
        if key.level == level and key.kind is Kind.CONSUMPTION
    }
    left = []
    for key, line in sorted(
        ((key, line) for key, line in lines.items() if key[:2] == (level, Kind.DEMAND)),
        key=lambda each: (each[1].due_at or _NEVER, each[0]),
    ):
        covered = min(line.total, used.get(key.reference, 0))
        used[key.reference] = used.get(key.reference, 0) - covered
        left.append(Due(line.total - covered, line.due_at, key.reference))
    return _soonest(left)[:most]


def _soonest(lines: Iterable[Due]) -> list[Due]:
    still = [each for each in lines if each.quantity > 0]
    still.sort(
        key=lambda each: (
            each.due_at is None,
            each.due_at or _NEVER,
            each.reference,
            each.quantity,
        )
    )
    return still
