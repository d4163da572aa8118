"""A level's statement: each movement with how the level stood after it."""

from datetime import datetime
from typing import NamedTuple

from services.ledger.domain.changes import SIGNS, Change
from services.ledger.domain.past import Opening, Standing, Tail, tail, walk_on

OPENING_BALANCE = "opening_balance"
"""The type of a line that stands for all movements before, which are archived."""


class Recorded(NamedTuple):
    """A change as it was applied, and when.

    `applied` is what it did to on hand when it arrived; `late`: newer changes were there;
    `unusual`: far more than the level usually sells.
    """

    change: Change
    applied: int
    late: bool
    recorded_at: datetime
    unusual: bool = False


class Past(NamedTuple):
    """A level's past: its movements in order, all of them or those after `opening`."""

    movements: list[Recorded]
    opening: Opening | None = None

    @property
    def changes(self) -> list[Change]:
        """The movements without how they were applied."""
        return [each.change for each in self.movements]

    @property
    def begun(self) -> bool:
        """Whether anything had happened at all."""
        return bool(self.movements) or self.opening is not None

    def since(self, instant: datetime) -> Tail:
        """Return what has happened since an instant, for changes no older than that."""
        return tail(self.changes, self.opening, instant)


class Line(NamedTuple):
    """A movement of a statement; `place` counts from the level's first one, 1.

    `moved` is what it does to on hand as known now, which differs from what it did when it
    arrived where a count or an older change came later. `masked`: a count at or after it had
    been taken already when it came.
    """

    place: int
    recorded: Recorded
    standing: Standing
    moved: int
    masked: bool


def statement(past: Past) -> list[Line]:
    """Return the statement of a level's movements, oldest first."""
    lines = []
    opening = past.opening
    on_hand, before = (0, 0) if opening is None else (opening.standing.on_hand, opening.movements)
    standings = walk_on(past.changes, opening)
    for place, (each, standing) in enumerate(
        zip(past.movements, standings, strict=True), start=before + 1
    ):
        nominal = SIGNS[each.change.type] * each.change.quantity
        lines.append(
            Line(
                place,
                each,
                standing,
                standing.on_hand - on_hand,
                masked=nominal != 0 and each.applied == 0,
            )
        )
        on_hand = standing.on_hand
    return lines
