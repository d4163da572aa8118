"""What alerting answers about purchases and the orders that they are collected into."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import Field

from services.console.domain.order_state import days_later
from services.console.upstream.action_answers import Action
from services.console.upstream.answers import Answer


class OrderDestination(Answer):
    """Which destination of the notifier orders are mailed through; None: none."""

    destination: str | None = None


class Purchase(Action):
    """What somebody wants bought for a level that an alert is about."""

    alert_id: UUID
    sku: str
    sku_name: str | None = None
    warehouse: str
    unit_cost: Decimal | None = None


class OrderLine(Purchase):
    """A line of an order; `due_at` is the latest that was said, `asked_due_at` what was wanted."""

    is_incoming: bool = False
    days_covered: float | None = None
    moq: int | None = None
    pack_multiple: int | None = None
    asked_due_at: datetime | None = None

    @property
    def differs(self) -> bool:
        """Whether the supplier has said something else than was ordered."""
        fewer_or_more = self.confirmed_quantity not in {None, self.quantity}
        return fewer_or_more or days_later(self.asked_due_at, self.due_at) != 0


class Order(Answer):
    """A purchase order: open, placed or confirmed."""

    id: UUID
    number: int
    reference: str
    state: str
    supplier: str | None = None
    supplier_name: str | None = None
    supplier_email: str | None = None
    minimum: Decimal | None = None
    leaves_at: datetime | None = None
    opened_at: datetime
    placed_at: datetime | None = None
    placed_by: str | None = None
    link_opened_at: datetime | None = None
    confirmed_at: datetime | None = None
    lines: int
    lines_by_state: dict[str, int] = Field(default_factory=dict)
    lines_late: int = 0
    money: Decimal | None = None
    lines_without_cost: int = 0

    @property
    def called(self) -> str:
        """What to call the supplier."""
        return self.supplier_name or self.supplier or ""


class OrderMail(Answer):
    """A mail to the supplier that was asked for."""

    id: UUID
    address: str
    asked_at: datetime
    asked_by: str | None = None


class OrderWithLines(Order):
    """An order with its lines. `by_mail`: it can be mailed, and is when it is placed.

    The supplier's link is not among what pages are given unasked.
    """

    items: list[OrderLine] = Field(default_factory=list)
    days_covered: float | None = None
    by_mail: bool = False
    mails: list[OrderMail] = Field(default_factory=list)


class OrderLink(Answer):
    """The supplier's link to an order; None where none can be made."""

    link: str | None = None
