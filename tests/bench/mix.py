"""A realistic mix over the same levels: plain changes, counts, half of them late, and repeats.

`mix` is 5 % counts, 10 % repeats, else what `workload.changes` makes. `mix_all` has orders,
transfers, holds and supply among it as well.
"""

import random
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.ingest.outbound.stock_changes import ChangeRecord
from shared.events.stock_changes import ChangeType
from tests.bench import workload

COUNTS, LATE_COUNTS, REPEATS = 0.05, 0.5, 0.10
"""Of all changes; of the counts, those dated before what their level already has; of all."""

RESERVATIONS = 0.01
"""Of as many changes, over HTTP beside them: `reserving`."""

_LATE_S = (60.0, 600.0)
"""A level has a change every 50 s of a uniform workload's time."""

_REPEATED_AFTER = 400_000
"""Changes at the most; log-uniform, so that five sixths come within the first tenth: retries come
soon, polls that overlap later, and some when no worker's memory reaches back that far."""

_UNDER_WAY = 1_000
"""Orders and transfers that are open before the first of them ends."""

Told = tuple[int, ChangeRecord]
"""A change and its partition."""


def mixed(count: int, start: datetime, seed: int, *, committing: bool) -> Iterator[Told]:
    """Yield changes; a repeat is the very same change once more."""
    chance = random.Random(-seed)  # noqa: S311 - a workload, not a secret
    told: deque[Told] = deque(maxlen=_REPEATED_AFTER)
    commitments = _Commitments(chance)
    for plain in workload.changes("uniform", count, start, seed):
        draw = chance.random()
        if draw < REPEATS and told:
            yield told[-int(len(told) ** chance.random())]
            continue
        if draw > 1 - COUNTS:
            one = _count(plain, chance)
        else:
            one = commitments.instead_of(plain) if committing else plain
        told.append(one)
        yield one


def _count(plain: Told, chance: random.Random) -> Told:
    partition, change = plain
    ago_s = chance.uniform(*_LATE_S) if chance.random() < LATE_COUNTS else 0.0
    counted = replace(
        change,
        type=ChangeType.COUNT,
        quantity=chance.randrange(1_000),
        occurred_at=change.received_at - timedelta(seconds=ago_s),
        reason=None,
    )
    return partition, counted


_SHARES = {
    ChangeType.ORDER_PLACED: 0.08,
    ChangeType.ORDER_FULFILLED: 0.07,
    ChangeType.ORDER_CANCELLED: 0.01,
    ChangeType.TRANSFER_SHIPPED: 0.01,
    ChangeType.TRANSFER_RECEIVED: 0.01,
    ChangeType.HOLD: 0.01,
    ChangeType.RELEASE: 0.01,
    ChangeType.SUPPLY_EXPECTED: 0.01,
}
"""Of the plain changes, replaced by these."""


class _Commitments:
    """Orders and transfers, begun and later ended on the same level by the same reference."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._share = sum(_SHARES.values())
        self._ordered: deque[Told] = deque()
        self._shipped: deque[Told] = deque()

    def instead_of(self, plain: Told) -> Told:
        """Return another change with a plain one's identity and times, now and then."""
        if self._chance.random() >= self._share:
            return plain
        (kind,) = self._chance.choices([*_SHARES], [*_SHARES.values()])
        match kind:
            case ChangeType.ORDER_PLACED:
                return self._begun(self._ordered, plain, kind)
            case ChangeType.ORDER_FULFILLED | ChangeType.ORDER_CANCELLED:
                return self._ended(self._ordered, plain, kind)
            case ChangeType.TRANSFER_SHIPPED:
                return self._begun(self._shipped, plain, kind)
            case ChangeType.TRANSFER_RECEIVED:
                return self._ended(self._shipped, plain, kind)
            case _:
                return plain[0], replace(plain[1], type=kind, reason=None)

    def _begun(self, open_: deque[Told], plain: Told, kind: ChangeType) -> Told:
        partition, change = plain
        other = None
        if kind is ChangeType.TRANSFER_SHIPPED:
            others = [each for each in workload.WAREHOUSES if each != change.warehouse]
            other = self._chance.choice(others)
        begun = partition, replace(change, type=kind, reason=None, counterparty=other)
        open_.append(begun)
        return begun

    def _ended(self, open_: deque[Told], plain: Told, kind: ChangeType) -> Told:
        if len(open_) < _UNDER_WAY:
            return plain
        partition, begun = open_.popleft()
        change = plain[1]
        ended = replace(
            begun,
            type=kind,
            channel=change.channel,
            id=change.id,
            line=change.line,
            occurred_at=change.occurred_at,
            received_at=change.received_at,
        )
        if begun.counterparty is not None:
            ended = replace(ended, warehouse=begun.counterparty, counterparty=begun.warehouse)
        return partition, ended
