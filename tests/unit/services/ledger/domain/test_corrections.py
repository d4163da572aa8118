"""What late changes say of the past, and that whoever adds it up never thinks it was better."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from services.alerting.domain.trough import Trough, begun, deepened
from services.ledger.domain.changes import DAMAGED, Change, Type
from services.ledger.domain.counts import Measure, Tolerance
from services.ledger.domain.effects import Correction, Effect
from services.ledger.domain.past import in_order, walk
from shared.events.stock_levels import Correction as Told
from tests.depth import examples
from tests.unit.services.alerting.cases import AtLevel
from tests.unit.services.ledger.cases import NOON, change
from tests.unit.services.ledger.domain.test_effects import LEVELS, Store, histories

HOUR = timedelta(hours=1)


def correction(*changes: Change) -> Correction | None:
    """Return what the last of changes, each in a batch of its own, says of the past."""
    store = Store()
    *before, last = changes
    for each in before:
        store.take([each])
    return store.take([last])[1][1].corrected


FOUR_WEEKS = 28 * 24
SOLD = change(id="sold", hour=2)
COUNTED = change(id="counted", type=Type.COUNT, quantity=5, hour=3)


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        ({"type": Type.RECEIPT, "quantity": 40}, Correction(NOON + HOUR, 40)),
        ({"type": Type.RELEASE, "quantity": 3}, Correction(NOON + HOUR, 3)),
        ({"type": Type.SALE, "quantity": 3}, Correction(None, 0, 3)),
        ({"type": Type.HOLD, "quantity": 3}, Correction(None, 0, 3)),
        ({"type": Type.ORDER_PLACED, "quantity": 3, "reference": "1"}, Correction(None, 0, 3)),
        ({"type": Type.COUNT, "quantity": 9}, Correction(NOON + HOUR, 9)),
        ({"type": Type.RETURN, "quantity": 3, "reason": DAMAGED}, None),
        ({"type": Type.SUPPLY_EXPECTED, "quantity": 3, "reference": "1"}, None),
    ],
)
def test_a_late_change_says_what_it_makes_of_the_past(
    late: dict[str, object], expected: Correction | None
) -> None:
    assert correction(SOLD, change(id="late", hour=1, **late)) == expected


def test_what_comes_in_order_says_nothing() -> None:
    assert correction(SOLD, change(id="2", type=Type.RECEIPT, quantity=40, hour=2)) is None


def test_what_a_newer_count_contains_raises_nothing_and_lowers_what_was_before_it() -> None:
    receipt = change(id="late", type=Type.RECEIPT, quantity=40, hour=1)
    assert correction(SOLD, COUNTED, receipt) is None
    sale = change(id="late", quantity=4, hour=1)
    assert correction(SOLD, COUNTED, sale) == Correction(None, 0, 4)


def test_an_older_count_leaves_open_what_was() -> None:
    older = change(id="older", type=Type.COUNT, quantity=1, hour=1)
    assert correction(SOLD, COUNTED, older) == Correction(lowered=None)


def test_a_late_count_that_waits_says_nothing_before_it_is_approved() -> None:
    store = Store(Measure(Tolerance(units=3)))
    store.take([SOLD])
    late = change(id="late", type=Type.COUNT, bucket="available", quantity=9, hour=1, actor="li")
    assert store.take([late])[1][1].corrected is None
    store.approves = True
    assert store.take([late])[1][1].corrected == Correction(lowered=None)


def test_the_late_changes_of_a_batch_add_up_and_the_newest_dates_them() -> None:
    store = Store()
    store.take([SOLD])
    _, effects = store.take(
        [
            change(id="a", type=Type.RECEIPT, quantity=40, hour=1),
            change(id="b", type=Type.RECEIPT, quantity=2, hour=0),
            change(id="c", quantity=3, hour=0),
            change(id="d", quantity=7, hour=3),
        ]
    )
    assert effects[1].corrected == Correction(NOON + HOUR, 42, 3)


@settings(max_examples=examples(100), deadline=None)
@given(histories(), st.integers(0, 3))
def test_at_its_lowest_as_known_a_level_never_was_lower_than_is_said(
    batches: list[list[Change]], first: int
) -> None:
    store = Store()
    troughs: dict[int, Trough] = {}
    for number, batch in enumerate(batches):
        before = {level: store.levels[level].available for level in LEVELS}
        _, effects = store.take(batch)
        for level, effect in effects.items():
            told = _told(store, level, before[level], effect)
            if level in troughs:
                troughs[level] = deepened(troughs[level], told, gap=False)
            elif number >= first:
                troughs[level] = begun(told)
    for level, trough in troughs.items():
        own = [each for each in store.changes if each.level == level]
        event(f"known: {trough.known is not None}, corrected: {trough.was_corrected}")
        if trough.known is not None:
            assert trough.known <= _lowest_since(own, trough)


@pytest.mark.parametrize(
    ("kind", "hours_late", "expected"),
    [
        (Type.SALE, FOUR_WEEKS, Correction(None, 0, 3)),
        (Type.SALE, FOUR_WEEKS + 1, Correction(None, 0, 3, 3)),
        (Type.HOLD, FOUR_WEEKS + 1, Correction(None, 0, 3)),
    ],
)
def test_what_was_sold_long_ago_is_told_apart(
    kind: Type, hours_late: int, expected: Correction
) -> None:
    late = change(id="late", type=kind, quantity=3, hour=2 - hours_late)
    assert correction(SOLD, late) == expected


def test_what_was_sold_long_ago_adds_up_in_a_batch() -> None:
    store = Store()
    old = [change(id=str(each), quantity=3, hour=each - 2 * FOUR_WEEKS) for each in range(2)]
    _, effects = store.take([SOLD, *old])
    assert (effects[1].sold, effects[1].corrected) == (7, Correction(None, 0, 6, 6))


def _told(store: Store, level: int, before: int, effect: Effect) -> AtLevel:
    corrected = effect.corrected
    assert effect.last_change_at is not None
    return AtLevel(
        available=store.levels[level].available,
        low_water=before + (effect.low or 0),
        last_change_at=effect.last_change_at,
        corrected=None if corrected is None else Told(**corrected._asdict()),  # type: ignore[arg-type] # has the fields
    )


def _lowest_since(own: Sequence[Change], trough: Trough) -> int:
    """Return the smallest available from an instant on, as all changes have it."""
    past = sorted(own, key=in_order)
    at_end_of = {
        each.occurred_at: standing.available
        for each, standing in zip(past, walk(past), strict=True)
    }
    since = max(at for at in at_end_of if at <= trough.since)
    return min(units for at, units in at_end_of.items() if at >= since)
