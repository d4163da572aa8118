"""The body of an import: three forms, each line by itself."""

import json
from http import HTTPStatus

import pytest

from services.alerting.api.parameter_import import MAX_LINES, Sheet, read
from services.alerting.domain.parameter_values import EXPECTED, ParameterLine
from services.alerting.domain.parameters import Parameters
from shared.http.problems import Problem

GOOD = {"sku": "A", "warehouse": "W", "safety_stock": 40, "lead_time_days": 7.5}


def array(*entries: object) -> Sheet:
    return read(json.dumps(entries).encode(), "application/json; charset=utf-8")


def table(text: str) -> Sheet:
    return read(text.encode(), "text/csv")


def mistakes(sheet: Sheet) -> list[tuple[int, str, str]]:
    return [(each.index, each.field, each.code) for each in sheet.rejected]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps([GOOD]), "application/json"),
        (json.dumps(GOOD) + "\n\n", "application/x-ndjson"),
        ("sku,warehouse,safety_stock,lead_time_days,moq\r\nA,W,40,7.5,\r\n\r\n", "text/csv"),
        ("\ufeffwarehouse, lead_time_days,safety_stock,sku\nW,7.5,40, A \n", "Text/CSV"),
    ],
)
def test_the_three_forms_say_the_same(body: str, kind: str) -> None:
    sheet = read(body.encode(), kind)
    assert sheet.rejected == []
    (line,) = sheet.lines
    assert (line.sku, line.warehouse) == ("A", "W")
    assert line.parameters() == Parameters(safety_stock=40, lead_time_days=7.5)
    assert line.said == {"safety_stock", "lead_time_days"}


def test_a_line_with_a_mistake_leaves_the_others_as_they_are() -> None:
    sheet = array(GOOD, GOOD | {"sku": "B", "moq": 0}, GOOD | {"sku": "C"})
    assert [line.sku for line in sheet.lines] == ["A", "C"]
    assert mistakes(sheet) == [(1, "moq", "greater_than_equal")]
    assert sheet.rejected[0].message.endswith(f"send {EXPECTED['moq']}")


def test_all_mistakes_of_a_line_are_one_entry() -> None:
    sheet = array({"sku": "A|B", "moq": 0, "colour": "red"})
    (rejected,) = sheet.rejected
    assert rejected.field == "moq"
    assert {each.field for each in rejected.also} == {"sku", "colour"}


@pytest.mark.parametrize(
    ("entry", "field", "code"),
    [
        (7, "", "not_an_object"),
        ({"warehouse": "W", "moq": 1}, "sku", "missing"),
        ({"sku": "A"}, "", "nothing_set"),
        (GOOD | {"safety_stock": 1.5}, "safety_stock", "int_from_float"),
        (GOOD | {"lead_time_days": -1}, "lead_time_days", "greater_than_equal"),
        (GOOD | {"unit_cost": "1.23456"}, "unit_cost", "decimal_max_places"),
        (GOOD | {"colour": "red"}, "colour", "extra_forbidden"),
    ],
)
def test_what_is_wrong_has_a_field_a_code_and_what_to_do(
    entry: object, field: str, code: str
) -> None:
    sheet = array(entry)
    assert mistakes(sheet) == [(0, field, code)]
    assert "send " in sheet.rejected[0].message


def test_a_set_that_comes_twice_is_taken_once() -> None:
    sheet = array(GOOD, GOOD | {"warehouse": None}, GOOD | {"safety_stock": 1})
    assert [line.warehouse for line in sheet.lines] == ["W", None]
    assert mistakes(sheet) == [(2, "sku", "repeated")]


def test_null_takes_a_value_away_and_an_empty_cell_says_nothing() -> None:
    (line,) = array({"sku": "A", "moq": None}).lines
    assert line.said == {"moq"}
    assert line.parameters().moq is None
    (line,) = table("sku,moq,price\nA,,2.50\n").lines
    assert line.said == {"price"}


def test_a_line_of_ndjson_that_is_no_json_is_rejected_alone() -> None:
    sheet = read(json.dumps(GOOD).encode() + b"\n{", "application/x-ndjson")
    assert len(sheet.lines) == 1
    assert mistakes(sheet) == [(1, "", "not_an_object")]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"sku": "A", "moq": 1}\n\n{"sku": "B", "moq": 0}\n', "application/x-ndjson"),
        ("sku,moq\nA,1\n\nB,0\n", "text/csv"),
        ("sku,moq\nA,1\n,\nB,0\n", "text/csv"),
        ("sku,moq\nA,1\n , \nB,0\n", "text/csv"),
    ],
)
def test_a_mistake_has_the_place_of_its_line_blank_ones_counted(body: str, kind: str) -> None:
    assert mistakes(read(body.encode(), kind)) == [(2, "moq", "greater_than_equal")]


def test_a_cell_without_a_name_is_a_mistake_of_its_line() -> None:
    sheet = table("sku,moq\nA,1,9\nB,1\n")
    assert [line.sku for line in sheet.lines] == ["B"]
    assert mistakes(sheet) == [(0, "", "extra_forbidden")]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "application/json", HTTPStatus.BAD_REQUEST, "not_json"),
        (b"{}", "application/json", HTTPStatus.BAD_REQUEST, "not_an_array"),
        (b"sku,colour\nA,red\n", "text/csv", HTTPStatus.BAD_REQUEST, "unknown_columns"),
        (b"moq\n1\n", "text/csv", HTTPStatus.BAD_REQUEST, "unknown_columns"),
        (b"sku,moq,moq\nA,1,2\n", "text/csv", HTTPStatus.BAD_REQUEST, "unknown_columns"),
        (b"", "text/csv", HTTPStatus.BAD_REQUEST, "unknown_columns"),
        ("sku,supplier\nA,钢笔".encode("gbk"), "text/csv", HTTPStatus.BAD_REQUEST, "not_utf8"),
        (b'sku,moq\n"A"x,1\n', "text/csv", HTTPStatus.BAD_REQUEST, "not_csv"),
        (b"[]", "", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
        (
            b"sku,moq\n" + b"A,1\n" * (MAX_LINES + 1),
            "text/csv",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too_large",
        ),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused_as_a_whole(
    body: bytes, kind: str, status: HTTPStatus, code: str
) -> None:
    with pytest.raises(Problem) as refused:
        read(body, kind)
    assert (refused.value.status, refused.value.code) == (status, code)


def test_every_field_has_words_for_what_it_has_to_be() -> None:
    assert set(EXPECTED) == set(ParameterLine.model_fields)
