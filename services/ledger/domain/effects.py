"""What changes do to levels: promise 3, order by when it happened, as a pure function.

    on hand = last count + changes after it

in the order (occurred_at, changes before counts, channel, id, line). A change not after its
level's last count is contained in it and moves nothing on hand; a count becomes a difference
against what is on hand now, so that nothing committed meanwhile is lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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

    anchor: Anchor
    on_hand: int = 0
    unavailable: int = 0
    sold: int = 0
    returned: int = 0
    received: int = 0
    low: int | None = None
    counted: bool = False
    earlier: list[tuple[datetime, int]] = field(default_factory=list)
    """(occurred_at, difference) of the batch's changes so far, for counts that follow."""


class LateCount(NamedTuple):
    """A count that newer changes are known to follow: their sum has to be asked for."""

    level: int
    occurred_at: datetime


def nominal(change: Change) -> int:
    """Return what a change means for on hand by itself; 0 for a count."""
    match change.type:
        case Type.SALE:
            return -change.quantity
        case Type.RETURN | Type.RECEIPT | Type.ADJUSTMENT:
            return change.quantity
        case Type.COUNT:
            return 0


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
    with_count = {change.level for change in changes if change.type is Type.COUNT}
    for change in changes:
        effect = effects.get(change.level)
        if effect is None:
            effect = effects[change.level] = Effect(anchors[change.level])
        anchor = effect.anchor
        newest = anchor.last_change_at
        late = newest is not None and change.occurred_at < newest
        if change.type is Type.COUNT:
            applied = _count(change, effect, on_hand[change.level], later)
        else:
            difference = nominal(change)
            masked = anchor.counted_at is not None and change.occurred_at <= anchor.counted_at
            applied = 0 if masked else difference
            _total(change, effect)
            if change.level in with_count:
                effect.earlier.append((change.occurred_at, difference))
        if newest is None or change.occurred_at > newest:
            effect.anchor = effect.anchor._replace(last_change_at=change.occurred_at)
        effect.on_hand += applied
        running = effect.on_hand - effect.unavailable
        if effect.low is None or running < effect.low:
            effect.low = running
        entries.append(Entry(change, applied, late))
    return entries, effects


def _total(change: Change, effect: Effect) -> None:
    """Add up what counts do not mask: totals only grow, and damage is damage."""
    quantity = change.quantity
    if change.type is Type.SALE:
        effect.sold += quantity
    elif change.type is Type.RECEIPT:
        effect.received += quantity
    elif change.type is Type.RETURN:
        effect.returned += quantity
        if change.reason == DAMAGED:
            effect.unavailable += quantity


def _count(
    change: Change, effect: Effect, stored_on_hand: int, later: Mapping[LateCount, int]
) -> int:
    anchor = effect.anchor
    key = count_key(change)
    if anchor.counted_at is not None and (change.occurred_at, key) <= (
        anchor.counted_at,
        anchor.count_key or "",
    ):
        return 0  # an older count than the one that holds
    follows = later.get(LateCount(change.level, change.occurred_at), 0)
    follows += sum(
        difference for occurred_at, difference in effect.earlier if occurred_at > change.occurred_at
    )
    effect.anchor = anchor._replace(counted_at=change.occurred_at, count_key=key)
    effect.counted = True
    return change.quantity + follows - (stored_on_hand + effect.on_hand)
