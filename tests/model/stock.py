"""What levels are, by definition: all changes of a level sorted by when they happened, walked once.

Written from the promises alone and without regard for arrival, batches or storage; it shares
nothing with the ledger but the event. Slow on purpose: nothing is remembered between questions.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import NamedTuple

from shared.events.stock_changes import Bucket, ChangeType, StockChange
from shared.events.stock_levels import StockLevel

Identity = tuple[str, str, str]
Place = tuple[str, str]
"""A SKU and a warehouse."""

_MOVES = {
    ChangeType.SALE: -1,
    ChangeType.RETURN: 1,
    ChangeType.RECEIPT: 1,
    ChangeType.ADJUSTMENT: 1,
    ChangeType.CONSUMED: -1,
    ChangeType.PRODUCED: 1,
    ChangeType.ORDER_FULFILLED: -1,
    ChangeType.TRANSFER_SHIPPED: -1,
    ChangeType.TRANSFER_RECEIVED: 1,
}
_USING_UP = {
    ChangeType.SALE,
    ChangeType.CONSUMED,
    ChangeType.ORDER_FULFILLED,
    ChangeType.TRANSFER_SHIPPED,
}
_ENDING = {ChangeType.ORDER_CANCELLED, ChangeType.ORDER_FULFILLED}
_SHOWN = 8
_NEVER = datetime.min.replace(tzinfo=UTC)


class Due(NamedTuple):
    """What is still to come."""

    quantity: int
    due_at: datetime | None
    reference: str


@dataclass(frozen=True)
class Level:
    """What a level message says, but for its version and low water."""

    on_hand: int
    reserved: int
    unavailable: int
    incoming: int
    available: int
    sold_total: int
    returned_total: int
    received_total: int
    counted_at: datetime | None
    last_change_at: datetime
    supply: tuple[Due, ...]
    demand: tuple[Due, ...]

    @classmethod
    def told(cls, message: StockLevel) -> "Level":
        """Return what a message says."""
        said = {each.name: getattr(message, each.name) for each in fields(cls)}
        for name in ("supply", "demand"):
            said[name] = tuple(
                Due(each.quantity, each.due_at, each.reference) for each in said[name]
            )
        return cls(**said)


def identity(change: StockChange) -> Identity:
    """Return what a change is known by."""
    return change.channel, change.id, change.line


def content(change: StockChange) -> tuple[object, ...]:
    """Return what a repeat has to say again: never times or actor."""
    bucket = None if change.bucket is Bucket.ON_HAND else change.bucket
    return (
        *(change.type, change.sku, change.warehouse, change.quantity, change.counterparty),
        *(change.reference, change.reason, bucket, change.eta),
    )


def places(change: StockChange) -> tuple[Place, ...]:
    """Return the levels that a change touches."""
    here = (change.sku, change.warehouse)
    if change.type is ChangeType.TRANSFER_SHIPPED:
        return here, (change.sku, str(change.counterparty))
    return (here,)


def in_order(changes: Iterable[StockChange]) -> list[StockChange]:
    """Return changes by when they happened; a change at a count's instant is contained in it."""
    return sorted(
        changes, key=lambda each: (each.occurred_at, each.type is ChangeType.COUNT, identity(each))
    )


def balances(own: Sequence[StockChange]) -> Iterator[tuple[int, int]]:
    """Yield what is on hand and unavailable after each of a level's own changes, in order."""
    on_hand = unavailable = 0
    for index, each in enumerate(own):
        match each.type, each.bucket:
            case ChangeType.COUNT, Bucket.UNAVAILABLE:
                unavailable = each.quantity
            case ChangeType.COUNT, Bucket.AVAILABLE:
                on_hand = each.quantity + max(0, _reserved(own[:index])) + unavailable
            case ChangeType.COUNT, _:
                on_hand = each.quantity
            case ChangeType.HOLD, _:
                unavailable += each.quantity
            case ChangeType.RELEASE, _:
                unavailable -= each.quantity
            case _:
                on_hand += _MOVES.get(each.type, 0) * each.quantity
                if each.type is ChangeType.RETURN and each.reason == "damaged":
                    unavailable += each.quantity
        yield on_hand, unavailable


def held_back(count: StockChange) -> StockChange:
    """Return what a count that waits is to its level: something that moved nothing."""
    nothing = {"type": ChangeType.ADJUSTMENT, "quantity": 0, "bucket": None}
    return count.model_copy(update=nothing)


def expected(changes: Iterable[StockChange], count: StockChange) -> int:
    """Return what there was, just before a count, of what it has counted."""
    place = (count.sku, count.warehouse)
    own = in_order([*(e for e in changes if (e.sku, e.warehouse) == place), count])
    before = own[: own.index(count)]
    on_hand, unavailable = list(balances(before))[-1] if before else (0, 0)
    match count.bucket:
        case Bucket.UNAVAILABLE:
            return unavailable
        case Bucket.AVAILABLE:
            return on_hand - max(0, _reserved(before)) - unavailable
        case _:
            return on_hand


def settles(change: StockChange, count: StockChange) -> bool:
    """Return whether a change is a newer count that sets what another one would: on hand or not."""
    return (
        change.type is ChangeType.COUNT
        and (change.sku, change.warehouse) == (count.sku, count.warehouse)
        and (change.bucket is Bucket.UNAVAILABLE) == (count.bucket is Bucket.UNAVAILABLE)
        and (change.occurred_at, identity(change)) > (count.occurred_at, identity(count))
    )


def level(changes: Iterable[StockChange], place: Place) -> Level:
    """Return a level of which there is at least one change."""
    here = in_order(each for each in changes if place in places(each))
    own = [each for each in here if (each.sku, each.warehouse) == place]
    arriving = [each for each in here if (each.sku, each.warehouse) != place]
    on_hand = unavailable = 0
    for on_hand, unavailable in balances(own):  # noqa: B007 - the last one counts
        pass
    reserved = _reserved(own)
    supply = [*_supply(own), *_transfers(arriving, own)]
    return Level(
        on_hand=on_hand,
        reserved=reserved,
        unavailable=unavailable,
        incoming=sum(max(0, each.quantity) for each in supply),
        available=on_hand - max(0, reserved) - unavailable,
        sold_total=_total(own, ChangeType.SALE, ChangeType.ORDER_FULFILLED),
        returned_total=_total(own, ChangeType.RETURN),
        received_total=_total(own, ChangeType.RECEIPT),
        counted_at=max(
            (
                each.occurred_at
                for each in own
                if each.type is ChangeType.COUNT and each.bucket is not Bucket.UNAVAILABLE
            ),
            default=None,
        ),
        last_change_at=here[-1].occurred_at,
        supply=_soonest(supply),
        demand=_soonest(_demand(own)),
    )


def promisable(changes: Iterable[StockChange], place: Place) -> int:
    """Return what may still be promised: what was shipped unordered makes no room."""
    here = [each for each in changes if place in places(each)]
    if not here:
        return 0
    own = [each for each in here if (each.sku, each.warehouse) == place]
    now = level(here, place)
    unordered = sum(min(0, left) for left in _orders(own))
    return now.on_hand - (now.reserved - unordered) - now.unavailable


def _total(changes: Iterable[StockChange], *kinds: ChangeType) -> int:
    return sum(each.quantity for each in changes if each.type in kinds)


def _orders(own: Sequence[StockChange]) -> Iterator[int]:
    """Yield what each order has open: less than nothing only if nobody placed it."""
    for reference in {each.reference for each in own}:
        order = [each for each in own if each.reference == reference]
        placed = _total(order, ChangeType.ORDER_PLACED)
        ended = _total(order, *_ENDING)
        yield max(0, placed - ended) if placed else -ended


def _reserved(own: Sequence[StockChange]) -> int:
    return sum(_orders(own))


def _decided(own: Sequence[StockChange], *kinds: ChangeType) -> list[StockChange]:
    """Return the last word on each (reference, line), where that is not a cancellation."""
    last = {(each.reference, each.line): each for each in own if each.type in kinds}
    return [each for each in last.values() if each.type is kinds[0]]


def _supply(own: Sequence[StockChange]) -> list[Due]:
    return [
        Due(
            line.quantity
            - _total(
                (
                    each
                    for each in own
                    if (each.reference, each.line) == (line.reference, line.line)
                ),
                ChangeType.RECEIPT,
            ),
            line.eta,
            line.reference or "",
        )
        for line in _decided(own, ChangeType.SUPPLY_EXPECTED, ChangeType.SUPPLY_CANCELLED)
    ]


def _transfers(arriving: Sequence[StockChange], own: Sequence[StockChange]) -> list[Due]:
    due = []
    for reference, source in {(each.reference or "", each.warehouse) for each in arriving}:
        shipped = [
            each
            for each in arriving
            if (each.reference or "", each.warehouse) == (reference, source)
        ]
        received = [
            each for each in own if (each.reference or "", each.counterparty) == (reference, source)
        ]
        left = _total(shipped, ChangeType.TRANSFER_SHIPPED)
        left -= _total(received, ChangeType.TRANSFER_RECEIVED)
        dates = [each.eta for each in shipped if each.eta is not None]
        due.append(Due(left, max(dates, default=None), reference))
    return due


def _demand(own: Sequence[StockChange]) -> list[Due]:
    """Return what is open of demands; what was used up of a reference is taken off the soonest."""
    due = []
    used: dict[str | None, int] = {}
    for each in own:
        if each.type in _USING_UP:
            used[each.reference] = used.get(each.reference, 0) + each.quantity
    demands = _decided(own, ChangeType.DEMAND_EXPECTED, ChangeType.DEMAND_CANCELLED)
    for each in sorted(demands, key=lambda each: (each.eta or _NEVER, each.reference, each.line)):
        covered = min(each.quantity, used.get(each.reference, 0))
        used[each.reference] = used.get(each.reference, 0) - covered
        due.append(Due(each.quantity - covered, each.eta, each.reference or ""))
    return due


def _soonest(due: Iterable[Due]) -> tuple[Due, ...]:
    left = [each for each in due if each.quantity > 0]
    left.sort(
        key=lambda each: (
            *(each.due_at is None, each.due_at or _NEVER),
            *(each.reference, each.quantity),
        )
    )
    return tuple(left[:_SHOWN])
