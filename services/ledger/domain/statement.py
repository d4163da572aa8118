"""A level's statement: each movement with how the level stood after it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from services.ledger.domain.changes import NAME_OF, SIGNS, Change
from services.ledger.domain.past import Opening, Standing, Tail, tail
from services.ledger.domain.recomputed import Recomputation

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


class Again(NamedTuple):
    """When a change was told again."""

    received_at: datetime
    recorded_at: datetime


Repeats = dict[tuple[str, str, str], list[Again]]
"""The repeats of changes, by channel, id and line."""


class Past(NamedTuple):
    """A level's past: its movements in order, all of them or those after `opening`."""

    movements: list[Recorded]
    opening: Opening | None = None

    @property
    def changes(self) -> list[Change]:
        """The movements without how they were applied."""
        return [each.change for each in self.movements]

    def since(self, instant: datetime) -> Tail:
        """Return what has happened since an instant, for changes no older than that."""
        return tail(self.changes, self.opening, instant)


class Line(NamedTuple):
    """A movement of a statement.

    `moved` is what it does to on hand as known now, which differs from what it did when it
    arrived where a count or an older change came later. `masked`: a count at or after it had
    been taken already when it came.
    """

    recorded: Recorded
    standing: Standing
    moved: int
    masked: bool


def lines_of(made: Recomputation, movements: Sequence[Recorded]) -> Iterator[Line]:
    """Let a level go through its next movements; yields their lines, oldest first."""
    made.noting = False  # nothing of how a level stands depends on it, and it grows with the past
    on_hand = made.standing.on_hand
    standings = made.through([each.change for each in movements])
    for each, standing in zip(movements, standings, strict=True):
        nominal = SIGNS[each.change.type] * each.change.quantity
        masked = nominal != 0 and each.applied == 0
        yield Line(each, standing, standing.on_hand - on_hand, masked)
        on_hand = standing.on_hand


def as_document(line: Line, repeats: Repeats) -> dict[str, object]:
    """Return a line as it is told, over HTTP and at the command line."""
    change, applied, late, recorded_at, unusual = line.recorded
    again = repeats.get((change.channel, change.id, change.line), ())
    return {
        "type": NAME_OF[change.type],
        "channel": change.channel,
        "id": change.id,
        "line": change.line,
        "quantity": change.quantity,
        "change": line.moved,
        "applied": applied,
        "balance": line.standing.on_hand,
        "reserved": line.standing.reserved,
        "unavailable": line.standing.unavailable,
        "incoming": line.standing.incoming,
        "late": late,
        "masked": line.masked,
        "unusual": unusual,
        "repeats": [each._asdict() for each in again],
        "reason": change.reason,
        "reference": change.reference,
        "counterparty": change.counterparty,
        "bucket": change.bucket,
        "eta": change.eta,
        "actor": change.actor,
        "occurred_at": change.occurred_at,
        "received_at": change.received_at,
        "recorded_at": recorded_at,
    }


def opening_as_document(opening: Opening) -> dict[str, object]:
    """Return the line that stands for all movements before an opening, as other lines are told."""
    standing = opening.standing
    return {
        "type": OPENING_BALANCE,
        "channel": "ledger",
        "id": "opening",
        "line": "0",
        "quantity": standing.on_hand,
        "change": standing.on_hand,
        "applied": standing.on_hand,
        "balance": standing.on_hand,
        "reserved": standing.reserved,
        "unavailable": standing.unavailable,
        "incoming": standing.incoming,
        "late": False,
        "masked": False,
        "unusual": False,
        "repeats": [],
        **dict.fromkeys(("reason", "reference", "counterparty", "bucket", "eta", "actor")),
        "occurred_at": opening.at,
        "received_at": opening.recorded_until,
        "recorded_at": opening.recorded_until,
    }
