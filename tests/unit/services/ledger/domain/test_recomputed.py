"""What `verify` compares with and `rebuild` stores: the same as the differences have led to."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain.changes import Change, Type
from services.ledger.domain.commitments import Key, Kind, Line, demand_of, supply_of
from services.ledger.domain.past import in_order
from services.ledger.domain.recomputed import (
    Differing,
    Recomputation,
    State,
    differing_fields,
    differing_lines,
)
from tests.depth import examples
from tests.unit.services.ledger.cases import change
from tests.unit.services.ledger.domain.test_effects import LEVELS, Store, histories


def recomputed(level: int, past: list[Change], sizes: int) -> Recomputation:
    """Return a level made from its past, some changes at a time."""
    made = Recomputation(level)
    for start in range(0, len(past), sizes):
        made.take(past[start : start + sizes])
    return made


@settings(max_examples=examples(200), deadline=None)
@given(histories(), st.integers(1, 5))
def test_a_level_is_recomputed_as_its_differences_have_left_it(
    batches: list[list[Change]], sizes: int
) -> None:
    store = Store()
    for batch in batches:
        store.take(batch)
    for level in LEVELS:
        past = sorted((each for each in store.changes if each.level == level), key=in_order)
        made = recomputed(level, past, sizes)
        stored, lines = store.levels[level], made.lines
        assert made.state == State(
            *(stored.on_hand, stored.reserved, stored.unavailable, stored.incoming),
            *(stored.sold, stored.returned, stored.received),
            *(stored.sold_changes, stored.unordered),
            counted_at=stored.anchor.counted_at,
            count_key=stored.anchor.count_key,
            last_change_at=stored.anchor.last_change_at,
            intricate_until=stored.anchor.intricate_until,
            demanding=any(key.kind is Kind.DEMAND for key in lines),
            supply=tuple(supply_of(store.lines, level)),
            demand=tuple(demand_of(store.lines, level)),
        )
        own = {key: line for key, line in store.lines.items() if key.level == level}
        assert [*differing_lines(own, lines)] == []


def test_an_opening_stands_for_the_movements_before_it() -> None:
    past = [
        change(id="1", type=Type.COUNT, quantity=10, hour=1),
        change(id="2", type=Type.ORDER_PLACED, quantity=4, reference="order", hour=2),
        change(id="3", quantity=3, hour=3),
        change(id="4", type=Type.ORDER_FULFILLED, quantity=5, reference="order", hour=4),
    ]
    whole = recomputed(1, past, 4)
    opening = recomputed(1, past[:2], 2)
    onwards = replace(opening, movements=0)
    onwards.take(past[2:])
    assert (onwards.state, onwards.lines) == (whole.state, whole.lines)
    assert onwards.movements == 2


def test_differences_are_named_by_field_and_line() -> None:
    supply = Key(1, Kind.SUPPLY, "PO 1", "0")
    assert [*differing_fields(State(on_hand=4), State(on_hand=3))] == [Differing("on_hand", 4, 3)]
    assert [*differing_lines({supply: Line(9)}, {supply: Line(8)})] == [
        Differing("line supply PO 1 0", Line(9), Line(8))
    ]
    # A line of which nothing is known says as much as none.
    assert [*differing_lines({supply: Line()}, {})] == []
