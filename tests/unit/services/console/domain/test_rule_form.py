"""A form says what its rule says, and what alerting would make of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerting.domain import cel, fields
from services.alerting.domain.definition import RuleDefinition
from services.alerting.domain.kind import TRAITS, RuleKind
from services.console.domain.condition_rows import NUMBERS, TEXTS, NoNumber, rows_of, tree_of
from services.console.domain.rule_form import blank, filled, of_kind, values_of
from services.console.domain.rule_kinds import BY_KIND, KINDS, LEVELS

NAME = {"zh-CN": "规则", "en": "Rule"}
NIGHT = {"days": ["fri", "sun"], "from": "22:00", "until": "06:00"}


def told(**parts: object) -> dict[str, object]:
    """Return a definition as alerting tells it."""
    rule = RuleDefinition.model_validate({"name": NAME, "kind": "below"} | parts)
    return rule.model_dump(mode="json")


def round_trip(definition: dict[str, object]) -> dict[str, object]:
    rule = RuleDefinition.model_validate(definition)
    conditions = (rule.condition, rule.clear_condition)
    texts = [None if each is None else cel.write(each) for each in conditions]
    form = filled(values_of(definition, *texts), definition)
    assert form.no_numbers == frozenset()
    return RuleDefinition.model_validate(form.definition).model_dump(mode="json")


UNLIKE = {"stock_out", "custom", "data_doubt", "negative", "broken_size_run"}
LIMITED = [kind for kind in KINDS if kind not in UNLIKE]


@given(
    kind=st.sampled_from(LIMITED),
    level=st.sampled_from(LEVELS),
    enter=st.floats(1, 10_000),
    gap=st.floats(0, 50),
    pending=st.integers(0, 7_776_000),
    grace=st.integers(0, 366),
    sales=st.floats(0, 1_000),
    places=st.lists(st.sampled_from(["north", "south", "a,b"]), unique=True),
)
def test_what_a_form_is_filled_with_is_what_it_says(
    kind: str,
    level: str,
    enter: float,
    gap: float,
    pending: int,
    grace: int,
    sales: float,
    places: list[str],
) -> None:
    sign = -1 if BY_KIND[kind].above else 1
    enter, leave = round(enter, 3), round(enter + sign * gap, 3)
    definition = told(
        kind=kind,
        levels=[{"level": level, "enter": enter, "exit": leave}],
        pending_seconds=pending,
        filters={"grace_days": grace, "min_daily_sales": round(sales, 2)},
        scope={"warehouses": places, "categories": places},
        labels={"team": "kitchen, north"},
    )
    assert round_trip(definition) == definition


@pytest.mark.parametrize(
    "parts",
    [
        {"kind": "stock_out", "levels": [{"level": "urgent", "enter": 0, "exit": 5}]},
        {
            "kind": "below_safety_stock",
            "filters": {"trend_at_least": 0.07},
            "scope": {"classes": ["A", "B"]},
        },
        {"kind": "stock_out", "subject": "pool", "pool": "web", "scope": {"suppliers": ["acme"]}},
        {"kind": "negative"},
        {"kind": "data_doubt", "doubts": {"flags": ["unusual"], "count_older_than_days": 30}},
        {
            "kind": "data_doubt",
            "doubts": {"flags": [], "channel_silent_minutes": 90, "channels": ["web", "pos"]},
        },
        {"kind": "data_doubt", "doubts": {"flags": ["recounted", "in_doubt", "negative"]}},
        {"kind": "custom", "condition": "available < 3 && (on_hand > 1 || moq == 2)"},
        {"kind": "custom", "condition": 'stock_class in ["AX", "AY"] || available < moq'},
        {
            "kind": "custom",
            "condition": "available < 3 && moq > 1",
            "clear_condition": "available > 9 && (on_hand > 9 || moq == 2)",
        },
        {
            "kind": "custom",
            "condition": "available < 3 && (on_hand > 1 || moq == 2)",
            "clear_condition": "available >= reorder_point && trend_7d < 2",
        },
        {"kind": "below", "levels": [{"level": "watch", "enter": 3}], "enabled": False},
        {
            "kind": "below",
            "levels": [{"level": "watch", "enter": 3}],
            "covers_levels": True,
            "subject": "pool",
            "pool": "online",
            "scope": {"warehouses": ["north"]},
        },
        {"kind": "stock_out", "subject": "pool"},
        {
            "kind": "broken_size_run",
            "subject": "product",
            "levels": [{"level": "watch", "enter": 0.7, "exit": 0.8}],
        },
        {"kind": "stock_out", "active": {"calendar": "office"}},
        {"kind": "stock_out", "active": {"zone": "UTC", "windows": [NIGHT]}},
        {"kind": "stock_out", "active": {"zone": "UTC", "windows": [NIGHT, NIGHT]}},
    ],
    ids=str,
)
def test_special_rules_come_back_as_they_were(parts: dict[str, object]) -> None:
    definition = told(**parts)
    assert round_trip(definition) == definition


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_rule_of_any_kind_only_wants_a_name(kind: str) -> None:
    values = of_kind(blank(), kind) | {"name.en": "Mine"}
    rule = RuleDefinition.model_validate(filled(values, {}).definition)
    assert rule.kind == kind


def test_what_cannot_be_asked_of_a_pool_is_asked_of_levels() -> None:
    pool = of_kind(blank(), "below") | {"subject": "pool", "pool": "online", "covers_levels": "yes"}
    assert filled(pool, {}).definition["subject"] == "pool"
    of_levels = filled(of_kind(pool, "negative"), {}).definition
    said = [of_levels[name] for name in ("subject", "pool", "covers_levels")]
    assert said == ["level", None, False]


def test_a_silence_is_typed_in_any_unit_and_the_rest_of_the_doubts_stays() -> None:
    base = told(kind="data_doubt", doubts={"flags": ["recounted", "in_doubt"]})
    doubts = base["doubts"] | {"quite_new": 1}  # type: ignore[operator] # a dictionary
    typed = {"doubt.silent": "1.5", "doubt.silent.unit": "hours", "doubt.channels": "web\npos"}
    ticks = {"doubt.in_doubt": "", "doubt.unusual": "yes"}
    said = filled(values_of(base, None) | typed | ticks, base | {"doubts": doubts}).definition
    assert said["doubts"] == {
        "flags": ["recounted", "unusual"],
        "count_older_than_days": None,
        "channel_silent_minutes": 90,
        "channels": ["web", "pos"],
        "quite_new": 1,
    }


def test_what_a_kind_cannot_say_is_left_out_when_it_is_chosen() -> None:
    scope = {"classes": ["A"], "suppliers": ["acme"]}
    below = values_of(
        told(kind="below_safety_stock", filters={"trend_at_least": 0.5}, scope=scope), cel=None
    )
    assert below["filter.trend_at_least"] == "50"
    overstock = filled(of_kind(below, "overstock"), {}).definition
    assert overstock["filters"]["trend_at_least"] == 0
    assert overstock["scope"]["classes"] == ["A"]
    sizes = filled(of_kind(below, "broken_size_run"), {"scope": scope}).definition
    assert (sizes["scope"]["classes"], sizes["scope"]["suppliers"]) == ([], [])
    RuleDefinition.model_validate(sizes)


def test_what_the_form_does_not_show_stays() -> None:
    base = told(levels=[{"level": "watch", "enter": 3}]) | {"quite_new": "as it is"}
    said = filled(values_of(base, None), base).definition
    assert said["quite_new"] == "as it is"


def test_a_clear_condition_is_what_its_rows_or_its_text_say_while_it_is_wanted() -> None:
    texts = ("available < 3 && moq > 1", "available > 9 && moq > 1")
    base = told(kind="custom", condition=texts[0], clear_condition=texts[1])
    values = values_of(base, *texts)
    for typed, said in (
        ({"clear.row.1.value": "12"}, "available > 12 && moq > 1"),
        ({"clear.mode": "text", "clear.cel": "on_hand > 5"}, "on_hand > 5"),
        ({"clear": ""}, None),
        ({"kind": "negative"}, None),
    ):
        definition = filled(values | typed, base).definition
        if definition["kind"] == "custom":
            assert definition["condition"] == base["condition"]
        rule = RuleDefinition.model_validate(definition | {"levels": base["levels"]})
        assert (rule.clear_condition and cel.write(rule.clear_condition)) == said
    form = filled(values | {"clear.row.1.value": "many"}, base)
    assert form.no_numbers == {"clear.row.1.value"}


def test_a_playbook_is_the_one_chosen_or_the_default_of_the_level() -> None:
    base = told(levels=[{"level": "watch", "enter": 3}], playbook="quick")
    assert round_trip(base) == base
    values = values_of(base, None)
    other = [filled(values | {"playbook": one}, base).definition for one in ("calm", "")]
    assert [one["playbook"] for one in other] == ["calm", None]


def test_an_owner_is_the_one_chosen_or_whom_the_table_says() -> None:
    base = told(levels=[{"level": "watch", "enter": 3}], owner="lin")
    assert round_trip(base) == base
    values = values_of(base, None)
    other = [filled(values | {"owner": one}, base).definition for one in ("anna", "")]
    assert [one["owner"] for one in other] == ["anna", None]


@pytest.mark.parametrize("typed", ["many", "1.2.3", "inf", "nan", "1e308"])
def test_what_is_no_number_is_named(typed: str) -> None:
    values = of_kind(blank(), "below") | {"level.watch.enter": typed, "pending": "1,000"}
    form = filled(values, {})
    assert form.no_numbers == {"level.watch.enter"}
    assert form.definition["pending_seconds"] == 60_000


@pytest.mark.parametrize("field", ["pending", "doubt.silent"])
def test_a_time_that_no_number_can_hold_is_named(field: str) -> None:
    form = filled(of_kind(blank(), "data_doubt") | {field: "1e308"}, {})
    assert form.no_numbers == {field}


def test_kinds_and_fields_are_those_of_alerting() -> None:
    assert set(KINDS) == set(RuleKind)
    assert all(set(BY_KIND[kind].subjects) == TRAITS[kind].subjects for kind in RuleKind)
    assert set(NUMBERS) == set(fields.NUMBERS)
    assert set(TEXTS) == set(fields.TEXTS)


@pytest.mark.parametrize(
    "text",
    [
        "available < 3",
        "available < 3 || incoming == 0.5",
        'stock_class in ["AX", "B"] && available < reorder_point',
    ],
)
def test_rows_say_what_the_text_says(text: str) -> None:
    tree = cel.parse(text).model_dump(mode="json")
    rows = rows_of(tree)
    assert rows is not None
    again = RuleDefinition.model_validate(
        {"name": NAME, "kind": "custom", "condition": tree_of(rows)}
    )
    assert again.condition is not None
    assert cel.write(again.condition) == text


def test_nested_conditions_have_no_rows() -> None:
    assert rows_of(cel.parse("moq > 1 && (moq < 3 || moq > 9)").model_dump(mode="json")) is None


def test_a_row_compares_numbers_with_numbers() -> None:
    rows = {"rows": "4", "row.4.field": "moq", "row.4.comparison": "<", "row.4.value": "few"}
    with pytest.raises(NoNumber) as caught:
        tree_of(rows)
    assert caught.value.row == "4"
