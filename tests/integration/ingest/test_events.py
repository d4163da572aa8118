"""Events through the API to the topic and the quarantine."""

import json

import pytest

from shared.events.stock_changes import StockChange
from shared.events.topics import PARTITIONS
from shared.http.auth import Scope
from shared.kafka.partitions import partition_of
from tests.integration.ingest.service import Ingest, event

pytestmark = pytest.mark.stack


async def test_an_accepted_event_is_on_the_topic_as_the_ledger_reads_it(ingest: Ingest) -> None:
    await ingest.set_up()
    answer = await ingest.post(event(occurred_at="2026-03-01T20:00:00+08:00", reference="order 7"))
    assert answer == {"accepted": 1, "quarantined": 0, "ignored": 0, "rejected": []}
    (record,) = await ingest.records()
    assert record.value is not None
    change = StockChange.model_validate_json(record.value)
    assert change.model_dump(mode="json", exclude={"received_at"}) == {
        "v": 1,
        **event(line="0", reason=None, reference="order 7", actor=None),
        "counterparty": None,
        "bucket": None,
        "eta": None,
    }
    assert b"12:00:00Z" in record.value
    assert record.key == b"A"
    assert record.partition == partition_of("A", PARTITIONS)
    assert "traceparent" in dict(record.headers)


async def test_events_of_a_sku_keep_the_order_of_their_request(ingest: Ingest) -> None:
    await ingest.set_up()
    events = [event(id=str(number), sku="AB"[number % 2]) for number in range(200)]
    assert (await ingest.post(events))["accepted"] == 200
    published = await ingest.published()
    for sku in "AB":
        sent = [each["id"] for each in events if each["sku"] == sku]
        assert [each["id"] for each in published if each["sku"] == sku] == sent


async def test_lines_are_taken_as_well_as_an_array(ingest: Ingest) -> None:
    await ingest.set_up()
    lines = "\n".join(json.dumps(event(id=str(number))) for number in range(3)) + "\n"
    headers = {"content-type": "application/x-ndjson"}
    assert (await ingest.post(lines, headers=headers))["accepted"] == 3
    assert (await ingest.post(lines))["accepted"] == 3


async def test_some_invalid_events_leave_the_others_accepted(ingest: Ingest) -> None:
    await ingest.set_up()
    answer = await ingest.post(
        [event(), event(quantity="6"), event(channel="nobody"), event(id="2")]
    )
    assert answer["accepted"] == 2
    rejected = answer["rejected"]
    assert isinstance(rejected, list)
    assert [(each["index"], each["field"], each["code"]) for each in rejected] == [
        (1, "quantity", "wrong_type"),
        (2, "channel", "unknown_channel"),
    ]
    assert all(each["message"] for each in rejected)
    assert [each["id"] for each in await ingest.published()] == ["1", "2"]


async def test_no_valid_event_is_422_with_a_problem_document(ingest: Ingest) -> None:
    await ingest.set_up()
    answer = await ingest.post([event(channel="nobody")], status=422)
    assert answer["type"] == "urn:lowtide:problem:invalid"
    errors = answer["errors"]
    assert isinstance(errors, list)
    assert [(each["index"], each["code"]) for each in errors] == [(0, "unknown_channel")]


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (b"{", 400, "not_json"),
        (b"", 400, "not_json"),
        (b"\xff\xfe", 400, "not_json"),
        (json.dumps([event()] * 1001).encode(), 413, "too_large"),
        (json.dumps([event(actor="x" * 6_000)] * 900).encode(), 413, None),
        (b"[1, 2]", 422, "invalid"),
        (b'"x"', 422, "invalid"),
    ],
)
async def test_bad_bodies_are_answered_by_a_problem(
    ingest: Ingest, body: bytes, status: int, problem: str | None
) -> None:
    await ingest.set_up()
    answer = await ingest.post(body, status=status)
    assert answer["status"] == status
    if problem is not None:
        assert answer["type"] == f"urn:lowtide:problem:{problem}"
    assert await ingest.published() == []


async def test_a_channels_token_writes_as_its_channel_alone(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.ask("PUT", "/v1/channels/till", {"name": "Till"})
    headers = ingest.token(Scope.EVENTS_WRITE, channel="till")
    await ingest.post([event(channel="till"), event()], status=403, headers=headers)
    assert await ingest.published() == []
    unnamed = event()
    del unnamed["channel"]
    assert (await ingest.post(unnamed, headers=headers))["accepted"] == 1
    assert [each["channel"] for each in await ingest.published()] == ["till"]


async def test_a_token_without_the_scope_writes_nothing(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.post(event(), status=403, headers=ingest.token(Scope.STOCK_READ))
    await ingest.post(event(), status=401, headers={"Authorization": "Bearer no.such.token"})


async def test_ignored_codes_are_dropped_whatever_else_the_event_says(ingest: Ingest) -> None:
    await ingest.set_up()
    items = [{"kind": "sku", "external": "POST", "action": "ignore"}]
    await ingest.ask("PUT", "/v1/channels/shop/mappings", {"items": items})
    answer = await ingest.post([event(sku="POST"), event(sku="POST", quantity=-3), event()])
    assert (answer["accepted"], answer["ignored"], answer["quarantined"]) == (1, 2, 0)
    assert [each["sku"] for each in await ingest.published()] == ["A"]


async def test_codes_resolve_by_sku_then_mapping_then_alias(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.ask(
        "POST",
        "/v1/skus",
        {"items": [{"sku": "A", "aliases": ["a", "x"], "barcodes": ["4006381333931"]}]},
    )
    items = [
        {"kind": "sku", "external": "x", "target": "B"},
        {"kind": "warehouse", "external": "WH-1", "target": "main"},
    ]
    await ingest.ask("PUT", "/v1/channels/shop/mappings", {"items": items})
    codes = ["A", "a", "4006381333931", "x", "B"]
    answer = await ingest.post([event(id=code, sku=code, warehouse="WH-1") for code in codes])
    assert answer["accepted"] == 5
    found = {each["id"]: (each["sku"], each["warehouse"]) for each in await ingest.published()}
    skus = ["A", "A", "A", "B", "B"]
    assert found == {code: (sku, "main") for code, sku in zip(codes, skus, strict=True)}


SIDE = "/v1/warehouses/side"
TRANSFER: dict[str, object] = {"type": "transfer_shipped", "counterparty": "side"}


async def test_a_transfer_names_two_warehouses_in_the_channels_spellings(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.ask("PUT", SIDE, {"name": "Side", "zone": "Asia/Shanghai"})
    items = [
        {"kind": "warehouse", "external": "WH-1", "target": "main"},
        {"kind": "warehouse", "external": "WH-2", "target": "side"},
    ]
    await ingest.ask("PUT", "/v1/channels/shop/mappings", {"items": items})
    shipped = TRANSFER | {"reference": "TO 7", "eta": "2026-03-04T09:00:00+08:00"}
    received = {"type": "transfer_received", "warehouse": "side", "counterparty": "main"}
    answer = await ingest.post(
        [
            event(**shipped | {"warehouse": "WH-1", "counterparty": "WH-2"}),
            event(**received, id="2", reference="TO 7"),
        ]
    )
    assert answer == {"accepted": 2, "quarantined": 0, "ignored": 0, "rejected": []}
    first, second = await ingest.published()
    assert (first["warehouse"], first["counterparty"]) == ("main", "side")
    assert first["eta"] == "2026-03-04T01:00:00Z"
    assert (second["warehouse"], second["counterparty"]) == ("side", "main")
    assert {"bucket", "eta", "reason"}.isdisjoint(second)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "order_placed", "reference": "order 7"},
        {"type": "supply_expected", "reference": "PO 1", "eta": "2026-03-20T00:00:00Z"},
        {"type": "supply_cancelled", "reference": "PO 1", "quantity": 0},
        {"type": "demand_expected", "reference": "WO 1", "eta": "2026-03-08T12:00:00Z"},
        {"type": "count", "bucket": "unavailable", "quantity": 0},
        {"type": "consumed"},
    ],
    ids=lambda fields: str(fields["type"]),
)
async def test_other_types_are_on_the_topic_with_what_they_carry(
    ingest: Ingest, fields: dict[str, object]
) -> None:
    await ingest.set_up()
    assert (await ingest.post(event(**fields)))["accepted"] == 1
    (record,) = await ingest.records()
    assert record.value is not None
    StockChange.model_validate_json(record.value)
    written = json.loads(record.value)
    assert {name: written[name] for name in fields} == fields


async def test_what_does_not_fit_its_type_is_rejected_with_what_to_do(ingest: Ingest) -> None:
    await ingest.set_up()
    items = [{"kind": "warehouse", "external": "WH-1", "target": "main"}]
    await ingest.ask("PUT", "/v1/channels/shop/mappings", {"items": items})
    wrong = [
        (event(counterparty="side"), "counterparty", "not_supported"),
        (event(bucket="unavailable"), "bucket", "not_supported"),
        (event(eta="2026-03-20T00:00:00Z"), "eta", "not_supported"),
        (event(type="order_placed"), "reference", "missing"),
        (event(type="transfer_shipped"), "counterparty", "missing"),
        (event(**TRANSFER | {"counterparty": "WH-1"}), "counterparty", "same_warehouse"),
        (event(type="demand_expected", reference="WO 1"), "eta", "missing"),
        (event(type="supply_expected", reference="PO 1", quantity=-1), "quantity", "wrong_sign"),
        (event(type="count", bucket="reserved"), "bucket", "unknown_bucket"),
        (event(type="hold", quantity=0), "quantity", "wrong_sign"),
        (event(type="gift"), "type", "unknown_type"),
    ]
    answer = await ingest.post([*(each for each, _, _ in wrong), event(bucket="on_hand")])
    assert answer["accepted"] == 1
    rejected = answer["rejected"]
    assert isinstance(rejected, list)
    assert [(each["index"], each["field"], each["code"]) for each in rejected] == [
        (index, field, code) for index, (_, field, code) in enumerate(wrong)
    ]
    assert all(";" in each["message"] for each in rejected)
    assert await ingest.rows("SELECT FROM quarantine") == []


async def test_a_transfer_with_an_ignored_warehouse_is_dropped(ingest: Ingest) -> None:
    await ingest.set_up()
    items = [{"kind": "warehouse", "external": "VIRTUAL", "action": "ignore"}]
    await ingest.ask("PUT", "/v1/channels/shop/mappings", {"items": items})
    answer = await ingest.post(event(**TRANSFER | {"counterparty": "VIRTUAL"}))
    assert (answer["accepted"], answer["ignored"]) == (0, 1)
    assert await ingest.published() == []
