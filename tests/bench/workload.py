"""Realistic stock changes over 50,000 levels, uniform or Zipf, from a seed."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Literal, NamedTuple

from services.ingest.outbound.stock_changes import ChangeRecord
from shared.events.stock_changes import ChangeType
from shared.events.topics import PARTITIONS
from shared.kafka.partitions import partition_of

Distribution = Literal["uniform", "zipf"]

SKUS = 10_000
WAREHOUSES = ("HZ-01", "SH-02", "GZ-03", "BJ-04", "CD-05")
CHANNELS = ("tmall-flagship", "jd-main", "store-pos")

_KINDS = (ChangeType.SALE, ChangeType.RETURN, ChangeType.RECEIPT, ChangeType.ADJUSTMENT)
_SHARES = (90, 4, 4, 2)
_STEP = timedelta(milliseconds=1)
_LATENESS = timedelta(seconds=20)
"""Channels report up to this long after the fact, so about half the changes arrive late."""


class Shelf(NamedTuple):
    """A level that changes happen to."""

    sku: str
    warehouse: str
    partition: int


def shelves() -> list[Shelf]:
    """Return the 50,000 levels, those of a SKU side by side."""
    skus = (f"SKU-{number:06d}-{number % 7:02d}" for number in range(SKUS))
    return [
        Shelf(sku, warehouse, partition_of(sku, PARTITIONS))
        for sku in skus
        for warehouse in WAREHOUSES
    ]


def changes(
    distribution: Distribution, count: int, start: datetime, seed: int
) -> Iterator[tuple[int, ChangeRecord]]:
    """Yield (partition, change) as ingest would publish them; identities differ by seed.

    `start` is when the first happened. Zipf has exponent 1: of 50,000 levels the busiest takes
    9 % of all changes, the busiest hundred 45 %.
    """
    chance = random.Random(seed)  # noqa: S311 - a workload, not a secret
    places = shelves()
    chance.shuffle(places)
    weights = None
    if distribution == "zipf":
        weights = list(accumulate(1 / rank for rank in range(1, len(places) + 1)))
    made = 0
    while made < count:
        size = min(10_000, count - made)
        wheres = chance.choices(places, cum_weights=weights, k=size)
        kinds = chance.choices(_KINDS, _SHARES, k=size)
        for number, (where, kind) in enumerate(zip(wheres, kinds, strict=True), made):
            order, line = divmod(number, 2)
            heard_at = start + number * _STEP
            channel = CHANNELS[order % len(CHANNELS)]
            yield (
                where.partition,
                ChangeRecord(
                    v=1,
                    id=f"SO-{seed:03d}-{order:08d}",
                    line=str(line + 1),
                    channel=channel,
                    type=kind,
                    sku=where.sku,
                    warehouse=where.warehouse,
                    quantity=number % 3 + 1,
                    occurred_at=heard_at - chance.random() * _LATENESS,
                    received_at=heard_at,
                    reason="correction" if kind is ChangeType.ADJUSTMENT else None,
                    reference=f"{channel}/{order:08d}",
                ),
            )
        made += size


def each_level_once(count: int, start: datetime) -> Iterator[tuple[int, ChangeRecord]]:
    """Yield (partition, change): one receipt for each of `count` levels, five to a SKU."""
    for number in range(count):
        place, warehouse = divmod(number, len(WAREHOUSES))
        sku = f"MANY-{place:07d}"
        yield (
            partition_of(sku, PARTITIONS),
            ChangeRecord(
                v=1,
                id=f"OPENING-{place:07d}",
                line=str(warehouse),
                channel=CHANNELS[0],
                type=ChangeType.RECEIPT,
                sku=sku,
                warehouse=WAREHOUSES[warehouse],
                quantity=100,
                occurred_at=start,
                received_at=start,
            ),
        )
