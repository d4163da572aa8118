"""Promise 3: whatever the order of arrival and the batches, the levels are those of a plain model.

The model is written without regard for arrival: it sorts all changes by when they happened and
walks through them once.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain import past as past_module
from services.ledger.domain.changes import (
    DAMAGED,
    SOLD,
    Change,
    Type,
    content_hash,
    count_key,
    identity_hash,
)
from services.ledger.domain.commitments import (
    CONSUMING,
    Book,
    Due,
    Key,
    Kind,
    Line,
    consumption_of,
    demand_of,
    demands,
    key_of,
    supply_of,
)
from services.ledger.domain.counts import (
    CountState,
    Measure,
    OlderCount,
    Sheet,
    Stretch,
    Taken,
    Tolerance,
    older_counts,
)
from services.ledger.domain.effects import (
    Anchor,
    Effect,
    Entry,
    Known,
    apply,
    counts_of,
    late_counts,
    levels_asking,
    needing_standing,
)
from services.ledger.domain.past import Opening, Standing, in_order, tail, walk
from shared.events.stock_changes import Bucket
from tests.depth import examples
from tests.unit.services.ledger.cases import NOON, change

LEVELS = (1, 2)


@dataclass(frozen=True)
class Level:
    """What all arrivals must agree on."""

    on_hand: int = 0
    reserved: int = 0
    unavailable: int = 0
    incoming: int = 0
    sold: int = 0
    sold_changes: int = 0
    returned: int = 0
    received: int = 0
    anchor: Anchor = field(default_factory=Anchor)
    supply: tuple[Due, ...] = ()
    demand: tuple[Due, ...] = ()
    unordered: int = 0

    @property
    def available(self) -> int:
        return self.on_hand - max(self.reserved, 0) - self.unavailable

    def of(self, bucket: Bucket | None) -> int:
        named = {Bucket.UNAVAILABLE: self.unavailable, Bucket.AVAILABLE: self.available}
        return self.on_hand if bucket is None else named.get(bucket, self.on_hand)


MOVES = {
    Type.SALE: -1,
    Type.RETURN: 1,
    Type.RECEIPT: 1,
    Type.ADJUSTMENT: 1,
    Type.CONSUMED: -1,
    Type.PRODUCED: 1,
    Type.ORDER_FULFILLED: -1,
    Type.TRANSFER_SHIPPED: -1,
    Type.TRANSFER_RECEIVED: 1,
    Type.RESERVATION_FULFILLED: -1,
}

ENDING = (Type.ORDER_CANCELLED, Type.ORDER_FULFILLED, Type.RESERVATION_FULFILLED)


def promised(changes: Sequence[Change]) -> list[int]:
    """Return what each order is owed: never less than nothing, once placed or reserved."""
    owed = []
    for reference in {each.reference for each in changes}:
        own = [each for each in changes if each.reference == reference]
        placed, held = total(own, Type.ORDER_PLACED), total(own, Type.RESERVED)
        ended = total(own, *ENDING)
        left = max(placed, held - total(own, Type.RESERVATION_RELEASED)) - ended
        owed.append(max(0, left) if placed or held else -ended)
    return owed


def reserved_by(changes: Sequence[Change]) -> int:
    return sum(promised(changes))


def decided(changes: Sequence[Change], expected: Type, cancelled: Type) -> dict[str, Change]:
    """Return the last word on each line, of changes in order."""
    return {
        f"{each.reference}/{each.line}": each
        for each in changes
        if each.type in {expected, cancelled}
    }


def supplies(changes: Sequence[Change]) -> list[Due]:
    """Return what is open of supply and transfers, of changes in order."""
    due = []
    for line, last in decided(changes, Type.SUPPLY_EXPECTED, Type.SUPPLY_CANCELLED).items():
        received = sum(
            each.quantity
            for each in changes
            if each.type is Type.RECEIPT and f"{each.reference}/{each.line}" == line
        )
        ordered = last.quantity if last.type is Type.SUPPLY_EXPECTED else 0
        due.append(Due(ordered - received, last.eta, last.reference or ""))
    for reference in {each.reference for each in changes}:
        own = [each for each in changes if each.reference == reference]
        shipped = [each for each in own if each.type is Type.TRANSFER_ARRIVING]
        received = sum(each.quantity for each in own if each.type is Type.TRANSFER_RECEIVED)
        dates = [each.eta for each in shipped if each.eta is not None]
        left = sum(each.quantity for each in shipped) - received
        due.append(Due(left, max(dates, default=None), reference or ""))
    return [each for each in due if each.quantity > 0]


def needs(changes: Sequence[Change]) -> list[Due]:
    """Return what is open of demand, of changes in order."""
    due = []
    used: dict[str | None, int] = {}
    for each in changes:
        if each.type in CONSUMING and each.reference:
            used[each.reference] = used.get(each.reference, 0) + each.quantity
    last = decided(changes, Type.DEMAND_EXPECTED, Type.DEMAND_CANCELLED).values()
    expected = [each for each in last if each.type is Type.DEMAND_EXPECTED]
    for each in sorted(expected, key=lambda each: (each.eta or NOON, each.line)):
        covered = min(each.quantity, used.get(each.reference, 0))
        used[each.reference] = used.get(each.reference, 0) - covered
        due.append(Due(each.quantity - covered, each.eta, each.reference or ""))
    return [each for each in due if each.quantity > 0]


def total(changes: Sequence[Change], *types: Type) -> int:
    return sum(each.quantity for each in changes if each.type in types)


def counted(count: Change, on_hand: int, reserved: int, unavailable: int) -> tuple[int, int]:
    """Return what is on hand and unavailable after a count."""
    match count.bucket:
        case Bucket.UNAVAILABLE:
            return on_hand, count.quantity
        case Bucket.AVAILABLE:
            return count.quantity + reserved + unavailable, unavailable
        case _:
            return count.quantity, unavailable


def modelled(changes: Sequence[Change]) -> Level:
    """Return a level by definition: its changes in order of when they happened."""
    on_hand = unavailable = 0
    anchor = Anchor()
    ordered = sorted(
        changes,
        key=lambda each: (
            each.occurred_at,
            each.type is Type.COUNT,
            each.channel,
            each.id,
            each.line,
        ),
    )
    for index, each in enumerate(ordered):
        if each.type is Type.COUNT:
            reserved = max(0, reserved_by(ordered[:index]))
            on_hand, unavailable = counted(each, on_hand, reserved, unavailable)
            if each.bucket is not Bucket.UNAVAILABLE:
                anchor = anchor._replace(counted_at=each.occurred_at, count_key=count_key(each))
            if each.bucket is not None:
                anchor = anchor._replace(intricate_until=each.occurred_at)
        on_hand += MOVES.get(each.type, 0) * each.quantity
        if each.type is Type.HOLD or each.reason == DAMAGED:
            unavailable += each.quantity
        if each.type is Type.RELEASE:
            unavailable -= each.quantity
        anchor = anchor._replace(last_change_at=each.occurred_at)
    supply, demand = supplies(ordered), needs(ordered)
    return Level(
        on_hand=on_hand,
        reserved=reserved_by(ordered),
        unavailable=unavailable,
        incoming=sum(each.quantity for each in supply),
        sold=total(ordered, *SOLD),
        sold_changes=sum(each.type in SOLD and each.quantity > 0 for each in ordered),
        returned=total(ordered, Type.RETURN),
        received=total(ordered, Type.RECEIPT),
        anchor=anchor,
        supply=tuple(sorted(supply, key=str)),
        demand=tuple(sorted(demand, key=str)),
        unordered=-sum(min(0, owed) for owed in promised(ordered)),
    )


class Store:
    """What the database is to `apply`: sums, anchors, lines, and all changes so far."""

    def __init__(self, measure: Measure | None = None) -> None:
        self.levels = dict.fromkeys(LEVELS, Level())
        self.changes: list[Change] = []
        self.taken: list[Taken] = []
        self.measure = measure or Measure()
        self.approves = False
        """Whether counts are of those that somebody has approved."""
        self.lines: dict[Key, Line] = {}
        self.openings: dict[int, Opening] = {}

    def take(self, batch: Sequence[Change]) -> tuple[list[Entry], dict[int, Effect]]:
        anchors = {level: self.levels[level].anchor for level in LEVELS}
        later = {
            count: sum(
                MOVES.get(each.type, 0) * each.quantity
                for each in self.changes
                if each.level == count.level and each.occurred_at > count.occurred_at
            )
            for count in late_counts(counts_of(batch), anchors)
        }
        newest = {level: each.newest_count for level, each in anchors.items()}
        stretches = {
            older: self._stretch(older) for older in older_counts(counts_of(batch), newest)
        }
        asking = levels_asking(batch, anchors)
        held = {each.level for each in needing_standing(batch)} | asking
        known = Known(
            standing={
                level: Standing(each.on_hand, each.reserved, each.unavailable)
                for level, each in self.levels.items()
                if level in held
            },
            later=later,
            past={
                level: tail(
                    sorted((each for each in self.changes if each.level == level), key=in_order),
                    self.openings.get(level),
                    min(each.occurred_at for each in batch if each.level == level),
                )
                for level in asking
            },
            book=self._book(batch),
            sheet=Sheet(dict.fromkeys(LEVELS, self.measure), stretches, self.approves),
            demanding={key.level for key in self.lines if key.kind is Kind.DEMAND}
            | {each.level for each in batch if demands(each)},
        )
        entries, effects = apply(batch, anchors, known)
        self.taken += known.sheet.taken
        self.add(entries, effects, known.book)
        return entries, effects

    def add(self, entries: Sequence[Entry], effects: dict[int, Effect], book: Book) -> None:
        self.lines |= book.lines
        for level, effect in effects.items():
            before = self.levels[level]
            self.levels[level] = Level(
                before.on_hand + effect.on_hand,
                before.reserved + effect.reserved,
                before.unavailable + effect.unavailable,
                before.incoming + effect.incoming,
                before.sold + effect.sold,
                before.sold_changes + effect.sold_changes,
                before.returned + effect.returned,
                before.received + effect.received,
                effect.anchor,
                tuple(sorted(supply_of(self.lines, level), key=str)),
                tuple(sorted(demand_of(self.lines, level), key=str)),
                before.unordered + book.unordered.get(level, 0),
            )
        self.changes += [entry.change for entry in entries]

    def _stretch(self, older: OlderCount) -> Stretch:
        """Return what is stored between the count before another one and that one."""
        past = [each for each in self.changes if each.level == older.level]
        counts = [
            (each.occurred_at, count_key(each), each.quantity)
            for each in past
            if each.type is Type.COUNT and (each.occurred_at, count_key(each)) < older[1:]
        ]
        base = max(counts, default=None)
        moves = [
            (each.occurred_at, MOVES.get(each.type, 0) * each.quantity)
            for each in past
            if each.occurred_at <= older.occurred_at
            and (base is None or each.occurred_at > base[0])
        ]
        return Stretch(moves=moves) if base is None else Stretch(*base, moves=moves)

    def _book(self, batch: Sequence[Change]) -> Book:
        book = Book(dict(self.lines))
        for each in batch:
            key = key_of(each)
            if key is None or key.kind is not Kind.DEMAND:
                continue
            used = Key(key.level, Kind.CONSUMPTION, key.reference)
            if used not in book.lines:
                done = sum(
                    other.quantity for other in self.changes if consumption_of(other) == used
                )
                book.lines[used] = Line(done=done)
        return book


NAMED = {
    type_
    for type_ in Type
    if type_.name.partition("_")[0] in {"ORDER", "SUPPLY", "DEMAND", "RESERVED", "RESERVATION"}
}
DUE = {Type.SUPPLY_EXPECTED, Type.DEMAND_EXPECTED, Type.TRANSFER_ARRIVING}

# Few instants, channels and ids: ties at one instant, and among counts, are the rule.
hours = st.integers(0, 4)
identities = st.lists(
    st.tuples(
        st.sampled_from(["shop", "shop 2", "till"]),
        st.sampled_from(["1", "10", "1 0", "é", "货"]),
        st.sampled_from(["0", "1"]),
    ),
    unique=True,
    max_size=14,
)


@st.composite
def histories(draw: st.DrawFn, types: Sequence[Type] = tuple(Type)) -> list[list[Change]]:
    """Return changes of some types in some order of arrival, split into batches."""
    made = []
    for channel, id_, line in draw(identities):
        type_ = draw(st.sampled_from(types))
        match type_:
            case Type.COUNT:
                quantity = draw(st.integers(0, 30))
            case Type.ADJUSTMENT:
                quantity = draw(st.integers(-9, 9).filter(bool))
            case Type.SUPPLY_EXPECTED | Type.DEMAND_EXPECTED:
                quantity = draw(st.integers(0, 9))
            case _:
                quantity = draw(st.integers(1, 9))
        made.append(
            change(
                level=draw(st.sampled_from(LEVELS)),
                type=type_,
                quantity=quantity,
                hour=draw(hours),
                channel=channel,
                id=id_,
                line=line,
                reason=draw(st.sampled_from([None, DAMAGED])) if type_ is Type.RETURN else None,
                reference=draw(
                    st.sampled_from(["1", "2"]) if type_ in NAMED else st.sampled_from([None, "1"])
                ),
                bucket=draw(st.sampled_from([None, None, *Bucket]))
                if type_ is Type.COUNT
                else None,
                due=draw(st.sampled_from([1, 2])) if type_ in DUE else None,
            )
        )
    arrived = draw(st.permutations(made))
    batches: list[list[Change]] = []
    while arrived:
        size = draw(st.integers(1, len(arrived)))
        batches.append(list(arrived[:size]))
        arrived = arrived[size:]
    return batches


@settings(max_examples=examples(80), deadline=None)
@given(histories())
def test_any_order_of_arrival_and_any_batches_give_the_level_of_the_model(
    batches: list[list[Change]],
) -> None:
    store = Store()
    for batch in batches:
        store.take(batch)
    for level in LEVELS:
        assert store.levels[level] == modelled(
            [each for each in store.changes if each.level == level]
        )


@pytest.mark.parametrize(
    ("shipped", "cancelled", "left"), [(2, 3, 0), (2, 1, 2), (3, 0, 2), (3, 3, 0), (0, 3, 2)]
)
def test_lines_of_one_sku_in_an_order_are_one_promise_whichever_is_shipped_or_cancelled(
    shipped: int, cancelled: int, left: int
) -> None:
    told = [
        change(id="p", line="1", type=Type.ORDER_PLACED, quantity=2, reference="7"),
        change(id="p", line="2", type=Type.ORDER_PLACED, quantity=3, reference="7"),
        change(id="other", type=Type.ORDER_PLACED, quantity=10, reference="8"),
        change(id="f", line="1", type=Type.ORDER_FULFILLED, quantity=shipped, reference="7"),
        change(id="c", line="2", type=Type.ORDER_CANCELLED, quantity=cancelled, reference="7"),
    ]
    for arrived in itertools.permutations([each for each in told if each.quantity]):
        store = Store()
        for each in arrived:
            store.take([each])
        level = store.levels[1]
        assert (level.on_hand, level.reserved) == (-shipped, 10 + left)
        assert level.unordered == 0


COUNTED_TOGETHER = (
    *(Type.COUNT, Type.COUNT, Type.HOLD, Type.RELEASE, Type.SALE),
    *(Type.ORDER_PLACED, Type.ORDER_CANCELLED, Type.RETURN),
)
"""What counts of anything but on hand depend on, such counts, and what they do not depend on."""


@settings(max_examples=examples(150), deadline=None)
@given(histories(COUNTED_TOGETHER))
def test_counts_of_other_things_mean_the_same_whatever_is_told_after_them(
    batches: list[list[Change]],
) -> None:
    store = Store()
    for batch in batches:
        store.take(batch)
    for level in LEVELS:
        assert store.levels[level] == modelled(
            [each for each in store.changes if each.level == level]
        )


@settings(max_examples=examples(40), deadline=None)
@given(histories())
def test_a_walk_through_the_past_ends_where_the_differences_have_led(
    batches: list[list[Change]],
) -> None:
    store = Store()
    for batch in batches:
        store.take(batch)
    for level in {each.level for each in store.changes}:
        book = Book()
        past = sorted((each for each in store.changes if each.level == level), key=in_order)
        *_, last = walk(past, book)
        found = store.levels[level]
        assert last == Standing(found.on_hand, found.reserved, found.unavailable, found.incoming)
        assert tuple(sorted(supply_of(book.lines, level), key=str)) == found.supply
        assert tuple(sorted(demand_of(book.lines, level), key=str)) == found.demand


@settings(max_examples=examples(40), deadline=None)
@given(histories())
def test_low_is_the_smallest_available_that_the_changes_of_a_batch_passed_through(
    batches: list[list[Change]],
) -> None:
    store = Store()
    for batch in batches:
        passed: dict[int, list[int]] = {}
        for index, each in enumerate(batch):
            known = [
                other for other in store.changes + batch[: index + 1] if other.level == each.level
            ]
            passed.setdefault(each.level, []).append(modelled(known).available)
        before = {level: store.levels[level].available for level in LEVELS}
        _, effects = store.take(batch)
        assert {level: before[level] + (effect.low or 0) for level, effect in effects.items()} == {
            level: min(all_available) for level, all_available in passed.items()
        }


@settings(max_examples=examples(40), deadline=None)
@given(histories())
def test_what_entries_applied_adds_up_to_what_is_on_hand(batches: list[list[Change]]) -> None:
    store = Store()
    applied = dict.fromkeys(LEVELS, 0)
    for batch in batches:
        for entry in store.take(batch)[0]:
            applied[entry.change.level] += entry.applied
    assert applied == {level: store.levels[level].on_hand for level in LEVELS}


@settings(max_examples=examples(40), deadline=None)
@given(histories())
def test_late_means_that_something_newer_of_the_level_had_arrived(
    batches: list[list[Change]],
) -> None:
    store = Store()
    newest: dict[int, datetime] = {}
    for batch in batches:
        for each, _, late in store.take(batch)[0]:
            assert late == (each.occurred_at < newest.get(each.level, each.occurred_at))
            newest[each.level] = max(each.occurred_at, newest.get(each.level, each.occurred_at))


@settings(max_examples=150, deadline=None)
@given(histories() | histories(COUNTED_TOGETHER))
def test_what_is_expected_of_a_count_is_what_was_there_before_it_as_known_then(
    batches: list[list[Change]],
) -> None:
    store = Store()
    expected = []
    arrived: list[Change] = []
    for each in (each for batch in batches for each in batch):
        before = [
            other
            for other in arrived
            if other.level == each.level and in_order(other) < in_order(each)
        ]
        if each.type is Type.COUNT:
            expected.append((each.hash, modelled(before).of(each.bucket)))
        arrived.append(each)
    for batch in batches:
        store.take(batch)
    assert [(taken.change.hash, taken.expected) for taken in store.taken] == expected
    assert all(taken.state is CountState.APPLIED for taken in store.taken)
    assert all(taken.within == (taken.expected == taken.change.quantity) for taken in store.taken)


@settings(max_examples=150, deadline=None)
@given(histories() | histories(COUNTED_TOGETHER), st.data())
def test_a_count_that_waits_moves_nothing_until_it_is_approved_and_a_machines_never_waits(
    batches: list[list[Change]], data: st.DataObject
) -> None:
    store = Store(Measure(Tolerance(units=3)))
    for batch in batches:
        people = [
            each._replace(actor=data.draw(st.sampled_from([None, "", "li"]))) for each in batch
        ]
        store.take(people)
    counts = {taken.change.hash: taken for taken in store.taken}
    for each in store.changes:
        assert each.hash in counts or each.type is not Type.COUNT
        taken = counts.get(each.hash)
        if taken is None:
            continue
        far = abs(each.quantity - taken.expected) > 3
        assert taken.within is not far
        assert (taken.state is not CountState.APPLIED) == (far and each.actor == "li")
        assert (each.type is Type.COUNT) == (taken.state is CountState.APPLIED)
    for level in LEVELS:
        own = [each for each in store.changes if each.level == level]
        assert store.levels[level] == modelled(own)
    waiting = [taken.change for taken in store.taken if taken.state is CountState.WAITING]
    known = len(store.taken)
    store.approves = True
    for each in data.draw(st.permutations(waiting)):
        store.take([each])
        own = [other for other in store.changes if other.level == each.level]
        assert store.levels[each.level] == modelled(own)
    assert len(store.taken) == known


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    ("waiting", "newer", "is_settled"),
    [
        (None, None, True),
        (None, "available", True),
        ("available", None, True),
        ("available", "available", True),
        ("unavailable", "unavailable", True),
        (None, "unavailable", False),
        ("available", "unavailable", False),
        ("unavailable", None, False),
        ("unavailable", "available", False),
    ],
)
def test_a_count_that_would_wait_is_settled_by_a_newer_one_that_sets_the_same(
    first: int, waiting: str | None, newer: str | None, *, is_settled: bool
) -> None:
    both = [
        change(id="person", type=Type.COUNT, quantity=40, hour=1, bucket=waiting, actor="li"),
        change(id="machine", type=Type.COUNT, quantity=12, hour=2, bucket=newer),
    ]
    store = Store(Measure(Tolerance(units=3)))
    for each in (both[first], both[1 - first]):
        store.take([each])
    states = {taken.change.id: taken.state for taken in store.taken}
    # What waits already is settled by the store, in the transaction of the newer one.
    settled = first and is_settled
    assert states["person"] is (CountState.SUPERSEDED if settled else CountState.WAITING)
    assert store.levels[1] == modelled(both[1:])


@pytest.mark.parametrize("first", [0, 1])
def test_a_change_at_the_instant_of_a_count_is_contained_in_it(first: int) -> None:
    both = [
        change(id="sale", quantity=3, hour=1),
        change(id="count", type=Type.COUNT, quantity=10, hour=1),
    ]
    store = Store()
    for each in (both[first], both[1 - first]):
        store.take([each])
    assert store.levels[1].on_hand == 10
    assert store.levels[1].sold == 3


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_counts_at_one_instant_the_later_identity_holds(first: int) -> None:
    both = [
        change(id="1", type=Type.COUNT, quantity=4, hour=1),
        change(id="1 0", type=Type.COUNT, quantity=7, hour=1),
    ]
    store = Store()
    for each in (both[first], both[1 - first]):
        store.take([each])
    assert store.levels[1].on_hand == 7


def test_a_count_does_not_mask_damage() -> None:
    store = Store()
    store.take([change(id="count", type=Type.COUNT, quantity=10, hour=2)])
    store.take([change(id="back", type=Type.RETURN, quantity=2, hour=1, reason=DAMAGED)])
    assert (store.levels[1].on_hand, store.levels[1].unavailable) == (10, 2)


def test_a_late_count_keeps_what_was_sold_after_it() -> None:
    store = Store()
    store.take([change(id="receipt", type=Type.RECEIPT, quantity=10)])
    store.take([change(id="sale", quantity=4, hour=2)])
    (entry,), effects = store.take([change(id="count", type=Type.COUNT, quantity=8, hour=1)])
    assert store.levels[1].on_hand == 8 - 4
    assert (entry.applied, entry.late) == (-2, True)
    assert effects[1].counted_at == NOON + timedelta(hours=1)


NOTHING = Standing()


class Walked:
    """How many steps were walked through pasts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps = 0
        monkeypatch.setattr(past_module, "walk", self._walk)

    def _walk(
        self, past: Iterable[Change], book: Book | None, opening: Standing = NOTHING
    ) -> Iterator[Standing]:
        for standing in walk(past, book, opening):
            self.steps += 1
            yield standing


def long_course() -> Store:
    """Return a level that had 2,000 orders, and once a count of what is available."""
    store = Store()
    store.take(
        [
            change(id=f"o{n}", type=Type.ORDER_FULFILLED, reference=f"{n % 7}", hour=n)
            for n in range(2_000)
        ]
    )
    store.take([change(id="c", type=Type.COUNT, bucket="available", quantity=90, hour=2_000)])
    return store


def test_a_count_of_what_is_available_makes_nothing_slower_that_happens_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, walked = long_course(), Walked(monkeypatch)
    store.take(
        [
            change(id=f"n{n}", type=type_, reference=f"n{n}", hour=2_001 + n)
            for n in range(50)
            for type_ in (Type.SALE, Type.HOLD, Type.ORDER_PLACED)
        ]
    )
    assert walked.steps == 0
    assert store.levels[1] == modelled(store.changes)


def test_what_is_late_and_no_count_depends_on_asks_no_past(monkeypatch: pytest.MonkeyPatch) -> None:
    store, walked = long_course(), Walked(monkeypatch)
    kinds = (Type.SALE, Type.RETURN, Type.RECEIPT)
    store.take(
        [
            change(id=f"{kind} {n}", type=kind, reference=f"l{n}", hour=1_990)
            for n in range(50)
            for kind in kinds
        ]
    )
    assert walked.steps == 0
    assert store.levels[1] == modelled(store.changes)


def test_late_orders_before_such_a_count_walk_through_its_past_but_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, walked = long_course(), Walked(monkeypatch)
    late = [
        change(id=f"l{n}", type=Type.ORDER_PLACED, reference=f"l{n}", hour=1_990) for n in range(50)
    ]
    store.take(late)
    assert walked.steps < 3 * 2_000
    assert store.levels[1] == modelled(store.changes)


def test_repeats_have_the_same_identity_but_parts_of_it_never_run_together() -> None:
    assert identity_hash("a", "b", "c") == identity_hash("a", "b", "c")
    told = [("ab", "c", "d"), ("a", "bc", "d"), ("a", "b", "cd"), ("", "abc", "d"), ("d", "c", "b")]
    assert len({identity_hash(*each) for each in told}) == len(told)


def test_content_tells_an_empty_text_from_none_and_neighbours_apart() -> None:
    told = [
        ("sale", "A", "W", 1, None, None),
        ("sale", "A", "W", 1, "", None),
        ("sale", "A", "W", 1, None, ""),
        ("sale", "A", "W", 1, "-", None),
        ("sale", "A", "W", 1, "x", "y"),
        ("sale", "A", "W", 1, "xy", None),
        ("sale", "AW", "", 1, None, None),
        ("sale", "A", "W1", 1, None, None),
        ("sale", "A", "W", 11, None, None),
        ("sale", "A", "W", -1, None, None),
        ("return", "A", "W", 1, None, None),
    ]
    assert len({content_hash(*each) for each in told}) == len(told)
    assert all(0 <= content_hash(*each) < 2**63 for each in told)
