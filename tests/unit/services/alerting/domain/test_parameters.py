"""Parameters: which one holds, where it comes from, and what a book of them costs."""

import tracemalloc
from datetime import timedelta
from decimal import Decimal

from services.alerting.domain.parameters import (
    CATALOGUE,
    NOTHING_SET,
    ParameterBook,
    Parameters,
    ParameterSet,
    Provenance,
    Source,
)
from services.alerting.domain.subject import LevelSubject
from tests.unit.services.alerting.cases import NOON

A_IN_W = LevelSubject("A", "W")
A_IN_V = LevelSubject("A", "V")
TYPED = Provenance(Source.TYPED, "buyer", NOON)
LATER = Provenance(Source.IMPORTED, "sheet", NOON + timedelta(days=1))


def test_what_is_set_for_a_warehouse_wins_value_by_value() -> None:
    book = ParameterBook().after(
        1,
        [
            ("A", None, Parameters(safety_stock=10, lead_time_days=7)),
            ("A", "W", Parameters(safety_stock=40)),
        ],
    )
    assert book.of(A_IN_W) == Parameters(safety_stock=40, lead_time_days=7)
    assert book.of(A_IN_V) == Parameters(safety_stock=10, lead_time_days=7)
    assert book.of(LevelSubject("B", "W")) == NOTHING_SET


def test_what_the_catalogue_says_is_beneath_what_is_set() -> None:
    told = [("A", CATALOGUE, Parameters(stock_class="A", unit_cost=Decimal(2), price=Decimal(9)))]
    book = ParameterBook().after(1, told)
    assert book.of(A_IN_W) == book.of_sku("A") == told[0][2]
    assert book.changed is not None
    assert book.changed.concerns(A_IN_W)
    above = [("A", None, Parameters(price=Decimal(8))), ("A", "W", Parameters(stock_class="C"))]
    book = book.after(2, above)
    assert book.of(A_IN_V) == Parameters(stock_class="A", unit_cost=Decimal(2), price=Decimal(8))
    assert book.of(A_IN_W).stock_class == "C"
    assert book.of(A_IN_W).price == Decimal(8)
    book = book.after(3, [("A", CATALOGUE, NOTHING_SET)])
    assert book.of(A_IN_W) == Parameters(stock_class="C", price=Decimal(8))


def test_a_nought_that_is_set_is_not_completed() -> None:
    book = ParameterBook().after(
        1, [("A", None, Parameters(safety_stock=10)), ("A", "W", Parameters(safety_stock=0))]
    )
    assert book.of(A_IN_W).safety_stock == 0


def test_a_change_makes_a_new_book_and_leaves_the_old_one() -> None:
    first = ParameterBook().after(
        1, [("A", None, Parameters(moq=6)), ("A", "W", Parameters(moq=7))]
    )
    assert first.of(A_IN_W).moq == 7
    second = first.after(2, [("A", "W", NOTHING_SET)])
    assert (first.of(A_IN_W).moq, second.of(A_IN_W).moq) == (7, 6)
    assert second.after(3, [("A", None, NOTHING_SET)]).of(A_IN_W) == NOTHING_SET


def test_a_book_knows_whom_it_concerns() -> None:
    changed = ParameterBook(4).after(5, [("A", "W", Parameters(moq=1)), ("B", None, NOTHING_SET)])
    assert changed.changed is not None
    assert changed.changed.since == 4
    concerned = [A_IN_W, LevelSubject("B", "V")]
    assert [each for each in (*concerned, A_IN_V) if changed.changed.concerns(each)] == concerned


def test_fifty_thousand_sets_take_less_than_thirty_megabytes() -> None:
    tracemalloc.start()
    told = [
        (f"sku {number}", "W", Parameters(safety_stock=number, lead_time_days=7.5 + number))
        for number in range(50_000)
    ]
    book = ParameterBook().after(1, told)
    del told
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert book.of(LevelSubject("sku 7", "W")).safety_stock == 7
    assert held < 30_000_000


def test_values_say_where_they_come_from() -> None:
    said = Parameters(safety_stock=40, moq=6)
    first = ParameterSet("A", "W").told(said, Parameters._fields, TYPED)
    assert first.values == said
    assert first.provenance == {"safety_stock": TYPED, "moq": TYPED}
    second = first.told(Parameters(safety_stock=40, moq=12), {"safety_stock", "moq"}, LATER)
    assert second.provenance == {"safety_stock": TYPED, "moq": LATER}


def test_what_is_not_named_stays_and_what_is_named_without_a_value_goes() -> None:
    first = ParameterSet("A", "W").told(
        Parameters(safety_stock=40, moq=6), Parameters._fields, TYPED
    )
    second = first.told(Parameters(supplier="acme"), {"supplier", "moq"}, LATER)
    assert second.values == Parameters(safety_stock=40, supplier="acme")
    assert second.provenance == {"safety_stock": TYPED, "supplier": LATER}


def test_saying_the_same_again_is_no_change() -> None:
    first = ParameterSet("A", "W").told(Parameters(moq=6), Parameters._fields, TYPED)
    assert first.told(Parameters(moq=6), Parameters._fields, LATER) is first
