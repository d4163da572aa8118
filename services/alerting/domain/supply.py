"""What is told ingest of purchases, as events of a channel of alerting's own."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from shared.events.stock_changes import ChangeType

CHANNEL = "lowtide-orders"
"""Ingest must know this channel before it takes anything that was ordered here."""

PATH = "/v1/events"


class SupplyLine(NamedTuple):
    """A line of a purchase order; `version` counts what was told of it, and makes ids unique."""

    action: UUID
    version: int
    reference: str
    line: int
    sku: str
    warehouse: str
    quantity: int
    due_at: datetime | None


def event(line: SupplyLine, at: datetime) -> dict[str, object]:
    """Return the event that tells of a line: what is expected, or with no units that it is not.

    The last word holds at the ledger, and the id stays the same however often it is sent.
    """
    cancelled = line.quantity == 0
    kind = ChangeType.SUPPLY_CANCELLED if cancelled else ChangeType.SUPPLY_EXPECTED
    told: dict[str, object] = {
        "id": f"{line.action}-{line.version}",
        "line": str(line.line),
        "channel": CHANNEL,
        "type": kind.value,
        "sku": line.sku,
        "warehouse": line.warehouse,
        "quantity": line.quantity,
        "occurred_at": at.isoformat(),
        "reference": line.reference,
    }
    if line.due_at is not None and not cancelled:
        told["eta"] = line.due_at.isoformat()
    return told
