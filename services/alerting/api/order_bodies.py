"""What is asked and answered about purchase orders."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from services.alerting.api.action_bodies import Action, Remark
from services.alerting.domain.suppliers import Supplier, leaves_at
from services.alerting.store import orders
from services.alerting.store.orders import StoredOrder
from services.alerting.store.stored_action import StoredAction, reference_of
from shared.events.stock_alerts import ActionState

OrderState = Literal["open", "placed", "confirmed"]


class Placing(Remark):
    """What somebody says to placing an order, and the ids of the lines that they have seen.

    With `lines`, an order that has others by now is not placed (409 `order_changed`).
    """

    lines: Annotated[list[UUID], Field(max_length=10_000)] | None = None


class Order(BaseModel):
    """A purchase order: open while it is collected, then placed, then confirmed by the supplier.

    `reference` is what the supply lines at ingest are called. `money` is what the lines cost, as
    far as their unit costs are known; `lines_without_cost` says how many are left out. An open one
    leaves by itself when it is worth `minimum`, and at `leaves_at`; both are null where the
    supplier has none. `link_opened_at` is when somebody who has the supplier's link last did
    something on its page; whatever only follows links, as mail scanners do, has not.
    `lines_by_state` counts lines, `lines_late` those that should have come and have not.
    """

    id: UUID
    number: int
    reference: str
    state: OrderState
    supplier: str | None
    supplier_name: str | None
    supplier_email: str | None
    minimum: Decimal | None
    leaves_at: datetime | None
    opened_at: datetime
    placed_at: datetime | None
    placed_by: str | None
    link_opened_at: datetime | None
    confirmed_at: datetime | None
    lines: int
    lines_by_state: dict[ActionState, int]
    lines_late: int
    money: Decimal | None
    lines_without_cost: int
    sheet: str

    @classmethod
    def of(
        cls, stored: StoredOrder, lines: Sequence[StoredAction], supplier: Supplier | None
    ) -> Self:
        """Return a stored order as it is answered."""
        state: OrderState = "open" if stored.placed_at is None else "placed"
        waits = supplier if stored.placed_at is None else None
        return cls(
            id=stored.id,
            number=stored.number,
            reference=reference_of(stored.number),
            state=state if stored.confirmed_at is None else "confirmed",
            supplier=stored.supplier,
            supplier_name=None if supplier is None else supplier.name,
            supplier_email=None if supplier is None else supplier.email,
            minimum=None if supplier is None else supplier.minimum,
            leaves_at=None if waits is None else leaves_at(waits, stored.opened_at),
            opened_at=stored.opened_at,
            placed_at=stored.placed_at,
            placed_by=stored.placed_by,
            link_opened_at=stored.link_opened_at,
            confirmed_at=stored.confirmed_at,
            lines=len(lines),
            lines_by_state=dict(Counter(line.state for line in lines)),
            lines_late=sum(line.is_late for line in lines if line.state is ActionState.ORDERED),
            money=orders.money(lines),
            lines_without_cost=len(orders.without_cost(lines)),
            sheet=f"/v1/orders/{stored.id}.xlsx",
        )


class OrderLine(Action):
    """A line: an action. `days_covered` is how long its units last at mean daily sales.

    `moq` and `pack_multiple` are what the supplier sells at least and by, `asked_due_at` is when it
    was to come when it was ordered: `due_at` is what the supplier has said since.
    """

    days_covered: float | None = None
    moq: int | None = None
    pack_multiple: int | None = None
    asked_due_at: datetime | None = None


class OrderMail(BaseModel):
    """A mail to the supplier that was asked for; see `order_id` of the notifier's deliveries."""

    id: UUID
    address: str
    asked_at: datetime
    asked_by: str | None


class OrderWithLines(Order):
    """An order with its lines.

    `days_covered` is that of the line that lasts the shortest. `by_mail`: placing it mails it to
    the supplier; `mails` are those that were asked for. `link` is for the supplier, to see
    the lines and confirm them; it is a secret, so it is told only to who may order, and only once
    the order is placed. It is new each time, and good for 30 days.
    """

    items: list[OrderLine]
    days_covered: float | None
    by_mail: bool
    mails: list[OrderMail]
    link: str | None
