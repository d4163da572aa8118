"""A level goes on from its opening as it would from its whole past, whatever was archived when."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from services.ledger.domain.changes import Change, Type
from services.ledger.domain.commitments import (
    Book,
    Key,
    Kind,
    Line,
    consumption_of,
    demand_of,
    demands,
    key_of,
)
from services.ledger.domain.counts import OlderCount, Stretch
from services.ledger.domain.effects import Effect, Entry
from services.ledger.domain.openings import Folding, resumed
from services.ledger.domain.past import Opening, in_order, now
from services.ledger.domain.statement import Past, Recorded, lines_of
from tests.depth import examples
from tests.unit.services.ledger.cases import NOON, change
from tests.unit.services.ledger.domain.test_effects import LEVELS, Store, histories, modelled


def advanced(
    opening: Opening | None, folded: Sequence[Recorded], demanded: Collection[str]
) -> Opening:
    """Return a level's opening after its next movements, taken in two portions."""
    folding = Folding(folded[0].change.level, opening, demanded)
    half = len(folded) // 2
    for some in (folded[:half], folded[half:]):
        if some:
            folding.take(some)
    assert folding.opening is not None
    return folding.opening


class Archiving(Store):
    """Records a batch a day, and can archive its oldest day; `changes` are not in openings yet."""

    def __init__(self) -> None:
        super().__init__()
        self.days: list[list[Change]] = []
        self.accepted: list[Recorded] = []
        self.unaware: set[int] = set()
        """Levels with a demand that was first told when an opening had what it used up."""

    @override
    def take(self, batch: Sequence[Change]) -> tuple[list[Entry], dict[int, Effect]]:
        taken = [
            each
            for each in batch
            if each.level not in self.openings or each.occurred_at > self.openings[each.level].at
        ]
        for each in taken:
            key = key_of(each)
            if demands(each) and key is not None:
                consumption = Key(key.level, Kind.CONSUMPTION, key.reference)
                if consumption not in self.lines and any(
                    consumption_of(other.change) == consumption and other.change not in self.changes
                    for other in self.accepted
                ):
                    self.unaware.add(each.level)
        recorded_at = NOON + timedelta(days=len(self.days) + len(self.accepted))
        self.days.append(taken)
        self.accepted += [Recorded(each, 0, False, recorded_at) for each in taken]
        return super().take(taken)

    @override
    def _stretch(self, older: OlderCount) -> Stretch:
        found, opening = super()._stretch(older), self.openings.get(older.level)
        if opening is None or found.counted_at is not None:
            return found
        return Stretch(opening.at, None, opening.standing.on_hand, found.moves)

    def archive(self) -> None:
        """Move openings on to the last that happened on the oldest day, which then goes."""
        day = self.days.pop(0)
        for level in {each.level for each in day}:
            opening = self.openings.get(level)
            until = max(each.occurred_at for each in day if each.level == level)
            if opening is None or opening.at < until:
                folded = self.past(level).movements
                folded = [each for each in folded if each.change.occurred_at <= until]
                self.openings[level] = advanced(opening, folded, self.demanded(level))
            self.changes = [
                each
                for each in self.changes
                if each.level != level or each.occurred_at > self.openings[level].at
            ]
        assert not any(each in self.changes for each in day)

    def demanded(self, level: int) -> set[str]:
        return {key.reference for key in self.lines if key[:2] == (level, Kind.DEMAND)}

    def past(self, level: int) -> Past:
        """Return what the tables have of a level."""
        kept = [each for each in self.accepted if each.change in self.changes]
        return Past(_of(kept, level), self.openings.get(level))


def _of(movements: Sequence[Recorded], level: int) -> list[Recorded]:
    return sorted(
        (each for each in movements if each.change.level == level),
        key=lambda each: in_order(each.change),
    )


@st.composite
def courses(draw: st.DrawFn) -> Archiving:
    """Return a ledger after batches, between which some days were archived."""
    ledger = Archiving()
    for batch in draw(histories()):
        ledger.take(batch)
        for _ in range(draw(st.integers(0, len(ledger.days)))):
            ledger.archive()
    return ledger


@settings(max_examples=examples(200), deadline=None)
@given(courses())
def test_a_level_goes_on_from_its_opening_as_from_its_whole_past(ledger: Archiving) -> None:
    for level in LEVELS:
        past, found = ledger.past(level), ledger.levels[level]
        accepted = _of(ledger.accepted, level)
        expected = modelled([each.change for each in accepted])
        if level in ledger.unaware:
            expected = replace(expected, demand=found.demand)
        assert found == expected
        if not past.movements and past.opening is None:
            continue
        made = resumed(level, past.opening)
        made.take(past.changes)
        state = made.state
        assert state[:8] == (
            *(found.on_hand, found.reserved, found.unavailable, found.incoming),
            *(found.sold, found.returned, found.received, found.sold_changes),
        )
        assert (state.counted_at, state.last_change_at) == (
            *(found.anchor.counted_at, found.anchor.last_change_at),
        )
        assert tuple(sorted(state.supply, key=str)) == found.supply
        assert tuple(sorted(state.demand, key=str)) == found.demand
        assert now(past.changes, past.opening) == made.standing
        whole = [*lines_of(resumed(level, None), accepted)]
        made = resumed(level, past.opening)
        half = len(past.movements) // 2
        parts = [*lines_of(made, past.movements[:half]), *lines_of(made, past.movements[half:])]
        assert parts == whole[len(whole) - len(past.movements) :]


@settings(max_examples=examples(100), deadline=None)
@given(courses())
def test_an_opening_moved_in_steps_is_that_of_all_its_movements_at_once(ledger: Archiving) -> None:
    for level, opening in ledger.openings.items():
        folded = [
            each for each in _of(ledger.accepted, level) if each.change.occurred_at <= opening.at
        ]
        at_once = advanced(None, folded, ledger.demanded(level))
        if level in ledger.unaware:
            at_once = at_once._replace(lines=opening.lines)
        assert said(opening) == said(at_once)


def test_a_demand_that_came_to_nothing_takes_the_place_of_what_was_stored() -> None:
    wanted = change(type=Type.DEMAND_EXPECTED, quantity=3, reference="o")
    dropped = change(type=Type.DEMAND_CANCELLED, hour=1, reference="o", id="2")
    opening: Opening | None = None
    for each in (wanted, dropped):
        opening = advanced(opening, [Recorded(each, 0, False, NOON)], {"o"})
    assert opening is not None
    assert opening.lines[Key(wanted.level, Kind.CONSUMPTION, "o")] == Line()


def said(opening: Opening) -> Opening:
    """Return an opening without the lines of demands that have used nothing up."""
    lines = {
        key: line
        for key, line in opening.lines.items()
        if key.kind is not Kind.CONSUMPTION or line.done
    }
    return opening._replace(lines=lines)


def test_a_demand_told_after_what_it_used_up_was_archived_starts_anew() -> None:
    ledger = Archiving()
    ledger.take([change(type=Type.SALE, id="s", reference="1", quantity=2)])
    ledger.archive()
    ledger.take([change(type=Type.DEMAND_EXPECTED, id="d", reference="1", quantity=5, hour=1)])
    (due,) = ledger.levels[1].demand
    assert due.quantity == 5
    assert ledger.past(1).opening is not None


def test_what_was_used_up_counts_for_a_demand_of_later_that_was_known() -> None:
    ledger = Archiving()
    ledger.take([change(type=Type.SALE, id="s", reference="1", quantity=2)])
    ledger.take([change(type=Type.DEMAND_EXPECTED, id="d", reference="1", quantity=5, hour=1)])
    ledger.archive()
    past, book = ledger.past(1), Book()
    now(past.changes, past.opening, book)
    (due,) = demand_of(book.lines, 1)
    assert due.quantity == 3
    assert len(past.movements) == 1
