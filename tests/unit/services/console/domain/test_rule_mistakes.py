"""What alerting says is wrong stands beside the field, in the viewer's language."""

import pytest
from pydantic import ValidationError

from services.alerting.domain.definition import RuleDefinition
from services.console.domain.active_form import WEEKDAYS
from services.console.domain.language import Language
from services.console.domain.rule_form import blank, filled, of_kind
from services.console.domain.rule_mistakes import Mistake, mistake
from shared.http.problems import field_errors

WINDOW = {"active": "window"}
NO_DAYS = {f"active__days__{day}": "" for day in WEEKDAYS}


def mistakes(language: Language, kind: str, **fields: str) -> list[Mistake]:
    """Return what the form of a named rule shows, after alerting has looked at it."""
    changed = {name.replace("__", "."): value for name, value in fields.items()}
    values = of_kind(blank(), kind) | {"name.en": "Mine"} | changed
    definition = filled(values, {}).definition
    with pytest.raises(ValidationError) as caught:
        RuleDefinition.model_validate(definition)
    return [
        mistake(one["field"], one["message"], definition, language)
        for one in field_errors(caught.value.errors())
    ]


def only(language: Language, kind: str, **fields: str) -> Mistake:
    (found,) = mistakes(language, kind, **fields)
    return found


@pytest.mark.parametrize(
    ("kind", "fields", "field", "words"),
    [
        ("below", {"level__watch": "", "level__urgent": ""}, "levels", "至少启用一个级别"),
        ("below", {"level__watch__exit": "1"}, "levels", "恢复的界限不能低于"),
        ("overstock", {"level__watch__exit": "99"}, "levels", "恢复的界限不能高于"),
        ("below", {"level__urgent__enter": "99"}, "levels", "更严重的级别"),
        ("below", {"level__watch__enter": "1e13"}, "level.watch.enter", "不能大于"),
        ("below", {"filter__grace_days": "500"}, "filter.grace_days", "不能大于 366"),
        ("below", {"filter__grace_days": "1.5"}, "filter.grace_days", "请填整数"),
        ("below", {"pending": "9999999"}, "pending", "不能大于"),
        ("below", {"subject": "pool", "scope__warehouses": "N"}, "pool", "起个合称"),
        ("broken_size_run", {"level__watch__enter": "70"}, "levels", "不超过 1"),
        ("broken_size_run", {"level__watch__exit": "2"}, "levels", "不能超过 1"),
        ("below", {**WINDOW, "active__zone": "Moon"}, "active.zone", "没有这个时区"),
        ("below", {**WINDOW, "active__from": ""}, "active.from", "请填时间"),
        ("below", {**WINDOW, **NO_DAYS}, "active.days", "至少选一天"),
        (
            "data_doubt",
            {f"doubt__{one}": "" for one in ("negative", "not_ordered", "in_doubt", "unusual")},
            "doubts",
            "至少选一项",
        ),
        ("data_doubt", {"doubt__channels": "web"}, "doubt.silent", "就填多久没有消息"),
        ("data_doubt", {"doubt__silent": "0.01"}, "doubt.silent", "5 分钟到 30 天"),
        ("data_doubt", {"doubt__silent": "721"}, "doubt.silent", "5 分钟到 30 天"),
        (
            "data_doubt",
            {"doubt__silent": "1", "doubt__channels": "a/b\x00"},
            "doubt.channels",
            "String should",
        ),
        (
            "data_doubt",
            {"doubt__count_older_than_days": "0"},
            "doubt.count_older_than_days",
            "不能小于 1",
        ),
    ],
    ids=str,
)
def test_a_mistake_is_beside_its_field(
    kind: str, fields: dict[str, str], field: str, words: str
) -> None:
    found = only(Language.CHINESE, kind, **fields)
    assert found.field == field
    assert words in found.words


def test_a_rule_without_a_name_is_told_so() -> None:
    found = only(Language.CHINESE, "below", name__en="")
    assert found.field == "name"
    assert found.words == "至少填一个名称。"


@pytest.mark.parametrize(
    ("text", "line", "column", "zh", "en"),
    [
        ("", 1, 1, "这里要写字段", "A field, a number"),
        ("availble < 3", 1, 1, "没有字段 availble", "There is no field availble"),
        ("available <\n 3 3", 2, 4, "接着用 && 或 ||", "Go on with && or ||"),
        ("available ~ 3", 1, 11, "这里看不懂", "This is not understood"),
        ("(available < 3", 1, 15, "缺少右括号", "Close the bracket"),
        ('available < "3"', 1, 1, "available 是数字", "available is a number"),
        ("sku < 3", 1, 1, "sku 是文字", "sku is a text"),
        ('sku in ["a"', 1, 12, "缺少右方括号", "Close the list"),
        ("3 < 4", 1, 1, "有一边要是字段", "One side must be a field"),
        ("available 3", 1, 11, "这里要写比较", "A comparison belongs here"),
    ],
)
def test_a_mistake_in_a_text_has_its_position(
    text: str, line: int, column: int, zh: str, en: str
) -> None:
    for language, words in ((Language.CHINESE, zh), (Language.ENGLISH, en)):
        found = only(language, "custom", mode="text", cel=text)
        assert (found.field, found.line, found.column) == ("condition", line, column)
        assert words in found.words


def test_a_mistake_in_a_clear_condition_is_beside_that() -> None:
    fields = {"clear": "yes", "clear__mode": "text", "clear__cel": "available >\n 3 3"}
    found = only(Language.ENGLISH, "custom", **fields)
    assert (found.field, found.line, found.column) == ("clear_condition", 2, 4)


def test_a_calendar_that_there_is_not_is_named_in_both_languages() -> None:
    said = "There is no working calendar shop; see /v1/working-calendars, or make one with PUT."
    found = mistake("active.calendar", said, {}, Language.CHINESE)
    assert found == Mistake("active", "没有工作日历 shop。")


def test_a_playbook_that_there_is_not_is_named_beside_its_field() -> None:
    said = "There is no playbook quick; see /v1/playbooks, or make one with PUT."
    found = mistake("playbook", said, {}, Language.ENGLISH)
    assert found == Mistake("playbook", "There is no playbook quick; choose another.")


def test_an_owner_who_is_nobody_is_named_beside_the_field_in_both_languages() -> None:
    said = "There is no person zoe; see /v1/people, or make one with PUT."
    for language, words in (
        (Language.CHINESE, "人员里没有 zoe，请另选。"),
        (Language.ENGLISH, "There is no person zoe; choose another."),
    ):
        assert mistake("owner", said, {}, language) == Mistake("owner", words)


def test_what_is_not_known_yet_is_shown_as_it_is() -> None:
    assert mistake("labels", "quite new", {}, Language.CHINESE).words == "quite new"
