"""What changes do to levels: promise 3, order by when it happened, as a pure function.

    on hand = last count + changes after it

in the order (occurred_at, changes before counts, channel, id, line). A change not after its
level's last count is contained in it and moves nothing on hand; a count becomes a difference
against what is on hand now, so that nothing committed meanwhile is lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from services.ledger.domain.changes import DAMAGED, Change, Type, count_key


class Anchor(NamedTuple):
    """A level's place in time: its last count and its newest change, None before any."""

    counted_at: datetime | None = None
    count_key: str | None = None
    last_change_at: datetime | None = None


class Entry(NamedTuple):
    """A change with what it did to on hand when it arrived; `late` when newer ones were there."""

    change: Change
    applied: int
    late: bool


@dataclass(slots=True)
class Effect:
    """All that one batch does to one level, as differences.

    `low` is the smallest of the running differences of available, after each change.
    """

    counted_at: datetime | None
    count_key: str | None
    last_change_at: datetime | None
    on_hand: int = 0
    unavailable: int = 0
    sold: int = 0
    returned: int = 0
    received: int = 0
    low: int | None = None
    counted: bool = False
    """Whether a count of the batch holds now."""
    earlier: list[tuple[datetime, int]] | None = None
    """(occurred_at, difference) of the batch's changes so far, for counts that follow."""

    @property
    def anchor(self) -> Anchor:
        """The level's place in time after the batch."""
        return Anchor(self.counted_at, self.count_key, self.last_change_at)


class LateCount(NamedTuple):
    """A count that newer changes are known to follow: their sum has to be asked for."""

    level: int
    occurred_at: datetime


# Bound once: this runs for every change there is.
_SALE, _RETURN, _RECEIPT, _COUNT = Type.SALE, Type.RETURN, Type.RECEIPT, Type.COUNT
_SIGNS = {_SALE: -1, _RETURN: 1, _RECEIPT: 1, Type.ADJUSTMENT: 1, _COUNT: 0}


def nominal(change: Change) -> int:
    """Return what a change means for on hand by itself; 0 for a count."""
    return _SIGNS[change.type] * change.quantity


def late_counts(changes: Iterable[Change], anchors: Mapping[int, Anchor]) -> list[LateCount]:
    """Return the counts older than their level's newest stored change."""
    found = []
    for change in changes:
        if change.type is Type.COUNT:
            newest = anchors[change.level].last_change_at
            if newest is not None and newest > change.occurred_at:
                found.append(LateCount(change.level, change.occurred_at))
    return found


def apply(
    changes: Sequence[Change],
    anchors: Mapping[int, Anchor],
    on_hand: Mapping[int, int],
    later: Mapping[LateCount, int],
) -> tuple[list[Entry], dict[int, Effect]]:
    """Work changes in their order of arrival; returns the entries and the effect by level.

    `anchors` has every level named. `on_hand` is needed for levels with a count among the
    changes: the stored quantity, locked. `later` holds, for each of `late_counts`, the sum of
    the stored changes after it.
    """
    entries: list[Entry] = []
    effects: dict[int, Effect] = {}
    with_count = {change.level for change in changes if change.type is _COUNT}
    for change in changes:
        level, occurred_at = change.level, change.occurred_at
        effect = effects.get(level)
        if effect is None:
            effect = effects[level] = Effect(*anchors[level])
            if level in with_count:
                effect.earlier = []
        counted_at, newest = effect.counted_at, effect.last_change_at
        late = newest is not None and occurred_at < newest
        if not late:
            effect.last_change_at = occurred_at
        if change.type is _COUNT:
            applied = _count(change, effect, on_hand[level], later)
        else:
            difference = nominal(change)
            masked = counted_at is not None and occurred_at <= counted_at
            applied = 0 if masked else difference
            _total(change, effect)
            if effect.earlier is not None:
                effect.earlier.append((occurred_at, difference))
        effect.on_hand += applied
        running = effect.on_hand - effect.unavailable
        if effect.low is None or running < effect.low:
            effect.low = running
        entries.append(Entry(change, applied, late))
    return entries, effects


def _total(change: Change, effect: Effect) -> None:
    """Add up what counts do not mask: totals only grow, and damage is damage."""
    change_type, quantity = change.type, change.quantity
    if change_type is _SALE:
        effect.sold += quantity
    elif change_type is _RECEIPT:
        effect.received += quantity
    elif change_type is _RETURN:
        effect.returned += quantity
        if change.reason == DAMAGED:
            effect.unavailable += quantity


def _count(
    change: Change, effect: Effect, stored_on_hand: int, later: Mapping[LateCount, int]
) -> int:
    occurred_at, key = change.occurred_at, count_key(change)
    if effect.counted_at is not None and (occurred_at, key) <= (
        effect.counted_at,
        effect.count_key or "",
    ):
        return 0  # an older count than the one that holds
    follows = later.get(LateCount(change.level, occurred_at), 0)
    follows += sum(difference for at, difference in effect.earlier or () if at > occurred_at)
    effect.counted, effect.counted_at, effect.count_key = True, occurred_at, key
    return change.quantity + follows - (stored_on_hand + effect.on_hand)
