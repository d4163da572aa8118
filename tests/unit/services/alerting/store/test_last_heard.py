"""What a reminder tells of the numbers of now."""

from datetime import timedelta

import pytest

from services.alerting.store.last_heard import LastHeard
from shared.events.stock_alerts import AlertFacts, Arrival
from tests.unit.services.alerting.cases import NOON

LATE = Arrival(quantity=8, due_at=NOON - timedelta(days=3), reference="PO 7")
FACTS = AlertFacts(
    available=20,
    on_hand=20,
    low_water=20,
    daily_sales=10,
    days_of_cover=2,
    incoming=8,
    runs_out_at=NOON + timedelta(days=2),
    overdue=LATE,
)


@pytest.mark.parametrize(("incoming", "overdue"), [(8, LATE), (0, None)])
def test_a_run_out_and_lines_of_other_numbers_are_not_told_again(
    incoming: int, overdue: Arrival | None
) -> None:
    told = LastHeard(5, 5, 5, incoming, None).told(FACTS)
    assert (told.available, told.days_of_cover, told.runs_out_at) == (5, 0.5, None)
    assert told.overdue == overdue
