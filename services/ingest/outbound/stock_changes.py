"""Publish `stock.changes`: what ingest accepted, keyed and partitioned by the SKU."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from shared.events.stock_changes import TOPIC, Bucket, ChangeType
from shared.events.topics import PARTITIONS
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.kafka.producer import Producer
from shared.observability.tracing import HEADER

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class ChangeRecord(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A `StockChange` as it is written; a contract test keeps the two the same.

    Times are in UTC. Codes are the catalogue's own, or the channel's spelling while the change
    waits in quarantine.
    """

    id: str
    line: str
    channel: str
    type: ChangeType
    sku: str
    warehouse: str
    quantity: int
    occurred_at: _Instant
    received_at: _Instant
    v: Literal[1]
    reason: str | None = None
    reference: str | None = None
    counterparty: str | None = None
    bucket: Bucket | None = None
    eta: _Instant | None = None
    actor: str | None = None


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(ChangeRecord)


def encode(change: ChangeRecord) -> bytes:
    """Return a change as UTF-8 JSON."""
    return _ENCODER.encode(change)


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode(payload: str) -> ChangeRecord:
    """Return the change that `encode` wrote; raises UNREADABLE for what nobody here can read."""
    return _DECODER.decode(payload)


class StockChanges:
    """Sends changes to the ledger."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def publish(self, changes: Sequence[ChangeRecord], traceparent: str) -> None:
        """Publish changes in their order per SKU; returns when the broker has them all.

        Raises Unavailable when not all were acknowledged: some may have been, and sending all
        of them again is harmless because each carries its identity.
        """
        headers = ((HEADER, traceparent.encode()),)
        await self._producer.send(
            TOPIC,
            [
                Message(
                    partition_of(change.sku, PARTITIONS),
                    change.sku.encode(),
                    _ENCODER.encode(change),
                    headers,
                )
                for change in changes
            ],
        )
