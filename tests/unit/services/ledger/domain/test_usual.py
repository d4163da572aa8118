"""Which changes are far larger than what their level usually sells."""

from services.ledger.domain.changes import Type
from services.ledger.domain.usual import Sold, large, unusual
from tests.unit.services.ledger.cases import change


def test_more_than_twenty_times_the_mean_sale_is_unusual() -> None:
    changes = [change(id="40", quantity=40), change(id="41", quantity=41)]
    assert [each.id for each in unusual(changes[:1], {1: Sold(40, 20)})] == []
    assert [each.id for each in unusual(changes[1:], {1: Sold(40, 20)})] == ["41"]


def test_nothing_is_held_against_fewer_than_twenty_sales() -> None:
    big = change(id="big", quantity=1000)
    assert unusual([big], {1: Sold(19, 19)}) == []
    twentieth = change(id="twentieth")
    assert unusual([twentieth, big], {1: Sold(19, 19)}) == [big]
    assert unusual([big, twentieth], {1: Sold(19, 19)}) == []


def test_sales_that_arrive_together_change_what_is_usual() -> None:
    first, second = change(id="1", quantity=30), change(id="2", quantity=30)
    assert unusual([first, second], {1: Sold(20, 20)}) == [first]


def test_levels_are_told_apart() -> None:
    here, there = change(id="1", quantity=50), change(id="2", quantity=50, level=2)
    assert unusual([here, there], {1: Sold(20, 20), 2: Sold(2000, 20)}) == [here]
    assert unusual([here, there], {2: Sold(20, 20)}) == [there]


def test_only_types_where_a_finger_slips_are_looked_at() -> None:
    everything = [change(id=str(each), type=each, quantity=21) for each in Type]
    found = [each.type for each in large(everything)]
    assert found == [Type.SALE, Type.RETURN, Type.ADJUSTMENT, Type.ORDER_FULFILLED]
    assert [each.type for each in unusual(everything, {1: Sold(20, 20)})] == [Type.SALE]
    assert large([change(quantity=20), change(type=Type.ADJUSTMENT, quantity=-20)]) == []
    shrinkage = change(type=Type.ADJUSTMENT, quantity=-21)
    assert large([shrinkage]) == unusual([shrinkage], {1: Sold(20, 20)}) == [shrinkage]
