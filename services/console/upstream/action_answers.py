"""What alerting answers about what is done, as far as pages show it."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import Field

from services.console.upstream.answers import Answer


class Proposal(Answer):
    """Something that could be done; `text` says by language how the quantity adds up."""

    kind: str
    quantity: int | None = None
    source: str | None = None
    cost: Decimal | None = None
    text: dict[str, str] | None = None


class Proposals(Answer):
    """What could be done, the best first."""

    items: list[Proposal] = Field(default_factory=list)


class OrderOf(Answer):
    """The purchase order that an action is a line of."""

    id: UUID
    number: int
    line: int


class Action(Answer):
    """What is done about an alert; `reason` is the last that was said to it."""

    id: UUID
    number: int
    kind: str
    state: str
    quantity: int | None = None
    confirmed_quantity: int | None = None
    source: str | None = None
    supplier: str | None = None
    cost: Decimal | None = None
    order: OrderOf | None = None
    reference: str | None = None
    due_at: datetime | None = None
    is_late: bool = False
    requested_by: str
    requested_at: datetime
    approved_by: str | None = None
    reason: str | None = None
