"""The ledger's fast structures against the messages that everybody reads.

msgspec decodes and encodes on the busiest path there is; the pydantic models say what is right.
"""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TypeVar

import msgspec
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.ledger.domain.commitments import Due
from services.ledger.inbound import stock_changes
from services.ledger.inbound.stock_changes import Incoming
from services.ledger.outbound import stock_levels
from services.ledger.store.changes import Level
from shared.errors import Stopped
from shared.events.base import MAX_QUANTITY
from shared.events.dead_letters import DeadReason
from shared.events.stock_changes import Bucket, ChangeType, StockChange
from shared.events.stock_levels import StockLevel, level_key
from shared.kafka.handler import Batch
from tests.factories.poison import BAD, UNDECODABLE, raw
from tests.factories.records import FakeRecord
from tests.factories.shapes import mostly_fitting


def read(*values: bytes | None) -> tuple[list[Incoming | None], Batch]:
    batch = Batch([FakeRecord(value, offset) for offset, value in enumerate(values)])
    return stock_changes.read(batch), batch


def as_message(value: bytes) -> StockChange | None:
    try:
        return StockChange.model_validate_json(value)
    except ValidationError:
        return None


T = TypeVar("T")
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
plain = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="|")
anything: st.SearchStrategy[object] = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
    | st.just([])
    | st.just({})
)


def mostly(
    fitting: st.SearchStrategy[T], other: st.SearchStrategy[object]
) -> st.SearchStrategy[object]:
    return st.integers(1, 25).flatmap(lambda dice: other if dice == 25 else fitting)


def texts(longest: int) -> st.SearchStrategy[object]:
    edge = st.sampled_from(["x" * longest, "x" * (longest + 1), "货" * longest, "", " ", "\x7f"])
    return mostly(
        st.text(plain, min_size=1, max_size=9),
        edge | anything | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    )


instants = mostly(
    st.datetimes(timezones=zones).map(datetime.isoformat),
    st.datetimes().map(datetime.isoformat) | st.dates().map(date.isoformat) | anything,
)
EXTRAS: dict[str, st.SearchStrategy[object]] = {
    "reference": texts(512),
    "counterparty": texts(128),
    "bucket": mostly(st.sampled_from([each.value for each in Bucket]), anything),
    "eta": instants,
}


def of_type(kind: ChangeType) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(
        {
            "id": texts(256),
            "channel": texts(128),
            "type": mostly(st.just(kind.value), anything),
            "sku": texts(128),
            "warehouse": texts(128),
            "quantity": mostly(
                st.integers(1, 9),
                st.sampled_from([0, -1, MAX_QUANTITY, MAX_QUANTITY + 1, -MAX_QUANTITY]) | anything,
            ),
            "occurred_at": instants,
            "received_at": instants,
            **mostly_fitting(kind, EXTRAS),
        },
        optional={
            "v": mostly(st.just(1), st.sampled_from([0, -1, "1", 1.5])),
            "line": texts(256),
            "reason": texts(512),
            "actor": st.none() | texts(512),
            "added later": anything,
        },
    )


records = st.sampled_from(ChangeType).flatmap(of_type)
NARROWER = ("$.occurred_at", "$.received_at", "$.eta", "$.v")
"""Only these may be refused although the message takes them: a time that is not text as RFC 3339
writes it (the message also knows seconds since 1970), and true for 1."""


def test_the_structures_have_the_fields_of_the_messages() -> None:
    assert set(Incoming.__struct_fields__) == set(StockChange.model_fields)
    assert set(stock_levels.Outgoing.__struct_fields__) == set(StockLevel.model_fields)


@settings(max_examples=300, deadline=None)
@given(records, st.booleans())
def test_the_ledger_takes_what_the_message_takes_and_reads_the_same(
    fields: dict[str, object], escaped: bool
) -> None:
    value = json.dumps(fields, ensure_ascii=escaped).encode()
    (said,), batch = read(value)
    meant = as_message(value)
    event(f"taken: {said is not None}, meant: {meant is not None}")
    if said is None:
        (dead,) = batch.dead_letters
        assert dead.reason is DeadReason.INVALID
        assert meant is None or dead.detail.endswith(tuple(f"`{path}`" for path in NARROWER))
    else:
        assert meant is not None
        assert {name: getattr(said, name) for name in Incoming.__struct_fields__} == dict(meant)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_put_aside_with_a_reason_while_its_neighbours_are_read(name: str) -> None:
    said, batch = read(raw(id="before"), BAD[name], raw(id="after"))
    assert [each and each.id for each in said] == ["before", None, "after"]
    (dead,) = batch.dead_letters
    assert dead.record.offset == 1
    assert dead.reason is (DeadReason.UNDECODABLE if name in UNDECODABLE else DeadReason.INVALID)
    assert dead.detail


GOOD_BUT_ODD: dict[str, tuple[bytes, dict[str, object]]] = {
    "white space around it": (b"\n " + raw() + b"\r\n", {"sku": "A"}),
    "keys told twice: the last holds": (raw()[:-1] + b', "quantity": 5}', {"quantity": 5}),
    "an escaped key": (raw().replace(b'"sku"', b'"\\u0073ku"'), {"sku": "A"}),
    "a surrogate pair": (raw().replace(b'"A"', b'"\\ud83d\\ude00"'), {"sku": "😀"}),
    "the longest code, four bytes a character": (raw(sku="😀" * 128), {"sku": "😀" * 128}),
    "a code of another control range": (raw(sku="\x85"), {"sku": "\x85"}),
    "a bar and a line break in a reason": (raw(reason="a|b\nc"), {"reason": "a|b\nc"}),
    "an empty reason": (raw(reason=""), {"reason": ""}),
    "a field from a later version": (raw(batch="L-7"), {"sku": "A"}),
    "what every change is about": (raw(bucket="on_hand"), {"bucket": Bucket.ON_HAND}),
    "nulls for what it has not": (raw(counterparty=None, bucket=None, eta=None), {"eta": None}),
    "a count of unavailable": (
        raw(type="count", bucket="unavailable"),
        {"bucket": Bucket.UNAVAILABLE},
    ),
    "a transfer to a warehouse with the name of a bucket": (
        raw(type="transfer_shipped", counterparty="on_hand"),
        {"counterparty": "on_hand"},
    ),
    "a supply without a date, of nothing": (
        raw(type="supply_expected", quantity=0, reference="PO 1"),
        {"quantity": 0, "eta": None},
    ),
    "a due time of another zone": (
        raw(type="demand_expected", reference="WO 1", eta="2026-03-08T20:00:00+08:00"),
        {"eta": datetime(2026, 3, 8, 12, tzinfo=UTC)},
    ),
    "a field that nests": (raw(x=[[{"sku": "B"}]]), {"sku": "A"}),
    "a field that is no UTF-8": (raw(x="?").replace(b"?", b"\xff"), {"sku": "A"}),
    "a count of nothing": (raw(type="count", quantity=0), {"quantity": 0}),
    "an adjustment downwards": (raw(type="adjustment", quantity=-5), {"quantity": -5}),
    "the largest quantity": (raw(quantity=MAX_QUANTITY), {"quantity": MAX_QUANTITY}),
    "a zone": (
        raw(occurred_at="2026-03-01T20:00:00+08:00"),
        {"occurred_at": datetime(2026, 3, 1, 12, tzinfo=UTC)},
    ),
    "the first instant": (
        raw(occurred_at="0001-01-01T00:00:00Z"),
        {"occurred_at": datetime(1, 1, 1, tzinfo=UTC)},
    ),
    "the last instant": (
        raw(occurred_at="9999-12-31T23:59:59.999999Z"),
        {"occurred_at": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)},
    ),
}


@pytest.mark.parametrize("name", GOOD_BUT_ODD)
def test_an_odd_record_that_the_message_allows_is_read(name: str) -> None:
    value, expected = GOOD_BUT_ODD[name]
    (said,), batch = read(value)
    assert not batch.dead_letters
    assert said is not None
    assert {field: getattr(said, field) for field in expected} == expected


fragments = st.sampled_from(
    [
        raw(),
        raw(id="2"),
        raw() + b"," + raw(id="3"),
        b'{"a":[0',
        b"0]," + raw()[1:],
        b"",
        b"{",
        b"}",
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(fragments, max_size=5))
@example([raw(id="1") + b"," + raw(id="2"), b'{"a":[0', b"0]," + raw(id="3")[1:], raw(id="4")])
def test_what_a_record_says_does_not_depend_on_its_neighbours(values: list[bytes]) -> None:
    together, _ = read(*values)
    assert together == [read(value)[0][0] for value in values]


@pytest.mark.parametrize(
    "value",
    [
        raw(v=2),
        raw(v=10**20),
        b'{"v":2}',
        raw(v=2, quantity="many", type="conjured"),
    ],
)
def test_a_newer_version_stops_and_is_never_put_aside(value: bytes) -> None:
    batch = Batch([FakeRecord(b"not json"), FakeRecord(raw()), FakeRecord(value, offset=7)])
    with pytest.raises(Stopped, match=r"offset 7 has schema version .*upgrade the ledger"):
        stock_changes.read(batch)


quantities = st.integers(-(2**62), 2**62)
aware = st.datetimes(timezones=st.just(UTC))
codes = st.text(plain, min_size=1, max_size=128)


def _stored(lines: list[Due]) -> str:
    return msgspec.json.encode([each._asdict() for each in lines]).decode()


due = st.none() | st.lists(
    st.builds(Due, quantities, st.none() | aware, codes), min_size=1, max_size=8
).map(_stored)


@settings(max_examples=200, deadline=None)
@given(
    codes,
    codes,
    st.builds(
        Level,
        id=st.just(1),
        version=st.integers(2**40, 2**62),
        on_hand=quantities,
        reserved=quantities,
        unavailable=quantities,
        incoming=quantities,
        sold_total=quantities,
        returned_total=quantities,
        received_total=quantities,
        counted_at=st.none() | aware,
        last_change_at=aware,
        supply=due,
        demand=due,
        doubt=st.integers(0, 3),
    ),
    quantities,
)
def test_a_level_is_published_as_its_message_says(
    sku: str, warehouse: str, level: Level, low_water: int
) -> None:
    message = stock_levels.message(sku, warehouse, 3, level, low_water)
    assert (message.partition, message.key) == (3, level_key(sku, warehouse))
    told = StockLevel.model_validate_json(message.value or b"")
    stored = level._asdict()
    del stored["id"], stored["doubt"]
    for name in ("supply", "demand"):
        stored[name] = tuple(json.loads(stored[name] or "[]"))
    odd = [
        (level.on_hand < 0, "negative"),
        (level.reserved < 0, "not_ordered"),
        (level.doubt & 1, "in_doubt"),
        (level.doubt & 2, "unusual"),
    ]
    assert told == StockLevel(
        sku=sku,
        warehouse=warehouse,
        low_water=low_water,
        available=level.on_hand - max(level.reserved, 0) - level.unavailable,
        flags=tuple(flag for holds, flag in odd if holds),
        **stored,
    )
    assert json.loads(message.value or b"") | {"corrected": None} == json.loads(told.encode())
