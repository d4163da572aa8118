"""Read `stock.changes.dead`: what the ledger could not apply goes to the quarantine."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pydantic import ValidationError
from typing_extensions import override

from services.ingest.domain.quarantine import Entry, Reason, Source
from services.ingest.outbound.stock_changes import UNREADABLE, ChangeRecord
from services.ingest.outbound.stock_changes import decode as decode_change
from services.ingest.store import quarantine
from services.ingest.store.database import Connection
from shared.clock import Clock
from shared.events.dead_letters import DeadLetter, DeadReason, dead_topic
from shared.events.stock_changes import TOPIC as STOCK_CHANGES
from shared.kafka.handler import Batch, Forgetful
from shared.kafka.messages import Outgoing, Record

TOPIC: Final = dead_topic(STOCK_CHANGES)
_MAX_OFFSET: Final = 2**63 - 1
_MAX_PARTITION: Final = 2**31 - 1


class DeadChanges(Forgetful):
    """Stores each dead letter once; nothing is published."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @override
    async def handle(self, connection: Connection, batch: Batch) -> Sequence[Outgoing]:
        now = self._clock.now()
        await quarantine.put(connection, [entry_of(record) for record in batch.records], now)
        return ()


def entry_of(record: Record) -> Entry:
    """Return the quarantine entry of a record; one that is no dead letter is kept as it is."""
    try:
        letter = DeadLetter.model_validate_json(record.value or b"")
    except ValidationError as error:
        return _unreadable(record, error.errors()[0]["msg"])
    if letter.offset > _MAX_OFFSET or letter.partition > _MAX_PARTITION:
        return _unreadable(record, "its position is none")
    payload = letter.value if letter.value is not None else letter.value_base64 or ""
    entry = Entry(
        reason=letter.reason,
        detail=_storable(letter.detail),
        payload=_storable(payload),
        first_payload=None if letter.first is None else _storable(letter.first),
        source=Source(_storable(letter.topic), letter.partition, letter.offset),
    )
    malformed = isinstance(letter.reason, DeadReason) and letter.reason.malformed
    change = None if malformed else _change(payload)
    return entry if change is None else _described(entry, change)


def _unreadable(record: Record, why: str) -> Entry:
    return Entry(
        reason=Reason.UNDECODABLE,
        detail=_storable(f"no dead letter: {why}"),
        payload=_storable((record.value or b"").decode(errors="replace")),
        source=Source(TOPIC, record.partition, record.offset),
    )


def _change(payload: str) -> ChangeRecord | None:
    try:
        return decode_change(payload)
    except UNREADABLE:
        return None


def _described(entry: Entry, change: ChangeRecord) -> Entry:
    return replace(
        entry,
        channel=_storable(change.channel),
        event_id=_storable(change.id),
        line=_storable(change.line),
        sku=_storable(change.sku),
        warehouse=_storable(change.warehouse),
        counterparty=None if change.counterparty is None else _storable(change.counterparty),
        occurred_at=change.occurred_at,
        received_at=change.received_at,
    )


def _storable(text: str) -> str:
    """Return a text without NUL, which PostgreSQL cannot hold."""
    return text.replace("\x00", "\ufffd")
