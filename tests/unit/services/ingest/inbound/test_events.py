import json

import pytest

from services.ingest.domain.mistakes import EXPECTED
from services.ingest.inbound.events import MAX_EVENTS, SubmittedEvent, parse
from shared.http.problems import Problem

GOOD: dict[str, object] = {
    "id": "1",
    "channel": "shop",
    "type": "sale",
    "sku": "A",
    "warehouse": "main",
    "quantity": 1,
    "occurred_at": "2026-03-01T12:00:00Z",
}


def but(**fields: object) -> dict[str, object]:
    return GOOD | fields


def without(field: str) -> dict[str, object]:
    return {name: value for name, value in GOOD.items() if name != field}


def body(value: object) -> bytes:
    return json.dumps(value).encode()


TRANSFER = but(type="transfer_shipped", counterparty="side")

BAD = [
    (without("id"), "id", "missing"),
    (but(id=""), "id", "empty"),
    (but(id=7), "id", "wrong_type"),
    (but(id="x" * 257), "id", "too_long"),
    (but(id="a\nb"), "id", "not_allowed"),
    (but(id="a\n"), "id", "not_allowed"),
    (but(line=None), "line", "wrong_type"),
    (but(line=""), "line", "empty"),
    (but(channel=5), "channel", "wrong_type"),
    (but(channel="a|b"), "channel", "not_allowed"),
    (without("type"), "type", "missing"),
    (but(type="gift"), "type", "unknown_type"),
    (but(type=1), "type", "unknown_type"),
    (without("sku"), "sku", "missing"),
    (but(sku="A|B"), "sku", "not_allowed"),
    (but(sku="A\x00"), "sku", "not_allowed"),
    (but(sku="x" * 129), "sku", "too_long"),
    (without("warehouse"), "warehouse", "missing"),
    (but(warehouse=None), "warehouse", "wrong_type"),
    (without("quantity"), "quantity", "missing"),
    (but(quantity="6"), "quantity", "wrong_type"),
    (but(quantity=1.5), "quantity", "wrong_type"),
    (but(quantity=6.0), "quantity", "wrong_type"),
    (but(quantity=True), "quantity", "wrong_type"),
    (but(quantity=None), "quantity", "wrong_type"),
    (but(quantity=10**12 + 1), "quantity", "out_of_range"),
    (but(quantity=10**40), "quantity", "out_of_range"),
    (without("occurred_at"), "occurred_at", "missing"),
    (but(occurred_at="2026-03-01T12:00:00"), "occurred_at", "no_zone"),
    (but(occurred_at="yesterday"), "occurred_at", "not_a_time"),
    (but(occurred_at="2026-02-30T12:00:00Z"), "occurred_at", "not_a_time"),
    (but(occurred_at=1_772_366_400), "occurred_at", "wrong_type"),
    (but(reason="x" * 513), "reason", "too_long"),
    (but(actor="a\x00b"), "actor", "not_allowed"),
    (but(reference=5), "reference", "wrong_type"),
    (but(v=2), "v", "wrong_type"),
    (but(id="\ud83d"), "id", "not_allowed"),
    (but(sku="A\ude00"), "sku", "not_allowed"),
    (but(type="\ud83d"), "type", "not_allowed"),
    (but(occurred_at="\ud83d"), "occurred_at", "not_allowed"),
    (but(reason="half \ud83d an emoji"), "reason", "not_allowed"),
    (but(surplus={"a": ["\ud83d"]}), "", "not_allowed"),
    (GOOD | {"\ud83d": 1}, "", "not_allowed"),
    (but(counterparty=""), "counterparty", "empty"),
    (but(counterparty="a|b"), "counterparty", "not_allowed"),
    (but(counterparty="x" * 129), "counterparty", "too_long"),
    (but(counterparty=5), "counterparty", "wrong_type"),
    (but(bucket="reserved"), "bucket", "unknown_bucket"),
    (but(bucket=1), "bucket", "unknown_bucket"),
    (but(eta="2026-03-09"), "eta", "no_zone"),
    (but(eta="2026-03-09T12:00:00"), "eta", "no_zone"),
    (but(eta="next week"), "eta", "not_a_time"),
    (TRANSFER | {"eta": 1_772_366_400}, "eta", "wrong_type"),
    (5, "", "not_an_object"),
    ("event", "", "not_an_object"),
    (None, "", "not_an_object"),
    ([GOOD], "", "not_an_object"),
]


@pytest.mark.parametrize(("event", "field", "code"), BAD, ids=lambda each: str(each)[:60])
def test_a_bad_event_is_named_by_field_and_code_and_the_others_stay(
    event: object, field: str, code: str
) -> None:
    parsed = parse(body([GOOD, event, GOOD]), lines=False)
    assert [each is None for each in parsed.events] == [False, True, False]
    (rejected,) = parsed.rejected
    entry = rejected.entry()
    assert (entry["index"], entry["field"], entry["code"]) == (1, field, code)
    assert "also" not in entry
    assert field in entry["message"]
    assert ";" in entry["message"], "a message says what to do after what is wrong"
    if field:
        assert EXPECTED[field] in entry["message"]


@pytest.mark.parametrize(
    ("event", "field", "code"),
    [
        (but(quantity=0), "quantity", "wrong_sign"),
        (but(type="order_placed"), "reference", "missing"),
        (but(eta="2026-03-09T12:00:00Z"), "eta", "not_supported"),
        (TRANSFER | {"counterparty": "main"}, "counterparty", "same_warehouse"),
    ],
)
def test_what_does_not_fit_the_type_is_said_before_what_only_the_text_can_get_wrong(
    event: dict[str, object], field: str, code: str
) -> None:
    parsed = parse(body(event | {"occurred_at": 1_772_366_400}), lines=False)
    ((mistake,),) = [each.mistakes for each in parsed.rejected]
    assert (mistake.field, mistake.code) == (field, code)
    assert ";" in mistake.message


def test_whether_fields_fit_the_type_is_not_asked_of_what_can_be_read() -> None:
    assert parse(body(but(quantity=0, counterparty="side")), lines=False).rejected == []


@pytest.mark.parametrize("field", ["occurred_at", "eta"])
def test_a_time_outside_the_calendar_is_out_of_range(field: str) -> None:
    event = TRANSFER | {field: "0001-01-01T00:00:00+23:59", "quantity": "6"}
    (rejected,) = parse(body(event), lines=False).rejected
    assert {each.field: each.code for each in rejected.mistakes} == {
        field: "out_of_range",
        "quantity": "wrong_type",
    }


def test_several_mistakes_of_an_event_are_one_entry() -> None:
    parsed = parse(body([but(quantity="6", type="gift", occurred_at="now")]), lines=False)
    (rejected,) = parsed.rejected
    entry = rejected.entry()
    assert [entry["field"], *(each["field"] for each in entry["also"])] == [
        "type",
        "quantity",
        "occurred_at",
    ]


@pytest.mark.parametrize(
    "event",
    [
        but(line="2/KIT"),
        without("channel"),
        but(channel=None),
        but(quantity=10**12),
        but(reason=None, reference="中文 №7", actor="x" * 512),
        but(received_at="whatever", surplus={"a": [1]}),
        but(bucket="on_hand", counterparty=None, eta=None, v=1),
        but(bucket="unavailable", type="count"),
        TRANSFER | {"eta": "2026-03-09T08:00:00+08:00"},
        but(occurred_at="2026-03-01 20:00:00.123456+08:00"),
        but(sku="85123A ", warehouse="仓库 一"),
    ],
    ids=str,
)
def test_what_is_optional_may_be_there_or_not(event: dict[str, object]) -> None:
    parsed = parse(body(event), lines=False)
    assert parsed.rejected == []
    assert isinstance(parsed.events[0], SubmittedEvent)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"   ",
        b"{",
        b"[",
        b"[{},",
        b"[{}] trailing",
        b"{'id': 1}",
        b"NaN",
        b"[NaN]",
        b'["\\ud83d", NaN]',
        b'[{"id":"\\ud83d"}',
        b"\xff\xfe{\x00}",
        b"<event/>",
        b"id,sku\n1,A",
        body(GOOD)[:-1],
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{\n "id": "1",\n "sku": oops\n}',
    ],
    ids=lambda each: repr(each[:30]),
)
@pytest.mark.parametrize("lines", [False, True])
def test_what_is_not_json_is_400(text: bytes, lines: bool) -> None:
    with pytest.raises(Problem) as raised:
        parse(text, lines=lines)
    assert (raised.value.status, raised.value.code) == (400, "not_json")
    assert "send one event" in raised.value.detail


def test_an_entry_in_another_encoding_is_rejected_alone() -> None:
    parsed = parse(body([GOOD])[:-1] + b',{"id":"\xff"}]', lines=False)
    assert [each.entry()["code"] for each in parsed.rejected] == ["not_json"]


def test_half_a_character_is_named_in_its_line_as_well() -> None:
    text = body(GOOD) + b"\n" + body(but(sku="\ud83d"))
    (rejected,) = parse(text, lines=True).rejected
    assert (rejected.entry()["field"], rejected.index) == ("sku", 1)


@pytest.mark.parametrize("lines", [False, True])
def test_half_a_character_is_no_reason_to_refuse_the_rest(lines: bool) -> None:
    half = body(but(reason="cut \ud83d"))
    for text, index, good in (
        (half, 0, 0),
        (half + b"\n" + body(GOOD), 0, 1),
        (body(GOOD) + b"\n" + half, 1, 1),
    ):
        parsed = parse(text, lines=lines)
        (rejected,) = parsed.rejected
        assert (rejected.index, rejected.entry()["field"]) == (index, "reason")
        assert sum(each is not None for each in parsed.events) == good
    over_lines = json.dumps(but(reason="cut \ud83d"), indent=2).encode()
    (rejected,) = parse(over_lines, lines=False).rejected
    assert rejected.entry()["code"] == "not_allowed"


def test_one_event_may_be_written_over_several_lines() -> None:
    assert len(parse(json.dumps(GOOD, indent=2).encode(), lines=False).events) == 1


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert parse(b"\xef\xbb\xbf" + body([GOOD]), lines=False).rejected == []


def test_no_events_are_no_mistake() -> None:
    assert parse(b"[]", lines=False).events == []


@pytest.mark.parametrize("lines", [False, True])
def test_lines_are_recognised_and_a_broken_one_is_rejected_alone(lines: bool) -> None:
    text = b"\r\n".join([body(GOOD), b"", b'{"id": ', b"[]", body(but(id="2"))]) + b"\n"
    parsed = parse(text, lines=lines)
    assert [each and each.id for each in parsed.events] == ["1", None, None, "2"]
    assert [each.entry()["code"] for each in parsed.rejected] == ["not_json", "not_an_object"]


def test_an_array_is_an_array_whatever_its_content_type_says() -> None:
    assert len(parse(body([GOOD, GOOD]), lines=True).events) == 2


@pytest.mark.parametrize("event", [GOOD, but(quantity="6"), 1], ids=["good", "bad", "no object"])
@pytest.mark.parametrize("lines", [False, True])
def test_a_thousand_events_are_taken_and_one_more_is_413(event: object, lines: bool) -> None:
    def text(count: int) -> bytes:
        entries = [body(event)] * count
        return b"\n".join(entries) if lines else b"[" + b",".join(entries) + b"]"

    assert len(parse(text(MAX_EVENTS), lines=lines).events) == MAX_EVENTS
    with pytest.raises(Problem) as raised:
        parse(text(MAX_EVENTS + 1), lines=lines)
    assert (raised.value.status, raised.value.code) == (413, "too_large")


def test_a_flood_of_empty_lines_is_413() -> None:
    with pytest.raises(Problem) as raised:
        parse(b"\n" * 100_000, lines=True)
    assert raised.value.status == 413
