"""Courses of changes of all types, with few instants and references, so that they meet often."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.events.stock_changes import SHAPES, Bucket, ChangeType, StockChange

BUCKETS = (None, None, *Bucket)


def course(
    chance: random.Random,
    number: int,
    *,
    skus: Sequence[str],
    warehouses: Sequence[str],
    until: datetime,
    hours: int = 12,
    bucketed: Sequence[str] | None = None,
) -> list[StockChange]:
    """Return changes of the hours before an instant, in no order.

    Of `bucketed` SKUs (all, unless given) other things than on hand are counted, too.
    """
    made = []
    for serial in range(number):
        kind = chance.choice(list(ChangeType))
        sku = chance.choice(skus)
        shape = SHAPES[kind]
        here, there = chance.sample(warehouses, 2)
        fields: dict[str, object] = {
            "reference": chance.choice(("1", "2")),
            "counterparty": there,
            "bucket": chance.choice(BUCKETS) if bucketed is None or sku in bucketed else None,
            "eta": until + timedelta(days=chance.randint(1, 3)),
        }
        said: dict[str, object] = {
            "id": f"{chance.choice(('', 'order ', '单'))}{serial}",
            "line": chance.choice(("0", "1")),
            "channel": chance.choice(("shop", "shop 2", "till")),
            "type": kind,
            "sku": sku,
            "warehouse": here,
            "quantity": chance.randint(max(1, shape.least), 9),
            "occurred_at": until - timedelta(hours=chance.randrange(hours)),
            "received_at": until,
            "reason": "damaged" if chance.random() < 0.3 else None,
        }
        named = {name: fields[name] for name in sorted(shape.needs | shape.may_have)}
        made.append(StockChange.model_validate(said | named))
    return made
