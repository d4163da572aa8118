"""What is to come of a level: dated supply and demand in order, and the balance ahead."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from services.ledger.domain.commitments import (
    Due,
    Key,
    Kind,
    Line,
    demand_of,
    open_of,
    supply_of,
)


class Direction(StrEnum):
    """What a line ahead is; quantities are magnitudes."""

    SUPPLY = "supply"
    TRANSFER = "transfer"
    """Supply that another warehouse has shipped."""
    DEMAND = "demand"


class Ahead(NamedTuple):
    """A line, and what would be available after it; `overdue` when its date has passed."""

    direction: Direction
    quantity: int
    due_at: datetime
    reference: str
    balance: int
    overdue: bool


class Undated(NamedTuple):
    """A supply that nobody has given a date."""

    direction: Direction
    quantity: int
    reference: str


@dataclass(frozen=True, slots=True)
class Projection:
    """Lines by date, overdue ones as if of now, and the supply without a date, in no balance.

    `below_zero_at` is the first date after which the balance is below zero, the present one when
    that is so already or what is overdue would do it; None when it never is.
    """

    lines: tuple[Ahead, ...]
    undated: tuple[Undated, ...]
    below_zero_at: datetime | None


def project(
    lines: Mapping[Key, Line], level: int, available: int, now: datetime, until: datetime | None
) -> Projection:
    """Return what a level's open lines due by `until` make of what is available now.

    `lines` has the orders of demands' references as well.
    """
    dated: list[tuple[datetime, Direction, Due]] = []
    undated: list[Undated] = []
    for direction, due in _open(lines, level):
        if due.due_at is None:
            undated.append(Undated(direction, due.quantity, due.reference))
        elif until is None or due.due_at <= until:
            dated.append((due.due_at, direction, due))
    # At one instant supply comes first: a date without an hour is an instant as well, and all that
    # is overdue comes now.
    dated.sort(
        key=lambda each: (
            max(each[0], now),
            each[1] is Direction.DEMAND,
            each[0],
            each[2].reference,
        )
    )
    balance = available
    below_zero_at = now if available < 0 else None
    ahead = []
    for due_at, direction, due in dated:
        balance += -due.quantity if direction is Direction.DEMAND else due.quantity
        if balance < 0 and below_zero_at is None:
            below_zero_at = max(due_at, now)
        ahead.append(
            Ahead(direction, due.quantity, due_at, due.reference, balance, overdue=due_at < now)
        )
    return Projection(tuple(ahead), tuple(undated), below_zero_at)


def _open(lines: Mapping[Key, Line], level: int) -> Iterator[tuple[Direction, Due]]:
    for kind, direction in (
        (Kind.SUPPLY, Direction.SUPPLY),
        (Kind.TRANSFER, Direction.TRANSFER),
    ):
        own = {key: line for key, line in lines.items() if key.kind is kind}
        for due in supply_of(own, level, most=None):
            yield direction, due
    for due in demand_of({**lines, **dict(_used_and_reserved(lines, level))}, level, most=None):
        yield Direction.DEMAND, due


def _used_and_reserved(lines: Mapping[Key, Line], level: int) -> Iterator[tuple[Key, Line]]:
    """Yield what is used up of a reference, with what its order has reserved.

    What is available is without that already: the demand of the same reference does not take it
    once more.
    """
    for key, line in lines.items():
        reserved = open_of(key.kind, line) if key[:2] == (level, Kind.ORDER) else 0
        if reserved > 0:
            of_reference = Key(level, Kind.CONSUMPTION, key.reference)
            used = lines.get(of_reference) or Line()
            yield of_reference, used._replace(done=used.done + reserved)
