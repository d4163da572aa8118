"""What messages say beside alerts: digests, and notes of the notifier's own."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.notifier.domain.holding import HoldReason
from shared.events.alert_reports import PurchaseOrder
from shared.events.stock_alerts import AlertEvent, AlertLevel, Recipient, StockAlert

DIGEST_LINES = 40
"""Alerts kept for a digest's lines, the worst first: more than fit into 4,096 bytes."""


class DigestLine(BaseModel):
    """An episode of a digest at the newest of the revisions merged."""

    model_config = ConfigDict(frozen=True)

    alert: StockAlert
    duplicate_possible: bool = False


class Digest(BaseModel):
    """Many notices in one message.

    `opened` counts first notices by level, `changes` the others by event; `total` is both. `why`
    they were held until they could be one message; None: there were more than fit singly. `owner`
    (what that person is called) and `supplier` are those of all, where that is why. `to` are the
    people that what was merged is for, `to_others` says that some of it names nobody; both are only
    known for destinations that write to people one by one.
    """

    model_config = ConfigDict(frozen=True)

    total: int
    opened: dict[AlertLevel, int]
    changes: dict[AlertEvent, int]
    episodes: int
    lines: tuple[DigestLine, ...]
    to: tuple[Recipient, ...] = ()
    to_others: bool = True
    why: HoldReason | None = None
    owner: str | None = None
    supplier: str | None = None


class TestNote(BaseModel):
    """A person tries whether a destination can be reached."""

    __test__ = False  # not a test case
    model_config = ConfigDict(frozen=True)

    destination_name: str
    asked_by: str


class FailedOrder(BaseModel):
    """An order that could not be mailed to its supplier; `buyers` are to know."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    reference: str
    supplier_name: str
    address: str
    buyers: tuple[Recipient, ...] = ()


def failed_order(order: PurchaseOrder) -> FailedOrder:
    """Return an order as a note tells of it: nothing that lets anybody confirm it."""
    return FailedOrder(
        id=order.id,
        reference=order.reference,
        supplier_name=order.supplier_name,
        address=order.to,
        buyers=order.buyers,
    )


class Failure(StrEnum):
    """What is told of a destination."""

    REFUSED = "refused"
    """It, or a supplier's mailbox, refused a message for good."""
    AWAY = "away"
    """It takes nothing for a while; what is for it waits."""
    BACK = "back"
    """It takes messages again."""


class FailureNote(BaseModel):
    """What became of a destination, for those who read another one.

    `since` is when an outage began. `tried` are the destinations that would not tell of it either.
    """

    model_config = ConfigDict(frozen=True)

    destination: str
    destination_name: str
    what: Failure = Failure.REFUSED
    detail: str = ""
    since: datetime | None = None
    alert_number: int | None = None
    order: FailedOrder | None = None
    tried: tuple[str, ...] = ()
