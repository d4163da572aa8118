from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from services.alerting.domain.cause import Cause, Log, deserves_case, is_late, proposed
from services.alerting.domain.stock_out import StockOut

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

OUT = StockOut(NOON, None, NOON, 4.0, Decimal(5))
PLAIN = Log(OUT, heard_at=NOON, watched_by=("low",))
WARNED = replace(PLAIN, stock_out=OUT._replace(warned_at=NOON - 5 * HOUR))


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (PLAIN, Cause.LIMIT_TOO_LOW),
        (replace(PLAIN, watched_by=()), Cause.NO_RULE),
        (replace(PLAIN, heard_at=NOON + HOUR), Cause.DATA_LATE),
        (replace(PLAIN, doubts=("in_doubt",)), Cause.COUNT_WRONG),
        (replace(PLAIN, overdue=(("PO-1", NOON - DAY),)), Cause.SUPPLIER_LATE),
        (replace(PLAIN, busiest_day=13), Cause.DEMAND_UNFORESEEN),
        (replace(PLAIN, busiest_day=12), Cause.LIMIT_TOO_LOW),
        (WARNED, Cause.NOBODY_ACTED),
        (replace(WARNED, acknowledged_at=NOON + HOUR), Cause.NOBODY_ACTED),
        (replace(WARNED, acknowledged_at=NOON - HOUR), Cause.LIMIT_TOO_LOW),
        (replace(PLAIN, hushed_by="silence"), Cause.NOBODY_ACTED),
    ],
)
def test_the_log_speaks_for_a_cause(log: Log, cause: Cause) -> None:
    assert proposed(log)[0].cause is cause


def test_all_that_speaks_for_a_cause_is_told_and_what_explains_the_rest_comes_first() -> None:
    log = replace(
        WARNED, doubts=("negative",), heard_at=NOON + HOUR, overdue=(("PO-1", NOON - DAY),)
    )
    assert [sign.cause for sign in proposed(log)] == [
        Cause.COUNT_WRONG,
        Cause.DATA_LATE,
        Cause.SUPPLIER_LATE,
        Cause.NOBODY_ACTED,
    ]
    assert proposed(log)[2].evidence == {"reference": "PO-1", "due_at": NOON - DAY}


def test_late_is_less_than_the_notice_before_or_never() -> None:
    at = [OUT._replace(warned_at=each) for each in (None, NOON + HOUR, NOON - 23 * HOUR)]
    assert [is_late(each, 24 * HOUR) for each in at] == [True, True, True]
    assert not is_late(OUT._replace(warned_at=NOON - DAY), 24 * HOUR)


def test_class_a_matters_and_so_does_money() -> None:
    limit = Decimal(20)
    assert deserves_case(OUT, "A", limit, NOON)
    assert deserves_case(OUT, "AX", limit, NOON)
    assert not deserves_case(OUT, "Apparel", limit, NOON)
    # 4 a day at 5: 20 after a day.
    assert not deserves_case(OUT, "B", limit, NOON + 23 * HOUR)
    assert deserves_case(OUT, "B", limit, NOON + DAY)
    assert not deserves_case(OUT._replace(price=None), None, limit, NOON + 9 * DAY)
