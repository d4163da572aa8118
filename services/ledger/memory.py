"""What a worker remembers of the levels it owns: where they are, and where they stand in time."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice

from services.ledger.domain.effects import Anchor
from shared.events.stock_levels import LevelKey

PLACES = 60_000
"""Levels that a worker remembers at the most, at half a kilobyte each: a million of them would be
500 MB. Those met first make room; one that is met again is read again, for 10 µs."""


@dataclass(slots=True)
class Place:
    """A level: where it is and where it stands."""

    id: int
    sku: str
    warehouse: str
    partition: int
    anchor: Anchor
    demanding: bool = False


@dataclass(slots=True)
class _Staged:
    """What memory becomes once the transaction is durable."""

    places: dict[int, Place] = field(default_factory=dict)
    by_key: dict[LevelKey, Place] = field(default_factory=dict)
    anchors: Mapping[int, Anchor] = field(default_factory=dict)
    demanding: Collection[int] = ()


class Memory:
    """The levels of one worker's partitions.

    What a transaction teaches is staged: seen at once, and kept by `adopt` when it is durable.
    """

    def __init__(self) -> None:
        self._places: dict[LevelKey, Place] = {}
        self._by_id: dict[int, Place] = {}
        self._staged = _Staged()

    def __len__(self) -> int:
        return len(self._by_id)

    def begin(self) -> None:
        """Forget what a transaction that came to nothing has staged."""
        self._staged = _Staged()

    def find(self, sku: str, warehouse: str) -> Place | None:
        """Return the level of a SKU in a warehouse, if it is known."""
        key = (sku, warehouse)
        return self._places.get(key) or self._staged.by_key.get(key)

    def place(self, level: int) -> Place:
        """Return a known level by its id."""
        return self._by_id.get(level) or self._staged.places[level]

    def stage(self, place: Place) -> None:
        """Learn of a level."""
        self._staged.places[place.id] = self._staged.by_key[place.sku, place.warehouse] = place

    def stage_anchors(self, anchors: Mapping[int, Anchor]) -> None:
        """Learn where levels stand in time now."""
        self._staged.anchors = anchors

    def stage_newest(self, changed: Mapping[int, datetime]) -> None:
        """Learn when those of some levels that are known were changed last, by somebody else."""
        self._staged.anchors = {
            level: place.anchor._replace(last_change_at=at)
            for level, at in changed.items()
            if (place := self._by_id.get(level)) is not None
        }

    def stage_demanding(self, levels: Collection[int]) -> None:
        """Learn which levels have a demand."""
        self._staged.demanding = levels

    def adopt(self) -> None:
        """Keep what is staged: the transaction is durable."""
        staged, self._staged = self._staged, _Staged()
        self._keep(staged.places.values())
        for level, anchor in staged.anchors.items():
            self._by_id[level].anchor = anchor
        for level in staged.demanding:
            self._by_id[level].demanding = True
        self._make_room()

    def part_with(self, partitions: Collection[int]) -> dict[int, list[Place]]:
        """Forget partitions; returns what was remembered of them, by partition."""
        gone: dict[int, list[Place]] = {}
        for place in self._by_id.values():
            if place.partition in partitions:
                gone.setdefault(place.partition, []).append(place)
        for place in chain.from_iterable(gone.values()):
            self._forget(place)
        return gone

    def take_up(self, memories: Collection[list[Place]]) -> None:
        """Remember what another worker has parted with."""
        self._keep(chain.from_iterable(memories))
        self._make_room()

    def _keep(self, places: Iterable[Place]) -> None:
        for place in places:
            self._places[place.sku, place.warehouse] = self._by_id[place.id] = place

    def _forget(self, place: Place) -> None:
        del self._by_id[place.id], self._places[place.sku, place.warehouse]

    def _make_room(self) -> None:
        if len(self._by_id) > PLACES:
            # A dictionary keeps its order.
            for place in list(islice(self._by_id.values(), len(self._by_id) - PLACES // 2)):
                self._forget(place)
