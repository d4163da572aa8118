from datetime import timedelta
from uuid import UUID

import pytest

from services.alerting.domain.covering import OnTheWay, covering, enough
from services.alerting.domain.kind import RuleKind
from shared.events.stock_alerts import ActionKind, ActionState, AlertFacts
from tests.unit.services.alerting.cases import NOON


def coming(
    quantity: int,
    *,
    number: int = 1,
    kind: ActionKind = ActionKind.BUY,
    is_incoming: bool = False,
    days: int = 5,
) -> OnTheWay:
    late_at = NOON + timedelta(days=days)
    state = ActionState.ORDERED
    return OnTheWay(UUID(int=number), number, kind, state, quantity, is_incoming, late_at)


def facts(available: int, **fields: object) -> AlertFacts:
    given = {"available": available, "on_hand": available, "low_water": available, "threshold": 20}
    return AlertFacts.model_validate(given | fields)


@pytest.mark.parametrize(("units", "covers"), [(8, False), (9, True)])
def test_a_purchase_covers_what_the_limit_would_not_hold_for(units: int, covers: bool) -> None:
    found = covering(RuleKind.BELOW, facts(12), [coming(units)])
    assert (found is not None) is covers


def test_what_is_incoming_already_counts_once() -> None:
    assert covering(RuleKind.BELOW, facts(12, incoming=8), [coming(8, is_incoming=True)]) is None
    assert covering(RuleKind.BELOW, facts(12, incoming=8), [coming(8)]) is not None


@pytest.mark.parametrize(("sooner", "later", "until"), [(5, 5, 3), (5, 9, 9), (9, 5, 3)])
def test_several_cover_it_together_until_the_rest_is_too_little(
    sooner: int, later: int, until: int
) -> None:
    several = [coming(later, days=9), coming(sooner, number=2, days=3)]
    found = covering(RuleKind.BELOW, facts(12), several)
    assert found is not None
    assert found.late_at == NOON + timedelta(days=until)


def test_days_are_compared_with_days() -> None:
    known = facts(12, daily_sales=4.0, threshold=7)
    assert covering(RuleKind.DAYS_OF_COVER, known, [coming(16)]) is None
    assert covering(RuleKind.DAYS_OF_COVER, known, [coming(17)]) is not None


@pytest.mark.parametrize(("units", "covers"), [(1, False), (8, False), (9, True)])
def test_a_transfer_covers_what_the_limit_would_not_hold_for(units: int, covers: bool) -> None:
    moved = coming(units, kind=ActionKind.TRANSFER)
    assert (covering(RuleKind.BELOW, facts(12), [moved]) is moved) is covers


def test_a_transfer_and_a_purchase_cover_it_together() -> None:
    bought, moved = coming(5), coming(4, number=2, kind=ActionKind.TRANSFER)
    assert covering(RuleKind.BELOW, facts(12), [bought, moved]) is bought
    assert covering(RuleKind.BELOW, facts(12), [bought]) is None


def test_no_transfer_says_that_a_shelf_does_not_run_out_too_early() -> None:
    known = facts(12, daily_sales=4.0, threshold=0)
    bought, moved = coming(1), coming(100, number=2, kind=ActionKind.TRANSFER, days=9)
    assert covering(RuleKind.RUN_OUT_BEFORE_INBOUND, known, [moved]) is None
    assert covering(RuleKind.RUN_OUT_BEFORE_INBOUND, known, [bought, moved]) is bought


def test_a_shelf_that_runs_out_too_early_is_covered_by_any_purchase() -> None:
    known = facts(12, daily_sales=4.0, threshold=0)
    assert covering(RuleKind.RUN_OUT_BEFORE_INBOUND, known, [coming(1)]) is not None
    assert covering(RuleKind.RUN_OUT_BEFORE_INBOUND, known, []) is None


@pytest.mark.parametrize("kind", [RuleKind.OVERSTOCK, RuleKind.DATA_DOUBT, RuleKind.CUSTOM])
def test_only_shortages_are_covered(kind: RuleKind) -> None:
    assert covering(kind, facts(12), [coming(100)]) is None


def test_no_more_is_asked_for_than_covers_it() -> None:
    assert enough(RuleKind.BELOW, facts(12), [coming(8)]) is None
    assert enough(RuleKind.BELOW, facts(12), [coming(9)]) == coming(9)


def test_where_nobody_knows_how_much_is_enough_any_is() -> None:
    first, second = coming(1, days=9), coming(1, number=2, days=3)
    assert enough(RuleKind.CUSTOM, facts(12), [first, second]) is first
    assert enough(RuleKind.CUSTOM, facts(12), []) is None
