"""Changes so much larger than what a level usually sells that somebody should look at them.

A change is unusual when it moves more than twenty times the mean sale of its level, once twenty
sales are known. Sales, what was shipped for orders, returns and adjustments are looked at: where
a finger slips. Receipts, production and transfers come by the pallet, and what is consumed has no
mean here; counts have a tolerance of their own.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.ledger.domain.changes import SOLD, Change, Type

FACTOR = 20
LEAST_SALES = 20
"""Sales that must be known before anything is held against their mean."""

_LOOKED_AT = frozenset({Type.SALE, Type.ORDER_FULFILLED, Type.RETURN, Type.ADJUSTMENT})


class Sold(NamedTuple):
    """What a level has sold so far: units, in how many changes."""

    units: int
    changes: int


def large(changes: Sequence[Change]) -> list[Change]:
    """Return the changes that may be unusual at all: a sale is of one unit at least."""
    # For most changes this one comparison of numbers is all there is.
    return [
        change
        for change in changes
        if not -FACTOR <= change.quantity <= FACTOR and change.type in _LOOKED_AT
    ]


def unusual(changes: Sequence[Change], sold: Mapping[int, Sold]) -> list[Change]:
    """Return which changes are unusual, of those on levels whose sales are given.

    Each is held against the sales that arrived before it.
    """
    so_far = dict(sold)
    found = []
    for change in changes:
        before = so_far.get(change.level)
        if before is None:
            continue
        if (
            before.changes >= LEAST_SALES
            and change.type in _LOOKED_AT
            and abs(change.quantity) * before.changes > FACTOR * before.units
        ):
            found.append(change)
        if change.type in SOLD:
            so_far[change.level] = Sold(before.units + change.quantity, before.changes + 1)
    return found
