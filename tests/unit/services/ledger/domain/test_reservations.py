"""Promise 4 whatever channels report meanwhile: no oversell, and an order is consumed once."""

from copy import copy
from dataclasses import replace
from datetime import timedelta
from typing import Literal, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.ledger.domain.changes import Type
from services.ledger.domain.commitments import Book, Kind, open_of
from services.ledger.domain.effects import Known
from services.ledger.domain.past import Standing, in_order, walk
from services.ledger.domain.reservations import (
    Decisions,
    Ended,
    Fulfil,
    Lack,
    LockedLevel,
    Outcome,
    Release,
    Request,
    Reservation,
    Reserve,
    State,
    Wanted,
)
from tests.depth import examples
from tests.unit.services.ledger.cases import NOON, change
from tests.unit.services.ledger.domain.test_effects import LEVELS, Store

PLACES = {level: (f"SKU {level}", "W") for level in LEVELS}


class Shop:
    """Levels with what channels report of them, and reservations as the tables keep them."""

    def __init__(self, **on_hand: int) -> None:
        self.store = Store()
        self.reservations: dict[str, Reservation] = {}
        self.clock = NOON
        self.number = 0
        for level in LEVELS:
            self.report(Type.COUNT, None, on_hand.get(f"of_{level}", 10), level=level)

    def report(self, type_: Type, reference: str | None, quantity: int, *, level: int = 1) -> None:
        self.number += 1
        self.clock += timedelta(minutes=1)
        told = change(
            id=f"{self.number}", type=type_, reference=reference, quantity=quantity, level=level
        )
        self.store.take([told._replace(occurred_at=self.clock, received_at=self.clock)])

    def ask(self, *requests: Request) -> list[Outcome]:
        """Decide requests in one transaction."""
        decisions = self._decisions()
        outcomes = [decisions.decide(each) for each in requests]
        self._keep(decisions)
        return outcomes

    def reserve(
        self, quantity: int, reference: str | None = None, *, level: int = 1
    ) -> Reservation | tuple[Lack, ...]:
        self.number += 1
        wanted = (Wanted("0", *PLACES[level], quantity),)
        asked = Reserve(f"R{self.number}", wanted, reference, timedelta(hours=1), "shop")
        (outcome,) = self.ask(asked)
        assert isinstance(outcome, Reservation | tuple)
        return cast("Reservation | tuple[Lack, ...]", outcome)

    def held(self, quantity: int, reference: str | None = None) -> Reservation:
        made = self.reserve(quantity, reference)
        assert isinstance(made, Reservation)
        return made

    def end(self, id_: str, how: Literal["fulfil", "release", "expire"]) -> State:
        if how == "expire":
            decisions = self._decisions()
            decisions.expire(self.reservations[id_])
            self._keep(decisions)
            return self.reservations[id_].state
        (outcome,) = self.ask(Fulfil(id_, "shop") if how == "fulfil" else Release(id_, "shop"))
        ended = self.reservations[id_]
        is_shipped = how == "release" and ended.state is State.FULFILLED
        assert outcome == (Ended(ended) if is_shipped else ended)
        return ended.state

    def standing(self, level: int = 1) -> Standing:
        found = self.store.levels[level]
        return Standing(found.on_hand, found.reserved, found.unavailable)

    def promised(self, level: int) -> dict[str, int]:
        """Return what is promised by reference, never less than nothing."""
        return {
            key.reference: max(0, open_of(key.kind, line))
            for key, line in self.store.lines.items()
            if key.kind is Kind.ORDER and key.level == level
        }

    def free(self, level: int) -> int:
        """Return what nobody was promised."""
        found = self.store.levels[level]
        return found.on_hand - found.unavailable - sum(self.promised(level).values())

    def _decisions(self) -> Decisions:
        self.clock += timedelta(minutes=1)
        levels = {
            PLACES[level]: LockedLevel(
                level, 0, self.standing(level), found.unordered, found.anchor, demanding=False
            )
            for level, found in self.store.levels.items()
        }
        known = Known(
            standing={each.id: each.standing for each in levels.values()},
            book=Book(dict(self.store.lines)),
        )
        return Decisions(levels, known, dict(self.reservations), self.clock)

    def _keep(self, decisions: Decisions) -> None:
        self.store.add(decisions.entries, decisions.effects, decisions.known.book)
        for each in decisions.made + decisions.ended:
            self.reservations[each.id] = each
        for match in decisions.matches:
            for each in self.reservations.values():
                if each.state is State.HELD:
                    lines = tuple(match.taken_off(line) for line in each.lines)
                    self.reservations[each.id] = replace(each, lines=lines)


def test_the_lines_of_one_request_are_summed_before_they_are_checked() -> None:
    shop = Shop(of_1=5, of_2=2)
    wanted = (
        Wanted("0", *PLACES[1], 3),
        Wanted("1", *PLACES[2], 4),
        Wanted("2", *PLACES[1], 3),
    )
    (outcome,) = shop.ask(Reserve("R", wanted, None, timedelta(hours=1), "shop"))
    assert outcome == (
        Lack(("0", "2"), *PLACES[1], 6, 5, 1),
        Lack(("1",), *PLACES[2], 4, 2, 2),
    )
    assert shop.standing().reserved == 0


def test_requests_of_one_transaction_see_each_other() -> None:
    shop = Shop(of_1=5)

    def asked(id_: str, quantity: int) -> Reserve:
        return Reserve(id_, (Wanted("0", *PLACES[1], quantity),), None, timedelta(hours=1), "shop")

    outcomes = shop.ask(
        asked("R1", 3), asked("R2", 3), Release("R1", "shop"), asked("R3", 5), Fulfil("R3", "shop")
    )
    assert [isinstance(each, Reservation) for each in outcomes] == [True, False, True, True, True]
    assert shop.standing() == Standing(0, 0, 0)


@pytest.mark.parametrize("placed_first", [True, False])
def test_an_order_and_its_reservation_are_one_promise(placed_first: bool) -> None:
    shop = Shop(of_1=3)
    if placed_first:
        shop.report(Type.ORDER_PLACED, "order", 3)
        held = shop.held(3, "order")
    else:
        held = shop.held(3, "order")
        shop.report(Type.ORDER_PLACED, "order", 3)
    assert shop.standing() == Standing(3, 3, 0)
    assert isinstance(shop.reserve(1), tuple)
    shop.end(held.id, "fulfil")
    assert shop.standing() == Standing(0, 0, 0)


def test_an_order_without_a_reference_names_the_reservation() -> None:
    shop = Shop()
    held = shop.held(3)
    shop.report(Type.ORDER_PLACED, held.id, 4)
    assert shop.standing().reserved == 4


def test_an_order_stays_promised_when_only_its_reservation_expires() -> None:
    shop = Shop()
    held = shop.held(3, "order")
    shop.report(Type.ORDER_PLACED, "order", 3)
    assert shop.end(held.id, "expire") is State.EXPIRED
    assert shop.standing().reserved == 3


@pytest.mark.parametrize("how", ["fulfil", "expire"])
def test_what_a_channel_has_shipped_is_consumed_once(how: Literal["fulfil", "expire"]) -> None:
    shop = Shop()
    held = shop.held(3, "order")
    shop.report(Type.ORDER_FULFILLED, "order", 3)
    assert shop.standing() == Standing(7, 0, 0)
    assert shop.end(held.id, how) is State.FULFILLED
    assert shop.standing() == Standing(7, 0, 0)


def test_what_a_channel_has_shipped_cannot_be_given_back_however_often_it_is_asked() -> None:
    shop = Shop()
    held = shop.held(3, "order")
    shop.report(Type.ORDER_FULFILLED, "order", 3)
    first, again = (shop.ask(Release(held.id, "shop"))[0] for _ in range(2))
    assert first == again == Ended(shop.reservations[held.id])
    assert shop.reservations[held.id].state is State.FULFILLED
    assert shop.standing() == Standing(7, 0, 0)
    assert shop.end(held.id, "fulfil") is State.FULFILLED


def test_the_rest_of_what_a_channel_has_shipped_in_part_is_given_back_however_often() -> None:
    shop = Shop()
    held = shop.held(3, "order")
    shop.report(Type.ORDER_FULFILLED, "order", 1)
    first, again = (shop.ask(Release(held.id, "shop"))[0] for _ in range(2))
    assert first == again == shop.reservations[held.id]
    assert shop.reservations[held.id].state is State.RELEASED
    assert shop.standing() == Standing(9, 0, 0)


def test_the_rest_of_what_a_channel_has_shipped_in_part_is_shipped_by_the_api() -> None:
    shop = Shop()
    held = shop.held(3, "order")
    shop.report(Type.ORDER_FULFILLED, "order", 1)
    shop.end(held.id, "fulfil")
    assert shop.standing() == Standing(7, 0, 0)


def test_each_report_is_about_one_of_an_orders_reservations() -> None:
    shop = Shop()
    first, second = shop.held(3, "order"), shop.held(3, "order")
    shop.report(Type.ORDER_FULFILLED, "order", 3)
    assert shop.end(first.id, "fulfil") is State.FULFILLED
    assert shop.standing() == Standing(7, 3, 0)
    shop.end(second.id, "fulfil")
    assert shop.standing() == Standing(4, 0, 0)


def test_a_reservation_given_back_after_its_order_was_cancelled_leaves_the_others_alone() -> None:
    shop = Shop()
    first, second = shop.held(3, "order"), shop.held(3, "order")
    shop.report(Type.ORDER_CANCELLED, "order", 3)
    assert shop.end(first.id, "release") is State.RELEASED
    assert shop.standing().reserved == 3
    shop.end(second.id, "fulfil")
    assert shop.standing() == Standing(7, 0, 0)


def test_what_is_reserved_for_an_order_that_was_shipped_is_a_promise_of_its_own() -> None:
    shop = Shop()
    shop.report(Type.ORDER_PLACED, "order", 3)
    shop.report(Type.ORDER_FULFILLED, "order", 3)
    held = shop.held(2, "order")
    assert shop.standing() == Standing(7, 2, 0)
    shop.end(held.id, "fulfil")
    assert shop.standing() == Standing(5, 0, 0)


@pytest.mark.parametrize("how", ["fulfil", "release", "expire"])
def test_what_is_reserved_after_a_cancellation_stays_reserved_however_the_others_end(
    how: Literal["fulfil", "release", "expire"],
) -> None:
    shop = Shop()
    before = shop.held(1, "order")
    shop.report(Type.ORDER_CANCELLED, "order", 1)
    after = shop.held(1, "order")
    shop.end(before.id, how)
    assert shop.standing().reserved == 1
    on_hand = shop.standing().on_hand
    shop.end(after.id, "fulfil")
    assert shop.standing() == Standing(on_hand - 1, 0, 0)


def test_what_is_left_of_an_order_can_be_reserved_for_it() -> None:
    shop = Shop(of_1=6)
    shop.report(Type.ORDER_PLACED, "order", 6)
    shop.report(Type.ORDER_FULFILLED, "order", 2)
    held = shop.held(4, "order")
    assert shop.standing() == Standing(4, 4, 0)
    shop.end(held.id, "fulfil")
    assert shop.standing() == Standing(0, 0, 0)


def test_what_was_shipped_unordered_makes_no_room_for_reservations() -> None:
    shop = Shop(of_1=10)
    shop.report(Type.ORDER_FULFILLED, "unheard of", 8)
    assert shop.standing() == Standing(2, -8, 0)
    shop.held(2)
    assert isinstance(shop.reserve(1), tuple)


def test_what_has_ended_one_way_cannot_end_another() -> None:
    shop = Shop()
    done, gone = shop.held(1), shop.held(1)
    shop.end(done.id, "fulfil")
    shop.end(gone.id, "expire")
    assert isinstance(shop.ask(Release(done.id, "shop"))[0], Ended)
    assert isinstance(shop.ask(Fulfil(gone.id, "shop"))[0], Ended)
    assert shop.end(gone.id, "release") is State.EXPIRED
    assert shop.standing() == Standing(9, 0, 0)


def test_a_fulfilment_that_a_count_contains_moves_nothing_on_hand() -> None:
    shop = Shop()
    held = shop.held(3)
    shop.clock += timedelta(hours=1)
    shop.report(Type.COUNT, None, 4)
    shop.clock -= timedelta(minutes=30)
    shop.end(held.id, "fulfil")
    assert shop.standing() == Standing(4, 0, 0)


REPORTS = (Type.ORDER_PLACED, Type.ORDER_CANCELLED, Type.ORDER_FULFILLED, Type.RECEIPT, Type.SALE)
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("report"), st.sampled_from(REPORTS), st.sampled_from("ab"), st.integers(1, 4)
        ),
        st.tuples(
            st.just("reserve"), st.just(None), st.sampled_from(["a", "b", None]), st.integers(1, 4)
        ),
        st.tuples(
            st.sampled_from(["fulfil", "release", "expire"]),
            st.just(None),
            st.just(None),
            st.integers(0, 3),
        ),
    ),
    max_size=14,
)


@settings(max_examples=examples(300), deadline=None)
@given(steps)
@example(
    [
        ("reserve", None, "a", 1),
        ("reserve", None, "a", 3),
        ("report", Type.ORDER_CANCELLED, "a", 1),
        ("reserve", None, "a", 1),
        ("report", Type.ORDER_FULFILLED, "a", 4),
    ]
)
def test_what_is_held_is_reserved_and_nothing_is_promised_twice(
    course: list[tuple[str, Type | None, str | None, int]],
) -> None:
    shop = Shop(of_1=8)
    for what, type_, reference, number in course:
        free = shop.free(1)
        if type_ is not None:
            shop.report(type_, reference, number)
        elif what == "reserve":
            shop.reserve(number, reference)
            assert shop.free(1) == free or shop.free(1) >= 0
        else:
            held = [each for each in shop.reservations.values() if each.state is State.HELD]
            if number < len(held):
                shop.end(held[number].id, cast("Literal['fulfil']", what))
        _still_held_is_reserved(shop)
    past = sorted((each for each in shop.store.changes if each.level == 1), key=in_order)
    book = Book()
    *_, last = walk(past, book)
    assert last[:3] == shop.standing()[:3]
    assert book.unordered.get(1, 0) == shop.store.levels[1].unordered


def copy_of(shop: Shop) -> Shop:
    """Return a shop of its own: what its containers have in them never changes."""
    other, store = copy(shop), copy(shop.store)
    vars(store).update({name: copy(each) for name, each in vars(store).items()})
    other.store, other.reservations = store, dict(shop.reservations)
    return other


def _still_held_is_reserved(shop: Shop) -> None:
    """Give back all that is held, of a copy: no more may come back than is promised."""
    held = [each.id for each in shop.reservations.values() if each.state is State.HELD]
    for ids in (held, held[::-1]):
        promised = shop.promised(1)
        left = copy_of(shop)
        known = len(left.store.changes)
        for each in ids:
            left.end(each, "release")
        for back in left.store.changes[known:]:
            promised[back.reference or ""] -= back.quantity
        assert min(promised.values(), default=0) >= 0
