"""Fold a level's oldest changes into its opening balance, so that their days may leave the tables.

Order is by when a change happened, days are by when it was recorded, so no instant parts the two.
The rule is per level: the opening of a level whose day goes is at the newest instant of that day's
movements, and takes in *everything* that happened until then, whatever day it was recorded on. A
level's past is then its opening and what happened after it, all of which is still in the tables.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from services.ledger.domain.commitments import Book, Key, Kind, Line
from services.ledger.domain.past import Opening, Totals
from services.ledger.domain.recomputed import Differing, Recomputation, differing_lines
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


class Folding:
    """A level's opening on its way through its next movements.

    `demanded` are the references that the level has a demand for, whenever it was dated: what is
    used up by now counts for it. Without a line that none of the movements is about, the result
    lacks it as well.
    """

    def __init__(self, level: int, opening: Opening | None, demanded: Collection[str]) -> None:
        self._made = resumed(level, opening)
        self._made.note_only(demanded)
        self._demanded = frozenset(demanded)
        self._stored = frozenset() if opening is None else opening.lines.keys()
        self._recorded_until: datetime | None = opening and opening.recorded_until

    @property
    def lines(self) -> dict[Key, Line]:
        """The level's lines, those that the next movements are about among them."""
        return self._made.book.lines

    def take(self, movements: Sequence[Recorded]) -> None:
        """Go on through movements, in order, one at least."""
        self._made.take([each.change for each in movements])
        newest = max(each.recorded_at for each in movements)
        self._recorded_until = max(newest, self._recorded_until or newest)

    @property
    def opening(self) -> Opening | None:
        """The opening as it is after them; None where there never was a movement."""
        made, at = self._made, self._made.last_change_at
        if at is None or self._recorded_until is None:
            return None
        return Opening(
            at=at,
            recorded_until=self._recorded_until,
            movements=made.movements,
            standing=made.standing,
            totals=Totals(
                made.sold, made.sold_changes, made.returned, made.received, made.counted_at, at
            ),
            count_key=made.count_key,
            unordered=made.book.unordered.get(made.level, 0),
            lines={key: line for key, line in self.lines.items() if self._kept(key, line)},
        )

    def _kept(self, key: Key, line: Line) -> bool:
        """Return whether a line is stored; one that came to nothing again takes its own place."""
        return key.kind is not Kind.CONSUMPTION or (
            key.reference in self._demanded and (line != _NOTHING or key in self._stored)
        )


_NOTHING = Line()


def differing_openings(stored: Opening | None, made: Opening | None) -> Iterator[Differing]:
    """Yield where a level's stored opening is not what its movements make it."""
    if stored is None or made is None:
        if stored is not made:
            yield Differing("opening", stored, made)
        return
    fields: tuple[Mapping[str, object], ...] = (stored._asdict(), made._asdict())
    for name in fields[0].keys() - {"lines"}:
        if fields[0][name] != fields[1][name]:
            yield Differing(f"opening {name}", fields[0][name], fields[1][name])
    # What was used up counts for demands that were known when the opening took it in, so those
    # lines may be of more in the archive.
    mine, right = (
        {key: line for key, line in each.lines.items() if key.kind is not Kind.CONSUMPTION}
        for each in (stored, made)
    )
    for each in differing_lines(mine, right):
        yield each._replace(field=f"opening {each.field}")
