"""A level's statement: each movement with how the level stood after it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.ledger.domain.changes import SIGNS, Change
from services.ledger.domain.past import Standing, walk


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


def statement(movements: Sequence[Recorded]) -> list[Line]:
    """Return the statement of a level's movements, which must be in order, oldest first."""
    lines = []
    on_hand = 0
    standings = walk([each.change for each in movements])
    for place, (each, standing) in enumerate(zip(movements, standings, strict=True), start=1):
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
