import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from services.ingest.domain.quarantine import Reason, Source
from services.ingest.inbound.stock_changes_dead import TOPIC, entry_of
from shared.events.dead_letters import DeadLetter, DeadReason

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHANGE = {
    "v": 1,
    "id": "7",
    "line": "0",
    "channel": "shop",
    "type": "sale",
    "sku": "A",
    "warehouse": "main",
    "quantity": 1,
    "occurred_at": "2026-03-01T12:00:00Z",
    "received_at": "2026-03-01T12:00:01Z",
}


@dataclass(frozen=True)
class Record:
    value: bytes | None
    topic: str = "stock.changes.dead"
    partition: int = 3
    offset: int = 5
    timestamp: int = 0
    key: bytes | None = None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def letter(reason: DeadReason, **fields: object) -> Record:
    plain = {
        "topic": "stock.changes",
        "partition": 1,
        "offset": 9,
        "reason": reason,
        "detail": "why",
        "consumer": "ledger",
        "recorded_at": NOON,
    }
    return Record(DeadLetter.model_validate(plain | fields).encode())


def test_a_reused_id_carries_both_payloads() -> None:
    entry = entry_of(letter(DeadReason.ID_REUSED, value=json.dumps(CHANGE), first='{"id":"7"}'))
    assert (entry.reason, entry.event_id, entry.sku) == (Reason.ID_REUSED, "7", "A")
    assert (json.loads(entry.payload), entry.first_payload) == (CHANGE, '{"id":"7"}')
    assert entry.source == Source("stock.changes", 1, 9)
    assert entry.occurred_at == NOON
    assert entry.identity is None


def test_a_refused_transfer_is_listed_with_its_counterparty() -> None:
    shipped = CHANGE | {"type": "transfer_shipped", "counterparty": "side\x00"}
    entry = entry_of(letter(DeadReason.FROM_THE_FUTURE, value=json.dumps(shipped)))
    assert (entry.warehouse, entry.counterparty) == ("main", "side\ufffd")


@pytest.mark.parametrize(
    "value", ["not json", '{"occurred_at": "2026-03-01T12:00:00"}', "\x00", None]
)
def test_what_is_no_change_is_kept_as_it_is(value: str | None) -> None:
    entry = entry_of(letter(DeadReason.INVALID, value=value, value_base64="AA=="))
    assert entry.reason == Reason.INVALID
    assert entry.payload == ("AA==" if value is None else value.replace("\x00", "\ufffd"))
    assert entry.event_id is None


def test_a_reason_of_a_newer_release_is_kept_as_it_is() -> None:
    record = letter(DeadReason.TOO_OLD, value=json.dumps(CHANGE))
    entry = entry_of(Record((record.value or b"").replace(b"too_old", b"recalled")))
    assert (entry.reason, entry.detail, entry.event_id) == ("recalled", "why", "7")
    assert entry.source == Source("stock.changes", 1, 9)


@pytest.mark.parametrize(
    "value", [None, b"", b"{}", b"\xff\x00", letter(DeadReason.INVALID, offset=2**70).value]
)
def test_a_record_that_is_no_dead_letter_is_kept_by_its_own_position(value: bytes | None) -> None:
    entry = entry_of(Record(value))
    assert entry.reason is Reason.UNDECODABLE
    assert entry.source == Source(TOPIC, 3, 5)
    assert "\x00" not in entry.payload
