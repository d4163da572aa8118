"""Fold a level's oldest changes into its opening balance, so that their days may leave the tables.

Order is by when a change happened, days are by when it was recorded, so no instant parts the two.
The rule is per level: the opening of a level whose day goes is at the newest instant of that day's
movements, and takes in *everything* that happened until then, whatever day it was recorded on. A
level's past is then its opening and what happened after it, all of which is still in the tables.
"""

from collections.abc import Iterable, Sequence

from services.ledger.domain.changes import Type, count_key
from services.ledger.domain.commitments import Book, Key, Kind, Line
from services.ledger.domain.past import Opening, now, totals
from services.ledger.domain.statement import Recorded
from shared.events.stock_changes import Bucket


def advanced(
    opening: Opening | None, folded: Sequence[Recorded], demanded: Iterable[str] = ()
) -> Opening:
    """Return a level's opening after its next movements, in order, one at least.

    `demanded` are the references that the level has a demand for, whenever it was dated: what
    they used up by now counts for it. Without a line that none of the movements is about, the
    result lacks it as well.
    """
    changes = [each.change for each in folded]
    level, newest = changes[0].level, changes[-1]
    book = Book({Key(level, Kind.CONSUMPTION, reference): Line() for reference in demanded})
    standing = now(changes, opening, book)
    counts = [
        change
        for change in changes
        if change.type is Type.COUNT and change.bucket is not Bucket.UNAVAILABLE
    ]
    before = None if opening is None else opening.count_key
    return Opening(
        at=newest.occurred_at,
        recorded_until=max(
            (each.recorded_at for each in folded)
            if opening is None
            else (opening.recorded_until, *(each.recorded_at for each in folded))
        ),
        movements=len(folded) + (0 if opening is None else opening.movements),
        standing=standing,
        totals=totals(changes, opening),
        count_key=count_key(counts[-1]) if counts else before,
        intricate=any(change.bucket is not None for change in changes)
        or (opening is not None and opening.intricate),
        lines=book.lines,
    )
