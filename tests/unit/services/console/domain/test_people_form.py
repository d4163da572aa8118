"""Changing one row or one part of a person loses nothing else."""

import pytest

from services.console.domain.people_form import (
    CHAT_IDS,
    agrees,
    group_body,
    group_values,
    lines_of,
    person_body,
    person_values,
    replaced,
    row_number,
    row_of,
    row_values,
)

DRINKS = {"category": "饮料", "warehouse": "north", "owner": "lin", "deputy": None, "manager": None}
REST = {"category": None, "warehouse": None, "owner": None, "deputy": None, "manager": "li"}


def test_what_the_form_of_a_person_does_not_show_stays() -> None:
    person = {"id": "lin", "name": "林", "language": "zh-CN", "email": "l@x.example", "team": "a"}
    values = person_values(person) | {"email": " ", "name": "林晓"}
    body = person_body(values, person)
    assert body["team"] == "a"
    assert body["name"] == "林晓"
    assert body["email"] is None
    assert "id" not in body


def test_a_person_has_an_id_with_each_vendor_or_none() -> None:
    values = person_values({"id": "lin", "name": "林", "slack_user_id": "U012AB3CD"})
    assert {name: values[name] for name in CHAT_IDS} == {
        "wecom_userid": "",
        "dingtalk_userid": "",
        "feishu_open_id": "",
        "slack_user_id": "U012AB3CD",
    }
    body = person_body(values | {"slack_user_id": " ", "feishu_open_id": " ou_1a "}, {})
    assert (body["slack_user_id"], body["feishu_open_id"]) == (None, "ou_1a")


def test_what_the_form_of_a_row_does_not_show_stays() -> None:
    row = DRINKS | {"supplier": "acme", "warehouse_group": None, "since": "2026"}
    assert row_of(row_values(row) | {"deputy": "li"}, row) == row | {"deputy": "li"}


def test_a_row_is_moved_from_a_warehouse_to_a_group() -> None:
    values = row_values(DRINKS) | {"warehouse": "", "warehouse_group": "east"}
    row = row_of(values, DRINKS)
    assert (row["warehouse"], row["warehouse_group"]) == (None, "east")
    assert agrees(row, "华东", {"east": "华东"})


def test_rows_that_others_changed_meanwhile_stay() -> None:
    by_others = REST | {"owner": "anna"}
    table, at = replaced([by_others, DRINKS], DRINKS, DRINKS | {"deputy": "li"}) or ([], -1)
    assert table == [by_others, DRINKS | {"deputy": "li"}]
    assert at == 1


def test_a_row_that_somebody_else_changed_is_not_overwritten() -> None:
    assert replaced([REST], DRINKS, DRINKS | {"deputy": "li"}) is None


def test_rows_are_added_and_taken_away() -> None:
    assert replaced([REST], None, DRINKS) == ([REST, DRINKS], 1)
    assert replaced([REST, DRINKS], REST, None) == ([DRINKS], 0)


def test_what_is_so_already_stays() -> None:
    after = DRINKS | {"deputy": "li"}
    stored = after | {"supplier": None, "warehouse_group": None, "since": "2026"}
    assert replaced([REST, stored], DRINKS, after) == ([REST, stored], 1)
    assert replaced([REST, stored], None, after) == ([REST, stored], 1)
    assert replaced([REST], DRINKS, None) == ([REST], 1)


def test_a_row_that_somebody_else_changed_is_not_taken_away() -> None:
    assert replaced([REST, DRINKS | {"deputy": "li"}], DRINKS, None) is None


def test_errors_name_row_and_column() -> None:
    assert row_number("items.3.owner") == (3, "owner")
    assert row_number("items") is None


def test_rows_are_found_by_the_names_of_what_they_name() -> None:
    assert agrees(DRINKS, "林晓", {"lin": "林晓"})
    assert agrees(DRINKS, "NORTH", {})
    assert not agrees(DRINKS, "south", {"north": "北仓"})


@pytest.mark.parametrize(
    ("sheet", "lines"),
    [
        ('\ufeffcategory,owner\r\n"a,b",lin\r\n', ["category,owner", "a,b,lin"]),
        ("category,owner\rdrinks,lin\r", ["category,owner", "drinks,lin"]),
        ("category,owner\n\n,\ndrinks,lin\n", ["category,owner", "", ",", "drinks,lin"]),
        (f"category,owner\n{'x' * 200_000},lin\n", []),
    ],
    ids=["with marks", "of an old Macintosh", "with blank lines", "a cell too long"],
)
def test_a_sheet_is_shown_line_by_line_as_far_as_it_is_csv(sheet: str, lines: list[str]) -> None:
    assert lines_of(sheet) == lines


def test_a_group_keeps_what_its_form_does_not_show() -> None:
    group = {"id": "east", "name": "East", "warehouses": ["a", "b"], "quite_new": 1}
    values = group_values(group) | {"name": " East coast "}
    changed = {"name": "East coast", "warehouses": ["a", "b"], "quite_new": 1}
    assert group_body(values, group) == changed
    assert group_body(group_values(None), {}) == {"name": "", "warehouses": []}
