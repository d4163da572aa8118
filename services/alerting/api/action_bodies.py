"""What is asked and answered about actions."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator

from services.alerting.domain.actions import SUPPLYING
from services.alerting.domain.parameter_values import SomeUnits
from services.alerting.domain.texts import NO_NUL, Words
from services.alerting.store.action_rows import Past
from services.alerting.store.calls import Standing
from services.alerting.store.stored_action import StoredAction
from shared.events.base import Code, Instant
from shared.events.stock_alerts import ActionKind, ActionState

_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
_Words = Annotated[Words, StringConstraints(max_length=1_000)]
_Reference = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=NO_NUL)]


def _plausible(due_at: datetime) -> datetime:
    if not _EARLIEST <= due_at < _LATEST:
        raise ValueError("name a date from 1970 to 9997")
    return due_at


_DueAt = Annotated[Instant, AfterValidator(_plausible)]
"""When something is expected, within what ingest takes."""


class Remark(BaseModel):
    """What somebody says to a step."""

    model_config = ConfigDict(extra="forbid")

    note: _Words | None = None


class NewAction(Remark):
    """What is to be done about an alert.

    Purchases and transfers need a `quantity`, in base units; transfers a `source`, the warehouse
    that they come from; doing nothing needs a `reason`. Without a `supplier` it is that of the
    parameters. `due_at` is when it is expected, where that is agreed already.
    """

    kind: ActionKind
    quantity: SomeUnits | None = None
    source: Code | None = None
    supplier: Code | None = None
    due_at: _DueAt | None = None
    reason: _Words | None = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.kind in SUPPLYING and self.quantity is None:
            raise ValueError(f"{self.kind} needs a quantity")
        if (self.kind is ActionKind.TRANSFER) is (self.source is None):
            raise ValueError("a transfer needs a source, and nothing else has one")
        if self.kind is ActionKind.NONE and self.reason is None:
            raise ValueError("doing nothing needs a reason")
        return self


class Ordering(Remark):
    """When what was ordered is expected; `reference` is what a transfer is called elsewhere."""

    due_at: _DueAt | None = None
    reference: _Reference | None = None


class OrderOf(BaseModel):
    """The purchase order that an action is a line of."""

    id: UUID
    number: int
    line: int


class Telling(BaseModel):
    """That ingest is still to be told: what is wrong (null: nothing), and whether for good."""

    trouble: str | None
    refused: bool


class Action(BaseModel):
    """An action as it stands.

    `quantity` was asked for, `confirmed_quantity` is what the supplier has said. `due_at` is when
    it is expected; from `late_at` on it covers nothing. `is_incoming`: the level's incoming has
    it, by its `reference`. `reason` is the last that was said to it. `telling` is null once
    ingest knows all. `owner` is that of the alert.
    """

    id: UUID
    number: int
    alert_id: UUID
    kind: ActionKind
    state: ActionState
    sku: str
    sku_name: str | None
    warehouse: str
    quantity: int | None
    confirmed_quantity: int | None
    source: str | None
    supplier: str | None
    unit_cost: Decimal | None
    cost: Decimal | None
    order: OrderOf | None
    reference: str | None
    due_at: datetime | None
    late_at: datetime | None
    is_late: bool
    is_incoming: bool
    needs_approval: bool
    requested_by: str
    requested_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    ordered_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    owner: str | None
    telling: Telling | None

    @classmethod
    def of(cls, stored: StoredAction, telling: Mapping[UUID, Standing]) -> Self:
        """Return a stored action as it is answered."""
        names = cls.model_fields.keys() - {"order", "telling", "history"}
        order = None
        if stored.order_id is not None:
            order = OrderOf(
                id=stored.order_id, number=stored.order_number or 0, line=stored.line or 0
            )
        waits = telling.get(stored.id)
        return cls(
            **{name: getattr(stored, name) for name in names},
            order=order,
            telling=None if waits is None else Telling(**waits._asdict()),
        )


class PastStep(BaseModel):
    """A step that was done; `alert_revision` is null where the alert says nothing of it."""

    step: str
    state: ActionState
    quantity: int | None
    due_at: datetime | None
    actor: str | None
    note: str | None
    at: datetime
    alert_revision: int | None

    @classmethod
    def of(cls, past: Past) -> Self:
        """Return a stored step as it is answered."""
        return cls.model_validate(past, from_attributes=True)


class ActionWithHistory(Action):
    """An action with all that was done with it, the oldest first."""

    history: list[PastStep] = []
