"""Explanations in both languages."""

from datetime import timedelta

import pytest

from services.alerting.domain.channels import Channels
from services.alerting.domain.condition import Condition, State
from services.alerting.domain.definition import RuleDefinition
from services.alerting.domain.explanation import explain
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.outcome import Reason
from services.alerting.domain.parameters import Parameters
from services.alerting.domain.rule import Doubts, Limit, Rule, Scope
from services.alerting.domain.subject import LevelSubject
from services.alerting.domain.words import _REASONS, in_words
from shared.events.stock_alerts import DoubtReasons
from tests.unit.services.alerting.cases import NOON, URGENT, WATCH, level, rule, sold, standing

A = LevelSubject("A", "W")
PARAMETERS = Parameters(safety_stock=40, reorder_point=1_200)


def words(watching: Rule, units: int) -> tuple[str, str]:
    at = standing(level(units, on_hand=-2), sales=sold(10), parameters=PARAMETERS)
    said = in_words(explain(watching, A, None, at, None))
    return said.zh, said.en


def test_numbers_limits_and_reason_are_told() -> None:
    assert words(rule(RuleKind.BELOW_REORDER_POINT, [Limit(WATCH, 1, 1)]), 300) == (
        "可用 300 件，关注：低于 1,200。触及限值，现在预警。",
        "300 units are available, watch under 1,200. A limit holds: it warns now.",
    )
    overstock = rule(RuleKind.OVERSTOCK, [Limit(WATCH, 90, 90), Limit(URGENT, 180.5, 180.5)])
    assert words(overstock, 300) == (
        "可售 30 天，紧急：高于 180.5，关注：高于 90。没有触及任何限值。",
        "What is available lasts 30 days, urgent over 180.5, watch over 90. No limit holds.",
    )


@pytest.mark.parametrize(
    ("kind", "relation"),
    [(RuleKind.STOCK_OUT, "watch at 1 or less"), (RuleKind.DATA_DOUBT, "watch at 1 or more")],
)
def test_a_limit_that_holds_itself_says_so(kind: RuleKind, relation: str) -> None:
    assert relation in words(rule(kind, [Limit(WATCH, 1, 1)]), 5)[1]


def test_what_cannot_be_measured_is_told_without_numbers() -> None:
    nothing = rule(RuleKind.INBOUND_OVERDUE, [Limit(WATCH, 1, 1)])
    assert words(nothing, 5)[1] == "No limit holds."


def test_a_doubt_is_told_with_what_it_is_for() -> None:
    doubts = Doubts(frozenset({"negative", "of_mine"}), 30, timedelta(hours=1))
    watching = rule(RuleKind.DATA_DOUBT, [Limit(WATCH, 1, 1)], doubts=doubts)
    counted_at = NOON - timedelta(days=41)
    at = standing(level(5, flags=("negative", "of_mine", "unusual"), counted_at=counted_at))
    long_ago = NOON - timedelta(hours=2)
    at.channels = Channels().after("till", long_ago, ["W"]).after("erp", long_ago, ["W"])
    said = explain(watching, A, None, at, None)
    assert said.doubts == DoubtReasons(
        flags=("negative", "of_mine"), count_days=41, silent=("erp", "till")
    )
    zh, en = in_words(said)
    assert zh == (
        "有 4 个存疑理由（在手为负；of_mine；上次盘点在 41 天前；渠道 erp、till 没有消息），"
        "关注：不低于 1。触及限值，现在预警。"
    )
    assert en == (
        "There are 4 reasons to doubt the numbers (less than nothing is on hand; of_mine; it was "
        "last counted 41 days ago; nothing was heard of channel erp, till), watch at 1 or more. "
        "A limit holds: it warns now."
    )


@pytest.mark.parametrize("kind", [kind for kind in RuleKind if kind is not RuleKind.CUSTOM])
def test_every_kind_has_words(kind: RuleKind) -> None:
    zh, en = words(rule(kind, [Limit(WATCH, 1, 1)]), 5)
    assert zh
    assert en


def test_a_custom_rule_is_told_by_its_condition() -> None:
    made = RuleDefinition.model_validate(
        {"name": {"en": "Rule"}, "kind": "custom", "condition": "20 > available"}
    )
    assert words(made.rule("rule", 1), 5) == (
        "available < 20：触及限值，现在预警。",
        "available < 20: A limit holds: it warns now.",
    )


def test_a_clear_condition_is_told_beside_it() -> None:
    said = {"condition": "available < 20", "clear_condition": "available > 30"}
    made = RuleDefinition.model_validate({"name": {"en": "Rule"}, "kind": "custom"} | said)
    zh, en = words(made.rule("rule", 1), 5)
    assert zh.startswith("available < 20（直到 available > 30）：")
    assert en.startswith("available < 20 (until available > 30): ")


def test_every_reason_has_words() -> None:
    assert set(_REASONS) == set(Reason)


def test_a_rule_that_does_not_watch_is_measured_and_told_as_well() -> None:
    other = Rule(
        "rule",
        1,
        RuleKind.BELOW,
        {"en": "Rule"},
        (Limit(WATCH, 20, 30),),
        scope=Scope(skus=frozenset({"B"})),
    )
    said = explain(other, A, None, standing(level(3)), None)
    assert (said.in_scope, said.reason, said.measure) == (False, Reason.OUT_OF_SCOPE, 3)
    disabled = explain(rule(enabled=False), A, None, standing(level(3)), None)
    assert (disabled.in_scope, disabled.reason) == (True, Reason.RULE_DISABLED)


def test_an_explanation_goes_by_the_condition_that_there_is() -> None:
    is_open = Condition(State.OPEN, WATCH, NOON)
    assert explain(rule(), A, None, standing(level(25)), is_open).reason is Reason.FIRING
    assert explain(rule(), A, None, standing(level(25)), None).reason is Reason.CLEAR
