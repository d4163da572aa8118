"""Rows and text of a condition, one filled from the other."""

from services.alerting.domain import cel
from services.console.domain.rule_form import CLEAR, blank, of_kind
from services.console.domain.rule_mistakes import Mistake
from services.console.pages.condition import Condition
from services.console.pages.rule_view import excerpt
from services.console.upstream.rules import Verdict


def clears(text: str) -> Verdict:
    tree = cel.parse(text).model_dump(mode="json")
    rule = {"condition": cel.parse("moq < 3").model_dump(mode="json"), "clear_condition": tree}
    return Verdict(valid=True, rule=rule, cel="moq < 3", clear_cel=text)


def understood(text: str) -> Verdict:
    tree = cel.parse(text).model_dump(mode="json")
    return Verdict(valid=True, rule={"condition": tree}, cel=text)


def test_text_becomes_rows_once_it_is_understood() -> None:
    values = of_kind(blank(), "custom") | {"mode": "text", "cel": "moq <"}
    condition = Condition("condition")
    condition.take(values, Verdict(valid=False))
    assert condition.act(values, "mode", "rows")
    assert (values["mode"], condition.refused) == ("text", "mend")
    condition.take(values, understood("moq < 3"))
    condition.act(values, "mode", "rows")
    assert (values["mode"], values["row.1.field"], values["row.1.value"]) == ("rows", "moq", "3")


def test_nested_text_stays_text() -> None:
    values = of_kind(blank(), "custom") | {"mode": "text"}
    condition = Condition("condition")
    condition.take(values, understood("moq < 3 && (moq > 1 || moq == 0)"))
    condition.act(values, "mode", "rows")
    assert (values["mode"], condition.refused) == ("text", "nested")
    condition.take(values, understood("moq < 3 && (moq > 1 || moq == 0)"))
    assert condition.refused == "nested", "the same was only checked again"
    condition.take(values, understood("moq < 3"))
    assert condition.refused == ""


def test_the_text_follows_the_rows_and_never_what_is_typed_as_text() -> None:
    values = of_kind(blank(), "custom")
    condition = Condition("condition")
    condition.take(values, understood("moq < 3"))
    assert values["cel"] == "moq < 3"
    values |= {"mode": "text", "cel": "moq   < 3"}
    condition.take(values, understood("moq < 3"))
    assert values["cel"] == "moq   < 3"


def test_rows_are_added_and_taken_away_but_for_the_last() -> None:
    values = of_kind(blank(), "custom")
    condition = Condition("condition")
    condition.act(values, "row-add", "")
    assert values["rows"] == "1,2"
    condition.act(values, "row-remove", "1")
    condition.act(values, "row-remove", "2")
    assert values["rows"] == "2"
    assert not condition.act(values, "save", "")


def test_another_field_takes_a_comparison_that_fits_it() -> None:
    values = of_kind(blank(), "custom") | {"row.1.field": "stock_class"}
    Condition("condition").typed(values, "row.1.field")
    assert (values["row.1.comparison"], values["row.1.of"]) == ("==", "")


def test_a_clear_condition_is_edited_by_itself() -> None:
    values = of_kind(blank(), "custom") | {"clear": "yes"}
    before = dict(values)
    clear = Condition("clear_condition", CLEAR)
    clear.take(values, clears("moq > 5"))
    assert (values["clear.cel"], clear.text) == ("moq > 5", "moq > 5")
    assert not clear.act(values, "row-add", "")
    assert clear.act(values, "clear.mode", "text")
    assert clear.act(values, "clear.mode", "rows")
    assert clear.act(values, "clear.row-add", "")
    values["clear.row.2.field"] = "stock_class"
    clear.typed(values, "clear.row.2.field")
    own = ("clear.rows", "clear.row.1.field", "clear.row.1.value", "clear.row.2.comparison")
    assert [values[name] for name in own] == ["1,2", "moq", "5", "=="]
    assert {name: values[name] for name in before if not name.startswith(CLEAR)} == {
        name: value for name, value in before.items() if not name.startswith(CLEAR)
    }


def test_the_excerpt_is_the_line_with_its_sign() -> None:
    at = Mistake("condition", "so", line=2, column=3)
    assert excerpt("a\nbcde", at) == ("bc", "d", "e")
    assert excerpt("ab", Mistake("condition", "so", line=1, column=3)) == ("ab", " ", "")
    assert excerpt("ab", None) is None
