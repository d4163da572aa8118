"""How much is proposed; the sums were worked out by hand."""

from decimal import Decimal
from uuid import UUID

import pytest

from services.alerting.domain.covering import OnTheWay
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.parameters import NOTHING_SET, Parameters
from services.alerting.domain.proposal import (
    At,
    Proposal,
    Term,
    TermName,
    buy,
    on_card,
    proposals,
    surplus,
)
from services.alerting.domain.proposal_words import in_words
from shared.events.stock_alerts import ActionKind, ActionState, AlertFacts

SET = Parameters(
    reorder_point=50, order_quantity=100, moq=60, pack_multiple=24, unit_cost=Decimal("2.50")
)


def at(available: int, parameters: Parameters = SET, **fields: object) -> At:
    given: dict[str, object] = {
        "warehouse": "W",
        "available": available,
        "incoming": 0,
        "on_order": 0,
        "daily_mean": None,
        "parameters": parameters,
    }
    return At(**(given | fields))  # type: ignore[arg-type] # the fields' own types


def kinds(found: list[Proposal]) -> list[ActionKind]:
    return [each.kind for each in found]


def test_up_to_reorder_point_and_order_quantity_in_full_packs() -> None:
    # 50 + 100 − 12 = 138, which is 5.75 packs of 24.
    found = buy(at(12))
    assert (found.quantity, found.cost) == (144, Decimal("360.00"))
    assert found.terms == (
        Term(TermName.REORDER_POINT, 50),
        Term(TermName.ORDER_QUANTITY, 100),
        Term(TermName.AVAILABLE, -12),
        Term(TermName.INCOMING, 0),
        Term(TermName.ON_ORDER, 0),
        Term(TermName.NEED, 138),
        Term(TermName.MOQ, 60),
        Term(TermName.PACK_MULTIPLE, 24),
    )


def test_what_is_incoming_or_on_order_is_not_bought_again() -> None:
    # 150 − 12 − 48 − 60 = 30; the MOQ of 60 is 2.5 packs.
    assert buy(at(12, incoming=48, on_order=60)).quantity == 72
    assert buy(at(12, incoming=78, on_order=60)).quantity == 0


def test_what_is_sold_that_was_not_there_is_bought_too() -> None:
    assert buy(at(-6, SET._replace(moq=None, pack_multiple=None))).quantity == 156


def test_without_a_reorder_point_up_to_the_sales_of_lead_time_and_a_week() -> None:
    # 3.5 a day × (10 + 7) = 59.5, and a safety stock of 8, less 20.
    given = Parameters(lead_time_days=10, safety_stock=8)
    found = buy(at(20, given, daily_mean=3.5))
    assert found.quantity == 60 + 8 - 20
    assert found.terms[0] == Term(TermName.LEAD_TIME_DEMAND, 60)


def test_a_lead_time_that_nobody_has_set_is_taken_as_a_week_and_said_so() -> None:
    found = buy(at(0, NOTHING_SET, daily_mean=2.0))
    assert found.quantity == 28
    assert found.terms[0] == Term(TermName.ASSUMED_LEAD_TIME_DEMAND, 28)


def test_without_an_order_quantity_a_week_is_added_to_the_reorder_point() -> None:
    assert buy(at(10, Parameters(reorder_point=30), daily_mean=4.0)).quantity == 30 + 28 - 10


def test_how_much_is_not_guessed() -> None:
    found = buy(at(3, NOTHING_SET))
    assert (found.quantity, found.terms) == (None, ())


@pytest.mark.parametrize(
    ("level", "spare"),
    [
        (at(120), 70),
        (at(40), 0),
        (at(120, Parameters(safety_stock=20)), 100),
        (at(120, NOTHING_SET, daily_mean=5.0), 50),
        (at(120, NOTHING_SET), 0),
    ],
)
def test_spare_is_what_a_warehouse_has_over_its_own_need(level: At, spare: int) -> None:
    assert surplus(level) == spare


def test_a_transfer_comes_first_and_from_where_there_is_most_to_spare() -> None:
    others = [at(90, warehouse="N"), at(130, warehouse="S"), at(900, NOTHING_SET, warehouse="X")]
    first, second, *_ = proposals(RuleKind.BELOW, at(12), others)
    assert (first.kind, first.source, first.quantity) == (ActionKind.TRANSFER, "S", 80)
    assert (second.kind, second.quantity) == (ActionKind.BUY, 144)


def test_no_more_is_moved_than_is_needed() -> None:
    first, *_ = proposals(RuleKind.BELOW, at(12), [at(900, warehouse="S")])
    assert first.quantity == 138


def test_what_is_needed_elsewhere_stays_there() -> None:
    assert ActionKind.TRANSFER not in kinds(proposals(RuleKind.BELOW, at(12), [at(50)]))


def test_what_is_phased_out_is_not_bought() -> None:
    assert ActionKind.BUY not in kinds(proposals(RuleKind.BELOW, at(12), [], is_bought=False))


def test_what_is_covered_is_neither_bought_nor_moved_again() -> None:
    others = [at(900, warehouse="S")]
    offered = kinds(proposals(RuleKind.BELOW, at(12, on_order=10), others, is_covered=True))
    assert not {ActionKind.BUY, ActionKind.TRANSFER} & set(offered)
    assert ActionKind.EXPEDITE in offered


def test_what_is_on_its_way_already_may_be_hastened() -> None:
    assert ActionKind.EXPEDITE not in kinds(proposals(RuleKind.BELOW, at(12), []))
    assert ActionKind.EXPEDITE in kinds(proposals(RuleKind.BELOW, at(12, incoming=10), []))


@pytest.mark.parametrize(
    ("threshold", "state", "offered"),
    [
        (100, ActionState.APPROVED, 96),  # 150 − 12 − 60 = 78, which is 3.25 packs of 24
        (100, ActionState.PROPOSED, 144),  # nobody has said that it will come
        (20, ActionState.PROPOSED, None),  # but it would do, and a second one is refused
    ],
)
def test_a_card_counts_what_was_asked_for_as_proposals_do(
    threshold: int, state: ActionState, offered: int | None
) -> None:
    facts = AlertFacts(available=12, on_hand=12, low_water=12, threshold=threshold)
    coming = [OnTheWay(UUID(int=1), 1, ActionKind.BUY, state, 60, is_incoming=False, late_at=None)]
    assert on_card(RuleKind.BELOW, facts, coming, "W", SET) == offered
    ended = facts.model_copy(update={"is_bought": False})
    assert on_card(RuleKind.BELOW, ended, coming, "W", SET) is None
    assert on_card(RuleKind.OVERSTOCK, facts, [], "W", SET) is None


def test_numbers_in_doubt_are_counted_before_anything_is_bought() -> None:
    assert kinds(proposals(RuleKind.BELOW, at(12, in_doubt=True), []))[0] is ActionKind.COUNT
    assert kinds(proposals(RuleKind.DATA_DOUBT, at(12), [])) == [ActionKind.COUNT, ActionKind.NONE]


def test_the_sum_is_said_in_both_languages() -> None:
    words = in_words(buy(at(12)))
    assert words is not None
    assert words.en == (
        "Reorder point 50 + order quantity 100 − available 12 − incoming 0 "
        "− on order, not yet incoming 0 = 138, "
        "rounded to 144 for the minimum order quantity 60 and pack multiple 24."
    )
    assert words.zh == (
        "再订货点 50 + 订货量 100 − 可用 12 − 在途 0 − 已下单未在途 0 = 138，"
        "按最小起订量 60、包装数 24取整为 144。"
    )
    negative = in_words(buy(at(-6, Parameters(reorder_point=10, order_quantity=5))))
    assert negative is not None
    assert "− available (-6)" in negative.en
