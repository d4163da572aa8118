"""`catalog.items`: master data of a SKU, the newest per key (compacted).

Key: the SKU.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from shared.events.base import MAX_QUANTITY, Code, Event, Instant

TOPIC = "catalog.items"
VERSION = 1

PRODUCT = "product"
"""The attribute that says of which product a SKU is an option (a colour, a size); a code."""

PRODUCT_NAME = "product_name"
"""The attribute that says what people call that product; the same for all of its SKUs."""


class LifeCycle(StrEnum):
    """Where a SKU stands in its life; phase-out and ended ones never ask to buy."""

    NEW = "new"
    ACTIVE = "active"
    PHASE_OUT = "phase_out"
    ENDED = "ended"


class Component(Event):
    """What one unit of a kit takes of another SKU."""

    sku: Code
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]


class CatalogItem(Event):
    """A SKU's master data; `version` grows with each change of it.

    `kit` is what one unit of it is put together from; empty for what is stocked itself.
    `oversell`: a reservation may take what is available below zero. `stock_class` is a label of
    the user's own, such as A, B or C.
    """

    v: Literal[1] = 1
    sku: Code
    version: Annotated[int, Field(ge=1)]
    name: str | None = None
    category: str | None = None
    brand: str | None = None
    barcodes: tuple[str, ...] = ()
    unit: str = "piece"
    life_cycle: LifeCycle = LifeCycle.ACTIVE
    cost: Decimal | None = None
    price: Decimal | None = None
    kit: tuple[Component, ...] = ()
    oversell: bool = False
    stock_class: str | None = None
    tags: tuple[str, ...] = ()
    attributes: dict[str, str] = Field(default_factory=dict)
    updated_at: Instant
