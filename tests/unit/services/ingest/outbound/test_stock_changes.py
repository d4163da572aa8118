"""The contract between the fast structs of ingest and the message that everybody reads."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

import pytest
from hypothesis import event as event_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.ingest.domain.codes import Changes, Codes, SkuSpellings
from services.ingest.domain.decision import decide
from services.ingest.inbound.events import SubmittedEvent, parse
from services.ingest.outbound.stock_changes import ChangeRecord, decode, encode
from services.ingest.pipeline import record_of
from shared.events.base import MAX_QUANTITY
from shared.events.stock_changes import Bucket, ChangeType, StockChange
from tests.factories.shapes import mostly_fitting

RECEIVED_AT = datetime(2026, 3, 1, 12, 0, 1, 250_000, tzinfo=UTC)
ADDED_BY_INGEST = {"received_at"}


def test_the_structs_have_the_fields_of_the_message() -> None:
    message = set(StockChange.model_fields)
    assert set(ChangeRecord.__struct_fields__) == message
    assert set(SubmittedEvent.__struct_fields__) == message - ADDED_BY_INGEST


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FIRST = datetime(1969, 12, 31)  # noqa: DTZ001 - hypothesis adds the zones itself
plain = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="|")


T = TypeVar("T")


def mostly(fitting: st.SearchStrategy[T], other: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    return st.integers(1, 20).flatmap(lambda dice: other if dice == 20 else fitting)


def texts(longest: int) -> st.SearchStrategy[str]:
    return mostly(st.text(plain, min_size=1, max_size=20), st.text(max_size=longest + 2))


instants = mostly(
    st.datetimes(FIRST, timezones=zones).map(datetime.isoformat),
    st.datetimes(timezones=zones).map(datetime.isoformat)
    | st.datetimes().map(datetime.isoformat)
    | st.text(),
)
EXTRAS: dict[str, st.SearchStrategy[object]] = {
    "reference": texts(512),
    "counterparty": texts(128),
    "bucket": st.sampled_from([*Bucket, "reserved"]),
    "eta": instants,
}


def of_type(kind: ChangeType) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(
        {
            "id": texts(256),
            "type": st.just(kind),
            "sku": texts(128),
            "warehouse": texts(128),
            "quantity": mostly(
                st.integers(1, 9),
                st.integers(-MAX_QUANTITY - 1, MAX_QUANTITY + 1) | st.integers(-3, 3),
            ),
            "occurred_at": instants,
            "channel": texts(128),
            **mostly_fitting(kind, EXTRAS),
        },
        optional={
            "line": texts(256),
            "reason": st.none() | texts(512),
            "actor": st.none() | texts(512),
        },
    )


events = st.sampled_from(ChangeType).flatmap(of_type)


@settings(max_examples=300, deadline=None, database=None)
@given(events)
def test_what_ingest_takes_is_what_the_message_allows(event: dict[str, object]) -> None:
    parsed = parse(json.dumps(event).encode(), lines=False)
    codes = Codes()
    codes.apply(
        Changes(
            version=1,
            channels=[str(event["channel"])],
            warehouses=[str(event["warehouse"]), str(event["counterparty"])],
            skus=[SkuSpellings(str(event["sku"]), ())],
        )
    )
    decision = decide(parsed.events, codes)
    event_of(f"accepted: {bool(decision.accepted)}")
    if decision.accepted:
        ((taken, channel, sku, warehouse, counterparty),) = decision.accepted
        record = record_of(taken, channel, sku, warehouse, counterparty, RECEIVED_AT)
        read = StockChange.model_validate_json(encode(record))
        said = StockChange.model_validate({**event, "received_at": RECEIVED_AT})
        # On hand is what a change is about anyway: saying so is left out.
        bucket = None if said.bucket is Bucket.ON_HAND else said.bucket
        assert read == said.model_copy(update={"bucket": bucket})
        assert decode(encode(record).decode()) == record
    else:
        try:
            StockChange.model_validate({**event, "received_at": RECEIVED_AT})
        except (ValidationError, OverflowError):
            return
        # Only times are narrower: as text with a T and a zone, within what a database can hold.
        fields = {each.entry()["field"] for each in [*parsed.rejected, *decision.rejected]}
        assert fields <= {"occurred_at", "eta"}
        assert fields


def test_times_are_written_in_utc() -> None:
    event = SubmittedEvent(
        id="1",
        type=ChangeType.SALE,
        sku="A",
        warehouse="W",
        quantity=1,
        occurred_at=datetime(2026, 3, 1, 20, 0, tzinfo=timezone(timedelta(hours=8))),
        eta=datetime(2026, 3, 9, 0, 0, tzinfo=timezone(timedelta(hours=8))),
    )
    said = json.loads(encode(record_of(event, "shop", "A", "W", "X", RECEIVED_AT)))
    assert said["occurred_at"] == "2026-03-01T12:00:00Z"
    assert said["eta"] == "2026-03-08T16:00:00Z"
    assert said["v"] == 1


def test_what_an_event_does_not_say_is_not_written() -> None:
    event = SubmittedEvent(
        id="1",
        type=ChangeType.COUNT,
        sku="A",
        warehouse="W",
        quantity=1,
        occurred_at=RECEIVED_AT,
        bucket=Bucket.ON_HAND,
    )
    said = json.loads(encode(record_of(event, "shop", "A", "W", None, RECEIVED_AT)))
    left_out = {"reason", "reference", "counterparty", "bucket", "eta", "actor"}
    assert set(said) == set(ChangeRecord.__struct_fields__) - left_out


def test_a_change_that_waits_since_before_these_fields_came_can_be_read() -> None:
    payload = (
        '{"id":"1","line":"0","channel":"c","type":"sale","sku":"A","warehouse":"W","quantity":1,'
        '"occurred_at":"2026-03-01T12:00:00Z","received_at":"2026-03-01T12:00:00.25Z","v":1,'
        '"reference":"order 7"}'
    )
    change = decode(payload)
    assert (change.counterparty, change.bucket, change.eta) == (None, None, None)
    assert encode(change).decode() == payload.replace(".25Z", ".250000Z")


def test_a_waiting_change_without_a_zone_is_not_taken_for_one() -> None:
    payload = {
        "v": 1,
        "id": "1",
        "line": "0",
        "channel": "c",
        "type": "sale",
        "sku": "A",
        "warehouse": "W",
        "quantity": 1,
        "occurred_at": "2026-03-01T12:00:00",
        "received_at": "2026-03-01T12:00:00Z",
    }
    with pytest.raises(ValueError, match="timezone"):
        decode(json.dumps(payload))
