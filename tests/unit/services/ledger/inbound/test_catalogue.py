import pytest

from services.ledger.inbound.catalog_items import SOURCE as ITEMS
from services.ledger.inbound.catalog_warehouses import SOURCE as WAREHOUSES
from services.ledger.inbound.catalogue import read
from shared.errors import Stopped
from shared.events.dead_letters import DeadReason
from shared.kafka.handler import Batch
from tests.factories.records import FakeRecord

FIELDS = b'"sku":"A","version":1,"updated_at":"2026-03-01T12:00:00Z"'
HUGE = str(2**63).encode()


def test_what_cannot_be_kept_is_put_aside_and_says_why() -> None:
    values = [
        b"{" + FIELDS + b"}",
        b"nonsense",
        b"{}",
        b"{" + FIELDS + b',"name":"\\u0000"}',
        b"{" + FIELDS + b',"cost":"1e999"}',
        b"{" + FIELDS.replace(b":1,", b":" + HUGE + b",") + b"}",
        None,
    ]
    batch = Batch([FakeRecord(value, offset) for offset, value in enumerate(values)])
    assert [each.sku for each in read(batch, ITEMS)] == ["A"]
    dead = [(each.record.offset, each.reason, each.detail) for each in batch.dead_letters]
    assert [(offset, reason) for offset, reason, _ in dead] == [
        (1, DeadReason.UNDECODABLE),
        (2, DeadReason.INVALID),
        (3, DeadReason.INVALID),
        (4, DeadReason.INVALID),
        (5, DeadReason.INVALID),
    ]
    assert "sku: Field required" in dead[1][2]
    assert [detail.split(":")[0] for _, _, detail in dead[2:]] == ["name", "cost", "version"]


def test_a_warehouse_needs_a_zone_that_can_be_stored() -> None:
    head = b'{"warehouse":"W","version":1,"name":"W","updated_at":"2026-03-01T12:00:00Z"'
    batch = Batch([FakeRecord(head + b"}"), FakeRecord(head + b',"zone":"\\u0000"}')])
    assert read(batch, WAREHOUSES) == []
    assert [each.detail.split(":")[0] for each in batch.dead_letters] == ["zone", "zone"]


def test_a_newer_schema_waits_for_a_ledger_that_can_read_it() -> None:
    batch = Batch([FakeRecord(b'{"v":2,' + FIELDS + b"}")])
    with pytest.raises(Stopped, match="schema version 2, newer than 1"):
        read(batch, ITEMS)
    assert not batch.dead_letters
