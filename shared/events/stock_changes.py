"""`stock.changes`: one canonical change of stock, as ingest accepted it.

Key: the SKU, so that all warehouses of a SKU share a partition and a transfer is atomic.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self, assert_never

from pydantic import Field, model_validator

from shared.events.base import MAX_QUANTITY, Code, Event, Instant

TOPIC = "stock.changes"
VERSION = 1


class ChangeType(StrEnum):
    """What happened. Quantities are magnitudes but for `adjustment`, which carries its sign."""

    SALE = "sale"
    RETURN = "return"
    RECEIPT = "receipt"
    ADJUSTMENT = "adjustment"
    COUNT = "count"


# NUL is the one character that PostgreSQL text cannot hold.
Text = Annotated[str, Field(max_length=512, pattern=r"^[^\x00]*$")]


class StockChange(Event):
    """One change; its identity is (channel, id, line), whatever its times say on a retry.

    `quantity` is in the SKU's base unit. `occurred_at` is when it happened on the floor,
    `received_at` when ingest took it.
    """

    v: Literal[1] = 1
    id: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
    line: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")] = "0"
    channel: Code
    type: ChangeType
    sku: Code
    warehouse: Code
    quantity: Annotated[int, Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY, strict=True)]
    occurred_at: Instant
    received_at: Instant
    reason: Text | None = None
    reference: Text | None = None
    actor: Text | None = None

    @model_validator(mode="after")
    def _sign_fits_type(self) -> Self:
        problem = sign_problem(self.type, self.quantity)
        if problem:
            raise ValueError(problem)
        return self


def sign_problem(change_type: ChangeType, quantity: int) -> str | None:
    """Return what is wrong with the sign of a quantity for its type, or None."""
    match change_type:
        case ChangeType.ADJUSTMENT:
            fault = quantity == 0
            problem = "an adjustment of 0 changes nothing; send its signed quantity"
        case ChangeType.COUNT:
            fault = quantity < 0
            problem = "a count cannot be negative; send what lies on the shelf"
        case ChangeType.SALE | ChangeType.RETURN | ChangeType.RECEIPT:
            fault = quantity < 1
            problem = (
                f"a {change_type.value} carries how many units moved, 1 or more; "
                "its type gives the sign"
            )
        case _:
            assert_never(change_type)
    return problem if fault else None
