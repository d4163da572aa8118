"""Rules as people write them: what may be left out, and what makes no sense."""

import pytest
from pydantic import ValidationError

from services.alerting.domain.definition import RuleDefinition
from services.alerting.domain.kind import TRAITS, RuleKind
from services.alerting.domain.rule import Doubts, Filters, Scope
from shared.events.stock_alerts import SubjectKind


def define(kind: str, *levels: dict[str, object], **fields: object) -> RuleDefinition:
    return RuleDefinition.model_validate(
        {"name": {"en": "Rule"}, "kind": kind, "levels": list(levels)} | fields
    )


@pytest.mark.parametrize(
    ("kind", "level", "enter"),
    [
        ("stock_out", "out", 0),
        ("below_safety_stock", "urgent", 1),
        ("below_reorder_point", "watch", 1),
        ("negative", "urgent", 0),
        ("data_doubt", "watch", 1),
        ("inbound_overdue", "watch", 1),
        ("run_out_before_inbound", "urgent", 0),
    ],
)
def test_a_kind_with_a_limit_of_its_own_needs_none(kind: str, level: str, enter: float) -> None:
    (limit,) = define(kind).rule("rule", 1).limits
    assert (limit.level.value, limit.enter, limit.exit) == (level, enter, enter)
    assert define(kind, {"level": "out"}).rule("rule", 1).limits[0].enter == enter


@pytest.mark.parametrize("kind", ["below", "days_of_cover", "overstock"])
def test_the_other_kinds_need_one(kind: str) -> None:
    incomplete: list[list[dict[str, object]]] = [[], [{"level": "watch"}]]
    for levels in incomplete:
        with pytest.raises(ValidationError, match="at least one level"):
            define(kind, *levels)


@pytest.mark.parametrize(
    ("levels", "problem"),
    [
        ([{"level": "watch", "enter": 90, "exit": 91}], "must not be over its enter limit"),
        (
            [{"level": "watch", "enter": 90}, {"level": "urgent", "enter": 80}],
            "limits of urgent must not be under those of watch",
        ),
    ],
)
def test_where_more_is_worse_limits_go_the_other_way(
    levels: list[dict[str, object]], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        define("overstock", *levels)
    for level in levels:
        level["enter"] = 100 if level["level"] == "watch" else 200
    assert len(define("overstock", *levels).levels) == len(levels)


@pytest.mark.parametrize(
    ("kind", "fields", "problem"),
    [
        ("negative", {"filters": {"covered_by_inbound": True}}, "covered_by_inbound"),
        ("stock_out", {"doubts": {"flags": ["negative"]}}, "data_doubt"),
        ("data_doubt", {"doubts": {"flags": []}}, "count_older_than_days"),
        ("stock_out", {"filters": {"grace_days": -1}}, "grace_days"),
        ("stock_out", {"filters": {"mute": True}}, "mute"),
        ("stock_out", {"filters": {"trend_at_least": 1.1}}, "trend_at_least"),
        ("negative", {"filters": {"trend_at_least": 0.5}}, "warns of no shortage"),
    ],
)
def test_what_does_not_belong_to_a_kind_is_refused(
    kind: str, fields: dict[str, object], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        define(kind, **fields)


def test_filters_and_doubts_are_what_was_written() -> None:
    filters = {
        "min_daily_sales": 0.5,
        "grace_days": 14,
        "inhibited_by_out": True,
        "trend_at_least": 0.6,
    }
    made = define("stock_out", filters=filters).rule("rule", 1)
    assert made.filters == Filters(
        0.5, 14, covered_by_inbound=False, inhibited_by_out=True, trend_at_least=0.6
    )
    doubt = define("data_doubt", doubts={"flags": ["unusual"], "count_older_than_days": 90})
    assert doubt.rule("rule", 1).doubts == Doubts(frozenset({"unusual"}), 90)


def test_a_doubt_is_any_flag_unless_said() -> None:
    flags = define("data_doubt").rule("rule", 1).doubts.flags
    assert flags == {"negative", "not_ordered", "in_doubt", "unusual"}


@pytest.mark.parametrize("kind", RuleKind)
def test_a_definition_comes_back_from_storage_as_it_was(kind: RuleKind) -> None:
    is_custom = kind is RuleKind.CUSTOM
    own: dict[str, object] = {"condition": "available < 5 || sku in ['A']"} if is_custom else {}
    if SubjectKind.LEVEL not in TRAITS[kind].subjects:
        own["subject"] = "product"
    made = define(kind.value, {"level": "out", "enter": 0 if kind == "stock_out" else 1}, **own)
    assert RuleDefinition.model_validate_json(made.model_dump_json()) == made


def test_a_scope_names_classes_and_suppliers() -> None:
    scope = {"classes": ["A", "B"], "suppliers": ["acme"]}
    made = define("stock_out", scope=scope).rule("rule", 1)
    assert made.scope == Scope(classes=frozenset({"A", "B"}), suppliers=frozenset({"acme"}))
    assert made.asks_parameters
    assert not define("stock_out").rule("rule", 1).asks_parameters


@pytest.mark.parametrize("scope", [{"classes": ["A"]}, {"suppliers": ["acme"]}])
def test_a_product_has_no_class_and_no_supplier(scope: dict[str, object]) -> None:
    limit = {"level": "watch", "enter": 0.5}
    with pytest.raises(ValidationError, match="leave classes and suppliers out, or watch levels"):
        define("broken_size_run", limit, subject="product", scope=scope)


POOL: dict[str, object] = {"subject": "pool", "pool": "online", "scope": {"warehouses": ["N"]}}


def test_a_pool_of_all_warehouses_needs_no_name() -> None:
    found = define("stock_out", subject="pool").rule("rule", 1)
    assert (found.pool, found.pools("anywhere")) == ("all", True)
    assert define("stock_out", **POOL).rule("rule", 1).pools("S") is False


@pytest.mark.parametrize("kind", [each for each in RuleKind if "pool" in TRAITS[each].subjects])
def test_what_adds_up_can_be_asked_of_a_pool(kind: RuleKind) -> None:
    level: dict[str, object] = (
        {"level": "out"} if TRAITS[kind].level else {"level": "out", "enter": 3}
    )
    condition = {"condition": "available < 3"} if kind is RuleKind.CUSTOM else {}
    assert define(kind, level, **POOL, **condition).subject == "pool"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"kind": "negative", "levels": []}, "use one of stock_out, below, days_of_cover"),
        ({"pool": None}, "say with pool"),
        ({"subject": "level"}, "a level is in no pool"),
        ({"subject": "level", "pool": None, "covers_levels": True}, "leave it out"),
        ({"kind": "broken_size_run"}, "or the subject product"),
        ({"filters": {"inhibited_by_out": True}}, "between rules of one level"),
        (
            {"kind": "custom", "levels": [], "condition": "available < reorder_point"},
            "reorder_point belongs to one warehouse",
        ),
    ],
)
def test_what_means_nothing_for_a_pool_is_refused(fields: dict[str, object], problem: str) -> None:
    body = {"name": {"en": "Pool"}, "kind": "below", "levels": [{"level": "watch", "enter": 20}]}
    with pytest.raises(ValidationError, match=problem):
        RuleDefinition.model_validate(body | POOL | fields)


PRODUCT: dict[str, object] = {"subject": "product", "kind": "broken_size_run"}


def test_a_product_is_watched_over_all_warehouses_or_a_pool() -> None:
    body = {"name": {"en": "Run"}, "levels": [{"level": "watch", "enter": 0.6}]} | PRODUCT
    assert RuleDefinition.model_validate(body).rule("rule", 1).pool == "all"
    named = {"pool": "online", "scope": {"warehouses": ["N"]}}
    assert RuleDefinition.model_validate(body | named).rule("rule", 1).pools("S") is False


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"kind": "below"}, "use one of broken_size_run, or the subject level or pool"),
        ({"levels": []}, "at least one level"),
        ({"levels": [{"level": "watch", "enter": 60}]}, "a limit is a share"),
        ({"levels": [{"level": "watch", "enter": 0.5, "exit": 2}]}, "never reached"),
        ({"scope": {"warehouses": ["N"]}}, "say with pool"),
        ({"pending_seconds": 60}, "nobody waits"),
        ({"active": {"calendar": "office"}}, "nobody waits"),
        ({"filters": {"grace_days": 3}}, "about one SKU"),
        ({"covers_levels": True}, "leave it out"),
    ],
)
def test_what_means_nothing_for_a_product_is_refused(
    fields: dict[str, object], problem: str
) -> None:
    body = {"name": {"en": "Run"}, "levels": [{"level": "watch", "enter": 0.6}]} | PRODUCT
    with pytest.raises(ValidationError, match=problem):
        RuleDefinition.model_validate(body | fields)
