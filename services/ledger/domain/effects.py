"""What changes do to levels: promise 3, order by when it happened, as a pure function.

    on hand = last count + changes after it

in the order (occurred_at, changes before counts, channel, id, line). A change not after its
level's last count is contained in it and moves nothing on hand; a count becomes a difference
against what is on hand now, so that nothing committed meanwhile is lost. A count masks what it
has counted only: reserved and incoming move all the same (`commitments`).

What a count of anything but on hand says depends on what was reserved and unavailable at its
instant. A level with one is intricate: its past is asked what its counts do, and what is done by
whatever moves either of the two no later than the newest such count. All else is a difference
there as well.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from services.ledger.domain.changes import (
    SIGNS,
    SOLD,
    Change,
    Type,
    count_key,
    unavailable_of,
)
from services.ledger.domain.commitments import COMMITTING, CONSUMING, ORDERING, Book, Key, Line
from services.ledger.domain.counts import OlderCount, Sheet, Stretch, on_hand_before
from services.ledger.domain.past import Standing, Tail, available
from shared.events.stock_changes import Bucket


class Anchor(NamedTuple):
    """A level's place in time: its last count and its newest change, None before any."""

    counted_at: datetime | None = None
    count_key: str | None = None
    last_change_at: datetime | None = None
    intricate_until: datetime | None = None
    """When anything but on hand was counted last."""

    @property
    def newest_count(self) -> tuple[datetime, str] | None:
        """The place in time of the count that holds."""
        return None if self.counted_at is None else (self.counted_at, self.count_key or "")


class Entry(NamedTuple):
    """A change with what it did to on hand when it arrived; `late` when newer ones were there."""

    change: Change
    applied: int
    late: bool


LONG_AGO = timedelta(days=28)
"""Such sales are no part of what sells a day, by which readers warn: they keep four weeks."""


class Correction(NamedTuple):
    """What late changes make of what was told of the past; see `shared.events.stock_levels`.

    From `since` on there were `raised` more available, None where nothing was raised; at any
    time there may have been `lowered` fewer, None where that cannot be said. `sold_long_ago` are
    units that were sold LONG_AGO before the newest change, or earlier.
    """

    since: datetime | None = None
    raised: int = 0
    lowered: int | None = 0
    sold_long_ago: int = 0


@dataclass(slots=True)
class Effect:
    """All that one batch does to one level, as differences.

    `low` is the smallest of the running differences of available, after each change.
    """

    counted_at: datetime | None
    count_key: str | None
    last_change_at: datetime | None
    intricate_until: datetime | None = None
    on_hand: int = 0
    reserved: int = 0
    unavailable: int = 0
    incoming: int = 0
    sold: int = 0
    sold_changes: int = 0
    returned: int = 0
    received: int = 0
    low: int | None = None
    counted: bool = False
    """Whether a count of the batch holds now, or is the newest of anything but on hand."""
    earlier: list[tuple[datetime, int]] | None = None
    """(occurred_at, difference) of the batch's changes so far, for counts that follow."""
    counts: list[tuple[datetime, str, int]] | None = None
    """(occurred_at, key, quantity) of the batch's counts so far, for older ones that follow."""
    corrected: Correction | None = None
    """What the batch's late changes say of the past; None for nearly all."""

    @property
    def anchor(self) -> Anchor:
        """The level's place in time after the batch."""
        return Anchor(self.counted_at, self.count_key, self.last_change_at, self.intricate_until)


class LateCount(NamedTuple):
    """A count that newer changes are known to follow: their sum has to be asked for."""

    level: int
    occurred_at: datetime


# Bound once: this runs for every change there is.
_SALE, _RETURN, _RECEIPT, _COUNT = Type.SALE, Type.RETURN, Type.RECEIPT, Type.COUNT
_COUNT_WAITING = Type.COUNT_WAITING

_UNAVAILABLE = frozenset({Type.HOLD, Type.RELEASE, Type.RETURN})

_PROMISING = frozenset({Type.ORDER_PLACED, Type.RESERVED})


_STANDING = COMMITTING | {_COUNT}


def needing_standing(changes: Iterable[Change]) -> list[Change]:
    """Return the changes whose level must be known as it is stored, and held, before them."""
    return [change for change in changes if change.type in _STANDING]


def levels_asking(changes: Collection[Change], anchors: Mapping[int, Anchor]) -> set[int]:
    """Return the levels with a change whose effect only their past can tell."""
    levels = {change.level for change in changes if change.bucket is not None}
    intricate = {
        level: anchor.intricate_until
        for level, anchor in anchors.items()
        if anchor.intricate_until is not None
    }
    if intricate:
        levels.update(
            change.level
            for change in changes
            if change.level in intricate and _asks(change, intricate[change.level])
        )
    return levels


def _asks(change: Change, intricate_until: datetime | None) -> bool:
    """Return whether a change asks the past of its level, where that is intricate.

    It does where a count that follows it may depend on it.
    """
    return change.type is _COUNT or (
        intricate_until is not None
        and change.occurred_at <= intricate_until
        and (change.type in ORDERING or unavailable_of(change) != 0)
    )


def ends_of(
    changes: Iterable[Change],
    asking: Collection[int],
    anchors: Mapping[int, Anchor],
    standing: Mapping[int, Standing],
    book: Book,
) -> tuple[dict[int, Tail], dict[int, datetime]]:
    """Return the past of the levels that ask for it, from the first of their changes on.

    Where nothing has happened since, the past ends there, and is how the level stands; `book` has
    the lines that the changes are about. Of the others, since when it has to be read.
    """
    first: dict[int, datetime] = {}
    for change in changes:
        level, at = change.level, change.occurred_at
        if level in asking:
            first[level] = min(at, first.get(level, at))
    lines: dict[int, dict[Key, Line]] = {level: {} for level in first}
    for key, line in book.lines.items():
        if key.level in lines:
            lines[key.level][key] = line
    ends: dict[int, Tail] = {}
    older: dict[int, datetime] = {}
    for level, at in first.items():
        newest = anchors[level].last_change_at
        if newest is None or newest < at:
            ends[level] = Tail(standing[level], lines[level], [])
        else:
            older[level] = at
    return ends, older


def counts_of(changes: Iterable[Change]) -> list[Change]:
    """Return the counts among changes."""
    return [change for change in changes if change.type is _COUNT]


def late_counts(counts: Iterable[Change], anchors: Mapping[int, Anchor]) -> list[LateCount]:
    """Return the counts older than their level's newest stored change."""
    found = []
    for count in counts:
        newest = anchors[count.level].last_change_at
        if newest is not None and newest > count.occurred_at:
            found.append(LateCount(count.level, count.occurred_at))
    return found


@dataclass(slots=True)
class Known:
    """What must be known of the levels besides their anchors; each part only where it is needed.

    `standing` of levels with a change `needing_standing`; `later` the sum of the stored
    changes after each of `late_counts`; `past` of `levels_asking`, from their first change on;
    `book` every line that the changes are about; `sheet` what counts are judged by.
    """

    standing: Mapping[int, Standing] = field(default_factory=dict)
    later: Mapping[LateCount, int] = field(default_factory=dict)
    past: Mapping[int, Tail] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    sheet: Sheet = field(default_factory=Sheet)
    demanding: Collection[int] = ()
    """Levels with a demand, where what is consumed has to be noted."""


def apply(  # noqa: C901, PLR0912 - the busiest loop there is, where a call costs more than a branch
    changes: Sequence[Change],
    anchors: Mapping[int, Anchor],
    known: Known,
    effects: dict[int, Effect] | None = None,
) -> tuple[list[Entry], dict[int, Effect]]:
    """Work changes in their order of arrival; returns the entries and the effect by level.

    `anchors` has every level named. `effects` given are those of the changes before, in the same
    transaction: they are added to.
    """
    entries: list[Entry] = []
    effects = {} if effects is None else effects
    book, demanding, past, standings = known.book, known.demanding, known.past, known.standing
    with_count = {change.level for change in changes if change.type is _COUNT}
    places: list[int] = []
    for change in changes:
        level, occurred_at = change.level, change.occurred_at
        effect = effects.get(level)
        if effect is None:
            effect = effects[level] = Effect(*anchors[level])
            if level in with_count:
                effect.earlier, effect.counts = [], []
        counted_at, newest = effect.counted_at, effect.last_change_at
        late = newest is not None and occurred_at < newest
        if late:
            places.append(len(entries))
        else:
            effect.last_change_at = occurred_at
        change_type = change.type
        if level in past:
            change, applied = _with_its_past(change, effect, known)  # noqa: PLW2901
        elif change_type is _COUNT:
            change, applied = _count(change, effect, known)  # noqa: PLW2901
        else:
            difference = SIGNS[change_type] * change.quantity
            masked = counted_at is not None and occurred_at <= counted_at
            applied = 0 if masked else difference
            if change_type in _UNAVAILABLE:
                effect.unavailable += unavailable_of(change)
            if effect.earlier is not None:
                effect.earlier.append((occurred_at, difference))
        effect.on_hand += applied
        # Totals only grow: a count does not mask them.
        if change_type in SOLD:
            effect.sold += change.quantity
            # What a channel and the API both tell of is sold once: the second moves nothing.
            effect.sold_changes += change.quantity > 0
        elif change_type is _RECEIPT:
            effect.received += change.quantity
        elif change_type is _RETURN:
            effect.returned += change.quantity
        if (
            change_type in COMMITTING
            or (change_type is _RECEIPT and change.reference)
            or (demanding and level in demanding and change_type in CONSUMING)
        ):
            reserved, incoming = book.take(change)
            effect.reserved += reserved
            effect.incoming += incoming
        if level in standings:
            running = _running(effect, standings[level])
        else:
            running = effect.on_hand - effect.unavailable
        if effect.low is None or running < effect.low:
            effect.low = running
        entries.append(Entry(change, applied, late))
    for place in places:
        _correct(entries[place], effects, past)
    return entries, effects


def _correct(entry: Entry, effects: Mapping[int, Effect], past: Collection[int]) -> None:
    """Note what a late change makes of all that was told of the time since it happened.

    What a newer count masks raises nothing, but until that count there was less. An older count,
    and any change of a level that is worked out from its past, may mean more at one time than at
    another: then nobody can say by how much the past was lowered.
    """
    change, moved, _ = entry
    change_type, effect = change.type, effects[change.level]
    if change_type is _COUNT_WAITING:
        return
    if change_type is not _COUNT:
        moved = min(moved, SIGNS[change_type] * change.quantity) if moved <= 0 else moved
    moved -= unavailable_of(change)
    if change_type in _PROMISING:
        moved -= change.quantity
    since, raised, lowered, sold_long_ago = effect.corrected or Correction()
    if (change_type is _SALE or change_type in SOLD) and _is_of_long_ago(change, effect):
        sold_long_ago += change.quantity
    is_older_count = change_type is _COUNT and (
        effect.anchor.newest_count != (change.occurred_at, count_key(change))
    )
    if change.level in past or is_older_count:
        lowered = None
    elif moved > 0:
        since = change.occurred_at if since is None else max(since, change.occurred_at)
        raised += moved
    elif moved < 0:
        lowered = None if lowered is None else lowered - moved
    else:
        return
    effect.corrected = Correction(since, raised, lowered, sold_long_ago)


def _is_of_long_ago(change: Change, effect: Effect) -> bool:
    newest = effect.last_change_at
    return newest is not None and newest - change.occurred_at > LONG_AGO


def _running(effect: Effect, standing: Standing) -> int:
    """Return by how much available differs from what it was before the batch."""
    after = available(
        standing.on_hand + effect.on_hand,
        standing.reserved + effect.reserved,
        standing.unavailable + effect.unavailable,
    )
    return after - standing.available


def _count(change: Change, effect: Effect, known: Known) -> tuple[Change, int]:
    """Return a count as it is stored, and what it does to on hand: its variance, if it holds."""
    level, occurred_at, key = change.level, change.occurred_at, count_key(change)
    earlier, counts = effect.earlier, effect.counts
    if earlier is None or counts is None:
        raise RuntimeError("levels with a count keep what arrives before it")
    holds = _holds(change, effect)
    if holds:
        follows = known.later.get(LateCount(level, occurred_at), 0)
        follows += sum(difference for at, difference in earlier if at > occurred_at)
        expected = known.standing[level].on_hand + effect.on_hand - follows
    else:
        older = OlderCount(level, occurred_at, key)
        stretch = known.sheet.stretches.get(older, _NOTHING)
        expected = on_hand_before(older, stretch, earlier, counts)
    judged = known.sheet.take(change, expected, newest=holds)
    if judged.type is not _COUNT:
        return judged, 0
    counts.append((occurred_at, key, change.quantity))
    if not holds:
        return judged, 0
    effect.counted, effect.counted_at, effect.count_key = True, occurred_at, key
    return judged, change.quantity - expected


_NOTHING = Stretch()


def _holds(change: Change, effect: Effect) -> bool:
    """Return whether a count is newer than the one that holds."""
    if effect.counted_at is None:
        return True
    return (change.occurred_at, count_key(change)) > (effect.counted_at, effect.count_key or "")


def _holds_of_its_bucket(count: Change, effect: Effect, tail: Tail) -> bool:
    """Return whether no count that sets the same as this one is newer.

    Those of on hand and of what is available both set on hand.
    """
    if count.bucket is not Bucket.UNAVAILABLE:
        return _holds(count, effect)
    return not any(
        each.type is _COUNT and each.bucket is Bucket.UNAVAILABLE for each in tail.since(count)
    )


def _with_its_past(change: Change, effect: Effect, known: Known) -> tuple[Change, int]:
    """Return a change as it is stored, and what it does to on hand."""
    tail = known.past[change.level]
    if not _asks(change, effect.intricate_until):
        tail.take(change)
        effect.unavailable += unavailable_of(change)
        masked = effect.counted_at is not None and change.occurred_at <= effect.counted_at
        return change, 0 if masked else SIGNS[change.type] * change.quantity
    if change.type is _COUNT:
        expected = tail.before(change).of(change.bucket)
        newest = _holds_of_its_bucket(change, effect, tail)
        change = known.sheet.take(change, expected, newest=newest)
    tail.take(change)
    after, before = tail.now(), known.standing[change.level]
    effect.unavailable = after.unavailable - before.unavailable
    if change.type is _COUNT:
        if change.bucket is not Bucket.UNAVAILABLE and _holds(change, effect):
            effect.counted = True
            effect.counted_at, effect.count_key = change.occurred_at, count_key(change)
        until = effect.intricate_until
        if change.bucket is not None and (until is None or change.occurred_at > until):
            effect.counted, effect.intricate_until = True, change.occurred_at
    return change, after.on_hand - before.on_hand - effect.on_hand
