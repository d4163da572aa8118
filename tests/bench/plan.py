"""Which events the latency benchmark posts and when: a pure function of the rate and the seed.

Two kinds of sales run side by side. Most are of one unit from well-stocked shelves and matter to
nobody. Twenty a second empty a shelf of their own below its rule's limit, each once: the probes,
whose notices are waited for at the destinations.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

REQUESTS_PER_S = 100
"""One request every 10 ms."""

PROBES_PER_S = 20
GROUPS = 100
"""Chat groups, one per warehouse: 12 notices a minute each, under the vendor's 20."""

SKUS = 10_000
STOCK, SHELF, PROBE_SALE, LIMIT = 1_000_000, 50, 45, 10
CHANNEL = "bench-shop"

_WAREHOUSES_PER_SKU = 5


class Place(NamedTuple):
    """A level."""

    sku: str
    warehouse: str


class Sale(NamedTuple):
    """An event of a request."""

    place: Place
    quantity: int
    number: int


@dataclass(frozen=True)
class Plan:
    """All requests of one run; request `n` is due `n` × 10 ms after the start."""

    events_per_s: int
    seconds: int
    seed: int

    @property
    def requests(self) -> int:
        """How many requests there are."""
        return self.seconds * REQUESTS_PER_S

    @cached_property
    def shelves(self) -> list[Place]:
        """The 50,000 well-stocked levels."""
        return [
            Place(f"BG-{sku:05d}", warehouse((sku + step * 17) % GROUPS))
            for sku in range(SKUS)
            for step in range(_WAREHOUSES_PER_SKU)
        ]

    @cached_property
    def probes(self) -> list[Place]:
        """The levels that are emptied, in order; each SKU is there once."""
        return [
            Place(f"PROBE{number:05d}", warehouse(number % GROUPS))
            for number in range(self.seconds * PROBES_PER_S)
        ]

    def event_id(self, sale: Sale) -> str:
        """Return the id under which a sale is posted."""
        return f"B-{self.events_per_s}-{sale.number}"

    def sales(self) -> Iterator[list[Sale]]:
        """Yield the events of each request."""
        chance = random.Random(self.seed)  # noqa: S311 - a workload, not a secret
        size = self.events_per_s // REQUESTS_PER_S
        every = REQUESTS_PER_S // PROBES_PER_S
        for request in range(self.requests):
            first = request * size
            places = chance.choices(self.shelves, k=size)
            sales = [Sale(place, 1, first + index) for index, place in enumerate(places)]
            if request % every == 0:
                probe = self.probes[request // every]
                sales[size // 2] = Sale(probe, PROBE_SALE, first + size // 2)
            yield sales


def warehouse(number: int) -> str:
    """Return the code of a group's warehouse."""
    return f"w-{number:03d}"


def group_key(number: int) -> str:
    """Return the key of a group's bot; a bearer secret with a real vendor, worth nothing here."""
    return f"bench-group-{number:03d}-0000-0000-000000000000"
