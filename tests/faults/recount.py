"""What must have come of the events that were answered 202, counted plainly."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tests.faults.goods import DIPPING, SELLING_OUT, Event

_SIGN = {"sale": -1, "return": 1, "receipt": 1, "adjustment": 1}


@dataclass(frozen=True)
class Recount:
    """On hand by SKU, the SKUs that ever reached zero, and how many different changes there were.

    `told` counts the events, repeats included.
    """

    on_hand: dict[str, int]
    reached_zero: frozenset[str]
    changes: int
    told: int


def recount(events: Iterable[Event]) -> Recount:
    """Count each identity once: on hand = the last count + the changes after it."""
    changes: dict[tuple[str, str], Event] = {}
    told = 0
    for event in events:
        told += 1
        first = changes.setdefault((str(event["id"]), str(event["line"])), event)
        if first != event:
            raise ValueError(f"one identity, two contents: {first} and {event}")
    by_sku: defaultdict[str, list[Event]] = defaultdict(list)
    for event in changes.values():
        by_sku[str(event["sku"])].append(event)
    on_hand = {sku: _on_hand(some) for sku, some in by_sku.items()}
    sold_out = {sku for sku in SELLING_OUT if on_hand.get(sku, 1) <= 0}
    dipped = {sku for sku in DIPPING if any(each["type"] == "sale" for each in by_sku[sku])}
    return Recount(on_hand, frozenset(sold_out | dipped), len(changes), told)


def _on_hand(events: list[Event]) -> int:
    on_hand = 0
    for event in sorted(events, key=_order):
        quantity = int(event["quantity"])
        kind = str(event["type"])
        on_hand = quantity if kind == "count" else on_hand + _SIGN[kind] * quantity
    return on_hand


def _order(event: Event) -> tuple[str, bool, str, str]:
    # The instants have one format and zone, so their texts sort as they do.
    is_count = event["type"] == "count"
    return str(event["occurred_at"]), is_count, str(event["id"]), str(event["line"])
