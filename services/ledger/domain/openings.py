"""Fold a level's oldest changes into its opening balance, so that their days may leave the tables.

Order is by when a change happened, days are by when it was recorded, so no instant parts the two.
The rule is per level: the opening of a level whose day goes is at the newest instant of that day's
movements, and takes in *everything* that happened until then, whatever day it was recorded on. A
level's past is then its opening and what happened after it, all of which is still in the tables.
"""

from collections.abc import Collection, Sequence

from services.ledger.domain.commitments import Book, Key, Kind, Line
from services.ledger.domain.past import Opening, Totals
from services.ledger.domain.recomputed import Recomputation
from services.ledger.domain.statement import Recorded


def resumed(level: int, opening: Opening | None) -> Recomputation:
    """Return a level on its way from its opening, if it has one."""
    if opening is None:
        return Recomputation(level)
    totals = opening.totals
    return Recomputation(
        level,
        opening.standing,
        Book(dict(opening.lines), unordered={level: opening.unordered}),
        sold=totals.sold,
        returned=totals.returned,
        received=totals.received,
        sold_changes=totals.sold_changes,
        counted_at=totals.counted_at,
        count_key=opening.count_key,
        last_change_at=opening.at,
        demanding=any(key.kind is Kind.DEMAND for key in opening.lines),
        movements=opening.movements,
    )


def advanced(
    opening: Opening | None, folded: Sequence[Recorded], demanded: Collection[str] = ()
) -> Opening:
    """Return a level's opening after its next movements, in order, one at least.

    `demanded` are the references that the level has a demand for, whenever it was dated: what
    they used up by now counts for it. Without a line that none of the movements is about, the
    result lacks it as well.
    """
    level, at = folded[0].change.level, folded[-1].change.occurred_at
    made = resumed(level, opening)
    made.take([each.change for each in folded])
    recorded = [each.recorded_at for each in folded]
    if opening is not None:
        recorded.append(opening.recorded_until)
    return Opening(
        at=at,
        recorded_until=max(recorded),
        movements=made.movements,
        standing=made.standing,
        totals=Totals(
            made.sold, made.sold_changes, made.returned, made.received, made.counted_at, at
        ),
        count_key=made.count_key,
        unordered=made.book.unordered.get(level, 0),
        lines=_kept(made, demanded),
    )


def _kept(made: Recomputation, demanded: Collection[str]) -> dict[Key, Line]:
    used = {
        key: line
        for key, line in made.book.lines.items()
        if key.kind is Kind.CONSUMPTION and key.reference in demanded
    }
    return made.lines | used
