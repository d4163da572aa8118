"""`stock.changes`: one canonical change of stock, as ingest accepted it.

Key: the SKU, so that all warehouses of a SKU share a partition and a transfer is atomic.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, Protocol, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

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
    CONSUMED = "consumed"
    PRODUCED = "produced"
    HOLD = "hold"
    RELEASE = "release"
    ORDER_PLACED = "order_placed"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_FULFILLED = "order_fulfilled"
    TRANSFER_SHIPPED = "transfer_shipped"
    TRANSFER_RECEIVED = "transfer_received"
    SUPPLY_EXPECTED = "supply_expected"
    SUPPLY_CANCELLED = "supply_cancelled"
    DEMAND_EXPECTED = "demand_expected"
    DEMAND_CANCELLED = "demand_cancelled"

    # Asked of sets and tables for every change: an enumeration's own hash is six times as slow.
    __hash__ = str.__hash__


class Bucket(StrEnum):
    """What a count has counted; on hand when it does not say."""

    ON_HAND = "on_hand"
    UNAVAILABLE = "unavailable"
    AVAILABLE = "available"


# NUL is the one character that PostgreSQL text cannot hold.
Text = Annotated[str, Field(max_length=512, pattern=r"^[^\x00]*$")]


class StockChange(Event):
    """One change; its identity is (channel, id, line), whatever its times say on a retry.

    `quantity` is in the SKU's base unit. `occurred_at` is when it happened on the floor,
    `received_at` when ingest took it. `counterparty` is the other warehouse of a transfer: where
    it goes when shipped, where it came from when received. `eta` is when a supply, a demand or a
    transfer is due. Transfers need a counterparty; orders, supply and demand a reference; demand
    an eta; only counts have a bucket. Of supply, demand and receipts, reference and line have no
    more than `LINE_BYTES` together.
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
    counterparty: Code | None = None
    bucket: Bucket | None = None
    eta: Instant | None = None
    actor: Text | None = None

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        fault = fault_of(self)
        if fault is None and self.counterparty == self.warehouse:
            fault = Fault(
                "counterparty",
                "same_warehouse",
                "a transfer needs two warehouses; send the other one as counterparty",
            )
        if fault:
            raise PydanticCustomError(fault.code, "{message}", fault._asdict())
        return self


OPTIONAL = ("reference", "counterparty", "bucket", "eta")
"""The fields that some types need, some may have, and others must not have."""


class Shape(NamedTuple):
    """What a change of a type has to look like; `least` is its smallest quantity."""

    least: int
    hint: str
    needs: frozenset[str] = frozenset()
    may_have: frozenset[str] = frozenset({"reference"})


_MOVED = "it carries how many units, 1 or more; its type gives the sign"
_TOTAL = "it cannot be negative; send the total on this reference and line"
_NOTHING_LEFT = "it cannot be negative; nothing is left of the line, whatever it says"
_REFERENCE = frozenset({"reference"})

SHAPES: dict[ChangeType, Shape] = {
    ChangeType.SALE: Shape(1, _MOVED),
    ChangeType.RETURN: Shape(1, _MOVED),
    ChangeType.RECEIPT: Shape(1, _MOVED),
    ChangeType.ADJUSTMENT: Shape(-MAX_QUANTITY, "0 changes nothing; send its signed quantity"),
    ChangeType.COUNT: Shape(
        0, "it cannot be negative; send what lies on the shelf", may_have=_REFERENCE | {"bucket"}
    ),
    ChangeType.CONSUMED: Shape(1, _MOVED),
    ChangeType.PRODUCED: Shape(1, _MOVED),
    ChangeType.HOLD: Shape(1, _MOVED),
    ChangeType.RELEASE: Shape(1, _MOVED),
    ChangeType.ORDER_PLACED: Shape(1, _MOVED, _REFERENCE),
    ChangeType.ORDER_CANCELLED: Shape(1, _MOVED, _REFERENCE),
    ChangeType.ORDER_FULFILLED: Shape(1, _MOVED, _REFERENCE),
    ChangeType.TRANSFER_SHIPPED: Shape(
        1, _MOVED, frozenset({"counterparty"}), _REFERENCE | {"eta"}
    ),
    ChangeType.TRANSFER_RECEIVED: Shape(1, _MOVED, frozenset({"counterparty"})),
    ChangeType.SUPPLY_EXPECTED: Shape(0, _TOTAL, _REFERENCE, frozenset({"eta"})),
    ChangeType.SUPPLY_CANCELLED: Shape(0, _NOTHING_LEFT, _REFERENCE, frozenset()),
    ChangeType.DEMAND_EXPECTED: Shape(0, _TOTAL, _REFERENCE | {"eta"}, frozenset()),
    ChangeType.DEMAND_CANCELLED: Shape(0, _NOTHING_LEFT, _REFERENCE, frozenset()),
}


ABOUT_A_LINE = frozenset(
    {
        ChangeType.RECEIPT,
        ChangeType.SUPPLY_EXPECTED,
        ChangeType.SUPPLY_CANCELLED,
        ChangeType.DEMAND_EXPECTED,
        ChangeType.DEMAND_CANCELLED,
    }
)
"""Types that are about a line of what their reference names."""

LINE_BYTES = 2_000
"""Bytes of UTF-8 that name a line at the most, its reference and itself: what an index takes."""


class Fault(NamedTuple):
    """What is wrong with a change that is well formed field by field."""

    field: str
    code: str
    message: str


class Shaped(Protocol):
    """What of a change has to fit its type."""

    @property
    def type(self) -> ChangeType: ...  # noqa: D102
    @property
    def line(self) -> str: ...  # noqa: D102
    @property
    def quantity(self) -> int: ...  # noqa: D102
    @property
    def reference(self) -> str | None: ...  # noqa: D102
    @property
    def counterparty(self) -> str | None: ...  # noqa: D102
    @property
    def bucket(self) -> Bucket | None: ...  # noqa: D102
    @property
    def eta(self) -> datetime | None: ...  # noqa: D102


def fault_of(change: Shaped) -> Fault | None:
    """Return what of a change does not fit its type, or None.

    An empty reference names nothing; on hand is what every change is about unless it says
    otherwise, so as a bucket it is no more than none.
    """
    shape = SHAPES[change.type]
    kind, quantity = change.type.value, change.quantity
    if quantity < shape.least or (quantity == 0 and change.type is ChangeType.ADJUSTMENT):
        return Fault("quantity", "wrong_sign", f"the quantity does not fit {kind}: {shape.hint}")
    for name in OPTIONAL:
        value = getattr(change, name)
        named = bool(value) and not (name == "bucket" and value is Bucket.ON_HAND)
        if name in shape.needs:
            if not named:
                return Fault(name, "missing", f"{kind} needs {name}; send it")
        elif named and name not in shape.may_have:
            return Fault(name, "not_supported", f"{kind} has no {name}; leave it out")
    if change.type in ABOUT_A_LINE and change.reference:
        size = len(change.reference.encode()) + len(change.line.encode())
        if size > LINE_BYTES:
            return Fault(
                "reference",
                "too_long",
                f"reference and line are {size:,} bytes of UTF-8; send {LINE_BYTES:,} at the most",
            )
    return None
