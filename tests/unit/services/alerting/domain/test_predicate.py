"""Custom conditions: trees, their text, and what they say of a level."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.alerting.domain.cel import SyntaxMistake, parse, write
from services.alerting.domain.definition import RuleDefinition
from services.alerting.domain.evaluation import evaluate, hear
from services.alerting.domain.fields import NUMBERS, TEXTS
from services.alerting.domain.outcome import Reason
from services.alerting.domain.parameters import Parameters
from services.alerting.domain.predicate import (
    AllOf,
    AnyOf,
    Comparison,
    Predicate,
    compiled,
    depth,
    parts,
)
from services.alerting.domain.sales import SalesHistory
from tests.unit.services.alerting.cases import NO_SALES, NOON, level, sold, standing

FALLING = 'available < reorder_point && trend_7d > 1.2 && stock_class == "AX"'
PARAMETERS = Parameters(reorder_point=100, stock_class="AX")
TODAY = SalesHistory.begin(NOON, 0).day
RISING = SalesHistory(TODAY, 0, 0, TODAY - 29, (10,) * 21 + (20,) * 7)


def holds(
    text: str, units: int = 50, sales: SalesHistory = RISING, parameters: Parameters = PARAMETERS
) -> bool | Reason:
    at = standing(level(units, on_hand=60, incoming=7), sales=sales, parameters=parameters)
    return compiled(parse(text))(at, units)


def test_a_condition_may_compare_fields_numbers_and_texts() -> None:
    # 7 days at 20 against 28 days of 12.5: 1.6
    assert holds(FALLING) is True
    assert holds(FALLING, units=100) is False
    assert holds(FALLING, sales=sold(10)) is False
    assert holds(FALLING, parameters=Parameters(reorder_point=100, stock_class="B")) is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("available <= 50", True),
        ("50 >= available", True),
        ("50 < available", False),
        ("on_hand != 60", False),
        ("on_hand == available", False),
        ("incoming > 6.5", True),
        ("daily_sales == 12.5", True),
        ("days_of_cover == 4", True),
        ("days_known > -3", True),
        ("stock_class in ['A', 'AX']", True),
        ("incoming in [1, 7]", True),
        ("sku == 'A' && warehouse != 'V'", True),
        ("available > 50 || on_hand > 50 && incoming > 50", False),
        ("(available > 50 || on_hand > 50) && incoming < 50", True),
    ],
)
def test_comparisons_and_their_precedence_are_those_of_cel(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("safety_stock > 5", Reason.NO_PARAMETER),
        ("5 < safety_stock", Reason.NO_PARAMETER),
        ("available > safety_stock", Reason.NO_PARAMETER),
        ("supplier == 'acme'", Reason.NO_PARAMETER),
        ("safety_stock > 5 && available > 50", False),
        ("available > 50 && safety_stock > 5", False),
        ("safety_stock > 5 && available == 50", Reason.NO_PARAMETER),
        ("safety_stock > 5 || available == 50", True),
        ("safety_stock > 5 || available > 50", Reason.NO_PARAMETER),
    ],
)
def test_what_is_not_known_matters_only_where_it_decides(
    text: str, expected: bool | Reason
) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize("field", ["daily_sales", "days_of_cover", "trend_7d"])
def test_sales_need_their_history(field: str) -> None:
    assert holds(f"{field} > 0", sales=NO_SALES) is Reason.TOO_LITTLE_HISTORY


def test_where_nothing_is_sold_there_is_no_trend_and_no_end() -> None:
    assert holds("trend_7d == 1 && days_of_cover > 1000000", sales=sold(0)) is True


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("avialable < 5", 1, 1, "there is no field avialable"),
        ("available < 5 &&\n  stok > 1", 2, 3, "there is no field stok"),
        ("available <", 1, 12, "belongs here"),
        ("available = 5", 1, 11, "not understood"),
        ("available < 5 5", 1, 15, "&& or ||"),
        ("available < 'x'", 1, 1, "is a number"),
        ("stock_class < 'x'", 1, 1, "by ==, != or in"),
        ("stock_class == 5", 1, 1, "is a text"),
        ("available < stock_class", 1, 1, "can be compared with"),
        ("3 < 5", 1, 1, "one side must be a field"),
        ("available in 5", 1, 14, "list of values"),
        ("available in [on_hand]", 1, 22, "no fields"),
        ("(available < 5", 1, 15, "close the bracket"),
        ("available in [5", 1, 16, "close the list"),
        ("available", 1, 10, "compare by"),
        ("sku == 'a\\q'", 1, 10, "escape"),
        ("size(sku) > 3", 1, 1, "there is no field size"),
        ("", 1, 1, "belongs here"),
        ("(" * 11 + "available < 5", 1, 12, "nest at most"),
        ("available < 1e13", 1, 13, "within ±"),
        ("sku == 'a\\nb'", 1, 8, "on one line"),
        (f"sku == '{'x' * 201}'", 1, 8, "at most 200"),
        (f"sku in [{', '.join(['1'] * 1_001)}]", 1, 3_010, "at most 1,000"),
    ],
)
def test_a_mistake_is_told_with_its_position(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(SyntaxMistake) as wrong:
        parse(text)
    assert (wrong.value.line, wrong.value.column) == (line, column)
    assert words in str(wrong.value)
    assert str(wrong.value).startswith(f"line {line}, column {column}: ")


def test_a_text_is_read_as_the_tree_it_stands_for() -> None:
    assert parse("available < 5 && (sku == 'A' || sku in ['B', \"C\"])").model_dump() == {
        "all": [
            {"field": "available", "comparison": "<", "value": 5},
            {
                "any": [
                    {"field": "sku", "comparison": "==", "value": "A"},
                    {"field": "sku", "comparison": "in", "value": ["B", "C"]},
                ]
            },
        ]
    }


@pytest.mark.parametrize(
    "text",
    [
        "(available > 50 || on_hand > 50) && incoming < 50",
        "available > 50 || on_hand > 50 && incoming < 50",
        'sku in ["A", "b \\"c\\""] && available < 0.5 && on_hand != -3',
    ],
)
def test_a_text_as_we_write_it_comes_back_as_it_was(text: str) -> None:
    assert write(parse(text)) == text


NUMBER = st.floats(-(10**12), 10**12, allow_nan=False)
WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
COMPARISONS = st.one_of(
    st.builds(
        Comparison,
        field=st.sampled_from(sorted(NUMBERS)),
        comparison=st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
        value=NUMBER,
    ),
    st.builds(
        Comparison,
        field=st.sampled_from(sorted(TEXTS)),
        comparison=st.just("in"),
        value=st.lists(WORD, min_size=1, max_size=3),
    ),
)
TREES: st.SearchStrategy[Predicate] = st.recursive(
    COMPARISONS,
    lambda parts_: st.one_of(
        st.builds(AllOf, all=st.lists(parts_, min_size=1, max_size=3)),
        st.builds(AnyOf, any=st.lists(parts_, min_size=1, max_size=3)),
    ),
    max_leaves=8,
)


@given(TREES, st.integers(-5, 150))
def test_a_tree_and_its_text_say_the_same(tree: Predicate, units: int) -> None:
    text = write(tree)
    again = parse(text)
    assert write(again) == text
    at = standing(level(units), sales=RISING, parameters=PARAMETERS)
    assert compiled(again)(at, units) == compiled(tree)(at, units)


@given(TREES)
def test_a_tree_comes_back_from_storage_as_it_was(tree: Predicate) -> None:
    adapter: TypeAdapter[Predicate] = TypeAdapter(Predicate)
    assert adapter.validate_json(adapter.dump_json(tree)) == tree


@given(st.text(st.sampled_from("availbe<>=&|()[]'\"\\ 50.,in_u\n"), max_size=40))
def test_any_text_is_read_or_refused_with_a_position(text: str) -> None:
    try:
        found: Predicate | SyntaxMistake = parse(text)
    except SyntaxMistake as wrong:
        found = wrong
    assert not isinstance(found, SyntaxMistake) or 1 <= found.line <= text.count("\n") + 1


def test_trees_are_counted_and_measured() -> None:
    tree = parse("available < 5 && (sku == 'A' || sku == 'B' && on_hand > 1)")
    assert (parts(tree), depth(tree)) == (4, 3)


# --- as a rule ---


def define(condition: object, **fields: object) -> RuleDefinition:
    return RuleDefinition.model_validate(
        {"name": {"en": "Rule"}, "kind": "custom", "condition": condition} | fields
    )


def test_a_custom_rule_fires_recovers_and_counts_dips() -> None:
    made = define("available < 20").rule("rule", 1)
    opened = evaluate(made, standing(level(19)), None)
    assert opened.transition is not None
    assert (opened.reason, opened.transition.level.value) == (Reason.FIRED, "watch")
    assert opened.transition.facts.threshold is None
    assert evaluate(made, standing(level(20)), opened.condition).reason is Reason.RECOVERED
    steps = hear(made, standing(level(50, low_water=3)), None)
    assert [step.reason for step in steps] == [Reason.DIPPED, Reason.RECOVERED]


def test_an_episode_lasts_until_its_clear_condition_holds() -> None:
    made = define("available < 20", clear_condition="available > 30").rule("rule", 1)
    opened = evaluate(made, standing(level(19)), None)
    # Back over the condition, and under it again: one episode, as with an exit limit.
    for units in (25, 19, 30):
        stays = evaluate(made, standing(level(units)), opened.condition)
        assert (stays.reason, stays.transition) == (Reason.FIRING, None)
    assert evaluate(made, standing(level(31)), opened.condition).reason is Reason.RECOVERED
    assert evaluate(made, standing(level(25)), None).reason is Reason.CLEAR


def test_what_holds_ends_by_no_clear_condition() -> None:
    made = define("available < 20", clear_condition="on_hand >= 0").rule("rule", 1)
    opened = evaluate(made, standing(level(19)), None)
    assert evaluate(made, standing(level(18)), opened.condition).reason is Reason.FIRING


def test_text_and_tree_make_the_same_rule() -> None:
    tree = {"field": "available", "comparison": "<", "value": {"field": "reorder_point"}}
    assert define("available < reorder_point") == define(tree)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"condition": None}, "needs a condition"),
        ({"kind": "stock_out", "condition": "available < 5"}, "no other may have one"),
        ({"levels": [{"level": "watch", "enter": 5}]}, "no limits"),
        ({"levels": [{"level": "watch"}, {"level": "out"}]}, "one level"),
        ({"condition": "available < 5 && stok > 1"}, "line 1, column 18: there is no field stok"),
        ({"condition": " || ".join(["available < 5"] * 101)}, "at most 100"),
        (
            {"condition": {"field": "stok", "comparison": "<", "value": 1}},
            "there is no field stok",
        ),
        ({"condition": {"any": []}}, "at least 1"),
        ({"clear_condition": "available > stok"}, "there is no field stok"),
        ({"clear_condition": " || ".join(["available < 5"] * 100)}, "at most 100"),
        ({"kind": "stock_out", "condition": None, "clear_condition": "available > 5"}, "leave it"),
        (
            {"subject": "pool", "pool": "web", "clear_condition": "warehouse == 'W'"},
            "warehouse belongs to one warehouse",
        ),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(fields: dict[str, object], words: str) -> None:
    body = {"name": {"en": "Rule"}, "kind": "custom", "condition": "available < 5"} | fields
    with pytest.raises(ValidationError, match=words):
        RuleDefinition.model_validate(body)


def test_days_pass_for_a_condition_too() -> None:
    made = define("days_known >= 7").rule("rule", 1)
    assert made.asks_day
    assert made.asks_parameters
    first = SalesHistory.begin(NOON - timedelta(days=7), 0)
    assert evaluate(made, standing(level(3), sales=first), None).reason is Reason.FIRED
