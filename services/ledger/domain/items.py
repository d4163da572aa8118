"""What the ledger knows of a SKU besides how much there is of it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple


class Component(NamedTuple):
    """What one unit of a kit takes of another SKU, in that one's base unit."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Item:
    """Master data of a SKU; the defaults hold for one that the catalogue has not told of.

    `kit` is empty for what is stocked itself. `oversell`: a reservation may take what is
    available below zero. `cost` is per base unit.
    """

    sku: str
    kit: tuple[Component, ...] = ()
    oversell: bool = False
    stock_class: str | None = None
    cost: Decimal | None = None
    name: str | None = None
