"""`stock.levels`: the absolute level of a SKU in a warehouse, with a version that only grows.

Key: `sku|warehouse`; partitioned by the SKU alone, like `stock.changes`. A reader drops any
version that is not newer than the one it has, so repeats and replays are harmless.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from shared.events.base import Code, Event, Instant

TOPIC = "stock.levels"
VERSION = 1

GENERATION_SHIFT = 40
"""`version` = generation · 2⁴⁰ + n: rebuild or restore starts a generation, n counts on."""


class Due(Event):
    """Something to come: a supply, a transfer or a demand; `due_at` is null without a date."""

    quantity: int
    due_at: Instant | None
    reference: str


class Correction(Event):
    """What came to light late changes what was told of the past; units of `available`.

    From `since` on (event time) there were `raised` more than was told before, and at any time
    there may have been `lowered` fewer; None where nobody can say how many. Of what `sold_total`
    has grown by, `sold_long_ago` were sold more than 28 days before `last_change_at`.
    """

    since: Instant | None
    raised: Annotated[int, Field(ge=0)]
    lowered: Annotated[int, Field(ge=0)] | None
    sold_long_ago: Annotated[int, Field(ge=0)] = 0


class StockLevel(Event):
    """A level after a transaction; quantities in the SKU's base unit, totals cumulative.

    `low_water` is the smallest `available` since the previous message of this level.
    `last_change_at` is event time; `sold_total`, `returned_total`, `received_total` only grow.
    `supply` and `demand` are the next lines of each, eight at the most; `incoming` is all of it.
    `corrected` is of this message alone and left out of nearly all; whoever misses one knows less
    of the past, and nothing wrong.
    """

    v: Literal[1] = 1
    sku: Code
    warehouse: Code
    version: int
    on_hand: int
    reserved: int
    unavailable: int
    incoming: int
    available: int
    low_water: int
    counted_at: Instant | None
    last_change_at: Instant
    sold_total: int
    returned_total: int
    received_total: int
    supply: tuple[Due, ...] = ()
    demand: tuple[Due, ...] = ()
    flags: tuple[str, ...] = ()
    corrected: Correction | None = None


LevelKey: TypeAlias = tuple[str, str]
"""What a level is called: its SKU and its warehouse."""


def level_key(sku: str, warehouse: str) -> bytes:
    """Return the message key of a level."""
    return f"{sku}|{warehouse}".encode()
