"""How far a count may be from what was expected, and whose tolerance holds."""

from decimal import Decimal

import pytest

from services.ledger.domain.counts import Tolerance, tolerance_of

LIMITS: list[tuple[Tolerance, int, int, Decimal | None, bool]] = [
    # tolerance, counted, expected, cost, allowed
    (Tolerance(units=3), 13, 10, None, True),
    (Tolerance(units=3), 7, 10, None, True),
    (Tolerance(units=3), 14, 10, None, False),
    (Tolerance(units=0), 10, 10, None, True),
    (Tolerance(percent=Decimal("2.5")), 39, 40, None, True),
    (Tolerance(percent=Decimal("2.4")), 39, 40, None, False),
    (Tolerance(percent=Decimal(50)), 1, 0, None, False),
    (Tolerance(percent=Decimal(50)), 0, 0, None, True),
    # Below zero, the percentage is of as much.
    (Tolerance(percent=Decimal(50)), 0, -2, None, False),
    (Tolerance(percent=Decimal(100)), 0, -2, None, True),
    (Tolerance(money=Decimal(10)), 12, 10, Decimal(5), True),
    (Tolerance(money=Decimal(10)), 12, 10, Decimal("5.01"), False),
    (Tolerance(money=Decimal(10)), 10_000, 10, None, True),
    # The first limit exceeded is one too many.
    (Tolerance(units=100, percent=Decimal(1), money=Decimal(10**6)), 12, 10, Decimal(1), False),
    (Tolerance(units=1, percent=Decimal(99), money=Decimal(10**6)), 12, 10, Decimal(1), False),
    (Tolerance(units=2, percent=Decimal(20), money=Decimal(2)), 12, 10, Decimal(1), True),
]


@pytest.mark.parametrize(("tolerance", "counted", "expected", "cost", "allowed"), LIMITS)
def test_a_variance_is_allowed_unless_a_limit_is_exceeded(
    tolerance: Tolerance, counted: int, expected: int, cost: Decimal | None, allowed: bool
) -> None:
    assert tolerance.allows(counted, expected, cost) is allowed


def test_the_most_specific_tolerance_holds_and_a_class_says_more_than_a_warehouse() -> None:
    everywhere, north = Tolerance(units=1), Tolerance(warehouse="N", units=2)
    dear, dear_north = Tolerance("A", units=3), Tolerance("A", "N", units=4)
    every = [everywhere, north, dear, dear_north]
    assert tolerance_of(every, "A", "N") is dear_north
    assert tolerance_of(every, "A", "S") is dear
    assert tolerance_of([everywhere, north, dear], "A", "N") is dear
    assert tolerance_of(every, "B", "N") is north
    assert tolerance_of(every, None, "N") is north
    assert tolerance_of(every, None, "S") is everywhere
    assert tolerance_of([dear, dear_north], None, "N") is None
    assert tolerance_of([], "A", "N") is None
