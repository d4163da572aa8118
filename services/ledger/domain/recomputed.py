"""A level as its movements make it: what `verify` compares and `rebuild` stores.

opening, or nothing ─ movements, in order, some at a time ─▶ all that is stored of a level
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from services.ledger.domain.changes import SOLD, Change, Type, count_key
from services.ledger.domain.commitments import (
    Book,
    Due,
    Key,
    Kind,
    Line,
    demand_of,
    demands,
    supply_of,
)
from services.ledger.domain.past import Standing, walk
from shared.events.stock_changes import Bucket


class State(NamedTuple):
    """All that is stored of a level and follows from its movements; the lines are beside it."""

    on_hand: int = 0
    reserved: int = 0
    unavailable: int = 0
    incoming: int = 0
    sold_total: int = 0
    returned_total: int = 0
    received_total: int = 0
    sold_changes: int = 0
    unordered: int = 0
    counted_at: datetime | None = None
    count_key: str | None = None
    last_change_at: datetime | None = None
    intricate_until: datetime | None = None
    demanding: bool = False
    supply: tuple[Due, ...] = ()
    demand: tuple[Due, ...] = ()


class Differing(NamedTuple):
    """A field, or a line, that is stored otherwise than the movements make it."""

    field: str
    stored: object
    recomputed: object


_RETURN, _RECEIPT, _COUNT = Type.RETURN, Type.RECEIPT, Type.COUNT


@dataclass(slots=True)
class Recomputation:
    """A level on its way from its opening through its movements.

    The fields are the opening: a level that begins with nothing needs none of them.
    """

    level: int
    standing: Standing = field(default_factory=Standing)
    book: Book = field(default_factory=Book)
    sold: int = 0
    returned: int = 0
    received: int = 0
    sold_changes: int = 0
    counted_at: datetime | None = None
    count_key: str | None = None
    last_change_at: datetime | None = None
    intricate_until: datetime | None = None
    demanding: bool = False
    movements: int = 0
    noting: bool = True
    """As of `walk`."""

    def note_only(self, demanded: Iterable[str]) -> None:
        """Note what is used up for some references only: all that ever have a demand.

        For a past with more references than memory should have lines.
        """
        self.noting = False
        for reference in demanded:
            self.book.lines.setdefault(Key(self.level, Kind.CONSUMPTION, reference), Line())

    def take(self, changes: Sequence[Change]) -> None:
        """Go on through changes, which must be in order and follow those taken before."""
        for _ in self.through(changes):
            pass

    def through(self, changes: Sequence[Change]) -> Iterator[Standing]:
        """Yield how the level stands after each of such changes, all of which must be asked for."""
        standings = walk(changes, self.book, self.standing, noting=self.noting)
        for change, standing in zip(changes, standings, strict=True):
            change_type = change.type
            if change_type in SOLD:
                self.sold += change.quantity
                self.sold_changes += change.quantity > 0
            elif change_type is _RETURN:
                self.returned += change.quantity
            elif change_type is _RECEIPT:
                self.received += change.quantity
            elif change_type is _COUNT:
                self._count(change)
            elif demands(change):
                self.demanding = True
            self.standing = standing
            yield standing
        if changes:
            self.last_change_at = changes[-1].occurred_at
            self.movements += len(changes)

    def _count(self, change: Change) -> None:
        if change.bucket is not None:
            self.intricate_until = change.occurred_at
        if change.bucket is not Bucket.UNAVAILABLE:
            self.counted_at, self.count_key = change.occurred_at, count_key(change)

    @property
    def lines(self) -> dict[Key, Line]:
        """The level's lines; what was used up only for references that have a demand."""
        lines = self.book.lines
        if not self.demanding:
            return {key: line for key, line in lines.items() if key.kind is not Kind.CONSUMPTION}
        wanted = {key.reference for key in lines if key.kind is Kind.DEMAND}
        return {
            key: line
            for key, line in lines.items()
            if key.kind is not Kind.CONSUMPTION or key.reference in wanted
        }

    @property
    def state(self) -> State:
        """The level as it should be stored."""
        lines = self.book.lines
        return State(
            *self.standing,
            self.sold,
            self.returned,
            self.received,
            self.sold_changes,
            self.book.unordered.get(self.level, 0),
            self.counted_at,
            self.count_key,
            self.last_change_at,
            self.intricate_until,
            self.demanding,
            tuple(supply_of(lines, self.level)) if lines else (),
            tuple(demand_of(lines, self.level)) if lines else (),
        )


def differing_fields(stored: State, recomputed: State) -> Iterator[Differing]:
    """Yield where a stored level is not what its movements make it."""
    for name, mine, right in zip(State._fields, stored, recomputed, strict=True):
        if mine != right:
            yield Differing(name, mine, right)


def differing_lines(
    stored: Mapping[Key, Line], recomputed: Mapping[Key, Line]
) -> Iterator[Differing]:
    """Yield where a level's stored lines are not what its movements make them.

    A line that is missing says as much as one of which nothing is known.
    """
    for key in sorted(stored.keys() | recomputed.keys()):
        mine, right = stored.get(key, Line()), recomputed.get(key, Line())
        if mine != right:
            named = " ".join(filter(None, (key.kind.name.lower(), key.reference, key.line)))
            yield Differing(f"line {named}", mine, right)
