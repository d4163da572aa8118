"""What is lost until stock can arrive."""

from datetime import timedelta
from decimal import Decimal

import pytest

from services.alerting.domain.at_risk import at_risk, in_all
from services.alerting.domain.parameters import NOTHING_SET, Parameters
from services.alerting.domain.sales import SalesHistory
from shared.events.stock_alerts import AtRisk
from tests.unit.services.alerting.cases import NO_SALES, NOON, AtLevel, Line, level, sold, standing

TEN_A_DAY = sold(10)
LEAD = Parameters(lead_time_days=4)


def due(days: float, quantity: int = 100) -> tuple[Line, ...]:
    return (Line(quantity, NOON + timedelta(days=days)),)


@pytest.mark.parametrize(
    ("at", "parameters", "units"),
    [
        (level(0), NOTHING_SET, 70),  # nobody says when stock can arrive: a week
        (level(0), LEAD, 40),
        (level(20), LEAD, 20),  # runs out in two of the four days
        (level(40), LEAD, 0),
        (level(500), LEAD, 0),
        (level(-5), LEAD, 45),  # promised already, and not there
        (level(0, supply=due(2)), LEAD, 20),
        (level(0, supply=due(9)), LEAD, 90),  # a line that is on its way, sooner or later
        (level(0, supply=due(-1)), LEAD, 40),  # overdue: it comes on no known day
        (level(0, supply=(Line(100, None),)), LEAD, 40),
        (level(0, supply=due(9) + due(3)), LEAD, 30),
    ],
)
def test_sales_are_lost_from_the_run_out_to_the_next_arrival(
    at: AtLevel, parameters: Parameters, units: float
) -> None:
    found = at_risk(standing(at, sales=TEN_A_DAY), parameters)
    assert found == AtRisk(units=units)


@pytest.mark.parametrize(
    ("sales", "available", "units"),
    [(NO_SALES, 3, None), (NO_SALES, -3, 3), (sold(0), 0, 0), (sold(0), -2, 2)],
)
def test_without_sales_only_what_is_promised_is_at_risk(
    sales: SalesHistory, available: int, units: float | None
) -> None:
    found = at_risk(standing(level(available), sales=sales), LEAD)
    assert (None if found is None else found.units) == units


def test_money_is_units_at_their_price() -> None:
    priced = Parameters(lead_time_days=3, price=Decimal("2.345"))
    found = at_risk(standing(level(0), sales=TEN_A_DAY), priced)
    assert found == AtRisk(units=30, money=Decimal("70.35"))


def test_the_largest_amounts_can_be_said() -> None:
    huge = Parameters(lead_time_days=3_650, price=Decimal(10**12))
    found = at_risk(standing(level(0), sales=sold(10**12)), huge)
    assert found is not None
    assert found.money == Decimal(3_650) * 10**24


ONE, OTHER = AtRisk(units=1.25, money=Decimal("2.50")), AtRisk(units=4, money=Decimal("0.10"))
UNPRICED = AtRisk(units=3)


@pytest.mark.parametrize(
    ("lost", "together"),
    [
        ([ONE, OTHER], AtRisk(units=5.2, money=Decimal("2.60"))),
        ([ONE, None, UNPRICED], AtRisk(units=4.2, money=Decimal("2.50"), left_out=2)),
        ([UNPRICED, UNPRICED], AtRisk(units=6)),  # nobody has said a price: that is no doubt
        ([UNPRICED, None], AtRisk(units=3, left_out=1)),
        ([None, None], None),
        ([], AtRisk(units=0)),
    ],
)
def test_what_several_lose_is_added_up_and_says_of_how_many_it_is_not_known(
    lost: list[AtRisk | None], together: AtRisk | None
) -> None:
    assert in_all(lost) == together


def test_the_largest_amounts_can_be_added_up() -> None:
    huge = AtRisk(units=1, money=Decimal(3_650) * 10**24 + Decimal("0.01"))
    assert in_all([huge, huge]) == AtRisk(units=2, money=Decimal(7_300) * 10**24 + Decimal("0.02"))
