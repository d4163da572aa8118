"""The ledger on one screen: how a batch of stock changes becomes levels.

    read → find levels → sort out repeats → apply by event time → store → tell

Each stage is a function of the batch; what the worker remembers between batches (where levels
stand in time, the newest identities) follows only when the transaction is durable.
"""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from services.ledger.domain.changes import (
    NAME_OF,
    Change,
    Type,
    content_hash,
    identity_hash,
)
from services.ledger.domain.effects import Anchor, Effect, Entry, apply, late_counts
from services.ledger.domain.identities import RecentIdentities, Remembered
from services.ledger.inbound import stock_changes
from services.ledger.inbound.stock_changes import Incoming
from services.ledger.outbound import stock_levels
from services.ledger.store import changes as store
from services.ledger.store.changes import Known, Level
from services.ledger.store.periods import Periods, ensure_periods
from shared.clock import Clock
from shared.database.engine import Driver, driver
from shared.events.dead_letters import DeadReason
from shared.events.stock_levels import TOPIC as STOCK_LEVELS
from shared.kafka.handler import Batch, Claim, Handler
from shared.kafka.messages import Message, Outgoing, Record
from shared.kafka.partitions import partition_of

FUTURE = timedelta(minutes=5)
"""A change dated further ahead is refused: one count dated 2099 would freeze a level."""

_TYPES = {name: Type(number) for number, name in NAME_OF.items()}

_Key = tuple[str, str]


@dataclass(slots=True)
class _Place:
    """What the worker remembers of a level it owns."""

    id: int
    sku: str
    warehouse: str
    partition: int
    anchor: Anchor


@dataclass(slots=True)
class _Staged:
    """What memory becomes once the transaction is durable."""

    places: dict[int, _Place] = field(default_factory=dict)
    anchors: dict[int, Anchor] = field(default_factory=dict)
    identities: list[tuple[bytes, Remembered]] = field(default_factory=list)


class StockChanges(Handler):
    """Works the batches of one worker's partitions of `stock.changes`."""

    def __init__(self, clock: Clock, partitions: int) -> None:
        self._clock = clock
        self._partitions = partitions
        self._places: dict[_Key, _Place] = {}
        self._by_id: dict[int, _Place] = {}
        self._recent = RecentIdentities()
        self._periods: Periods | None = None
        self._staged = _Staged()
        self._prepared: Driver | None = None

    @override
    async def claim(
        self, connection: AsyncConnection, claims: Sequence[Claim]
    ) -> Sequence[Outgoing]:
        self._periods = await ensure_periods(connection, self._clock.now())
        unpublished = await store.unpublished_levels(
            await self._driver(connection), {claim.partition: claim.published for claim in claims}
        )
        return _outgoing(
            [
                stock_levels.message(
                    each.sku, each.warehouse, each.partition, each.level, each.low_water
                )
                for each in unpublished
            ]
        )

    @override
    async def handle(self, connection: AsyncConnection, batch: Batch) -> Sequence[Outgoing]:
        database = await self._driver(connection)
        recorded_at = self._clock.now()
        periods = await self._periods_at(connection, recorded_at)
        staged = self._staged = _Staged()
        tallies: Counter[tuple[int, str]] = Counter()

        incoming = self._refuse_misplaced(batch, stock_changes.read(batch))
        changes = await self._located(database, incoming, staged)
        fresh, repeats = await self._sort_out(database, periods, batch, changes, recorded_at)
        entries, effects = await self._applied(database, fresh)
        messages: list[Message] = []
        if entries:
            await store.add_movements(database, periods, entries, recorded_at)
            levels = await store.move_levels(database, effects, self._batches(batch, effects))
            messages = [self._message(level, effects[level.id]) for level in levels]
        if repeats:
            await store.add_repeats(database, periods, repeats, recorded_at)

        for entry in entries:
            tallies[batch.records[entry.change.position].partition, "movements"] += 1
        for change, _ in repeats:
            tallies[batch.records[change.position].partition, "repeats"] += 1
        for dead in batch.dead_letters:
            tallies[dead.record.partition, f"rejected.{dead.reason.value}"] += 1
        if tallies:
            await store.add_tallies(database, tallies)
        staged.anchors = {level: effect.anchor for level, effect in effects.items()}
        staged.identities = [(each.change.hash, _remembered(each.change)) for each in entries]
        return _outgoing(messages)

    @override
    def committed(self, batch: Batch) -> None:
        staged, self._staged = self._staged, _Staged()
        for place in staged.places.values():
            self._places[place.sku, place.warehouse] = self._by_id[place.id] = place
        for level, anchor in staged.anchors.items():
            self._by_id[level].anchor = anchor
        self._recent.add(staged.identities)

    @override
    def release(self, partitions: Collection[int]) -> None:
        gone = [key for key, place in self._places.items() if place.partition in partitions]
        for key in gone:
            del self._by_id[self._places.pop(key).id]

    async def _driver(self, connection: AsyncConnection) -> Driver:
        found = await driver(connection)
        if found is not self._prepared:
            await store.prepare(found)
            self._prepared = found
        return found

    async def _periods_at(self, connection: AsyncConnection, now: datetime) -> Periods:
        if self._periods is None or self._periods.day != now.date():
            self._periods = await ensure_periods(connection, now)
        return self._periods

    def _refuse_misplaced(
        self, batch: Batch, incoming: list[tuple[Record, Incoming]]
    ) -> list[tuple[int, Record, Incoming]]:
        """Refuse changes in another partition than their SKU's: its owner alone may write it."""
        good = []
        positions = {id(record): position for position, record in enumerate(batch.records)}
        for record, change in incoming:
            key = (change.sku, change.warehouse)
            if key not in self._places and (
                partition_of(change.sku, self._partitions) != record.partition
            ):
                batch.dead(record, DeadReason.INVALID, "the record is not in its SKU's partition")
            else:
                good.append((positions[id(record)], record, change))
        return good

    async def _located(
        self,
        database: Driver,
        incoming: list[tuple[int, Record, Incoming]],
        staged: _Staged,
    ) -> list[Change]:
        places = self._places
        ids: dict[_Key, int] = {}
        missing = {
            (change.sku, change.warehouse): record.partition
            for _, record, change in incoming
            if (change.sku, change.warehouse) not in places
        }
        if missing:
            found = await store.levels_of(
                database, [(*key, partition) for key, partition in missing.items()]
            )
            for key, partition in missing.items():
                level = found[key]
                staged.places[level.id] = _Place(level.id, *key, partition, level.anchor)
                ids[key] = level.id
        return [
            Change(
                ids.get(key) or places[key].id,
                _TYPES[each.type],
                each.quantity,
                each.occurred_at,
                each.received_at,
                each.channel,
                each.id,
                each.line,
                each.reason,
                each.reference,
                each.actor,
                identity_hash(each.channel, each.id, each.line),
                content_hash(
                    each.type, each.sku, each.warehouse, each.quantity, each.reason, each.reference
                ),
                position,
                record.offset,
            )
            for position, record, each in incoming
            for key in [(each.sku, each.warehouse)]
        ]

    async def _sort_out(
        self,
        database: Driver,
        periods: Periods,
        batch: Batch,
        changes: list[Change],
        recorded_at: datetime,
    ) -> tuple[list[Change], list[tuple[Change, datetime]]]:
        """Part new changes from repeats; a known identity with other content is refused.

        Identity comes first: a repeat is a repeat, whatever its times say.
        """
        fresh, future, again = self._sort_by_memory(changes, recorded_at + FUTURE)
        if future:
            again += await self._refuse_future(database, batch, future)
        if fresh:
            known = await store.add_identities(database, periods, list(fresh.values()), recorded_at)
            again += [(fresh.pop(row.hash), _stored(row)) for row in known]
        repeats = []
        for change, first in again:
            if change.content == first.content:
                repeats.append((change._replace(level=first.level), first.occurred_at))
            else:
                batch.dead(
                    batch.records[change.position],
                    DeadReason.ID_REUSED,
                    f"({change.channel}, {change.id}, {change.line}) is known with other content",
                    first=await self._first_told(database, change, first, fresh),
                )
        return list(fresh.values()), repeats

    def _sort_by_memory(
        self, changes: list[Change], horizon: datetime
    ) -> tuple[dict[bytes, Change], list[Change], list[tuple[Change, Remembered]]]:
        fresh: dict[bytes, Change] = {}
        future: list[Change] = []
        again: list[tuple[Change, Remembered]] = []
        for change in changes:
            first = fresh.get(change.hash)
            known = _remembered(first) if first else self._recent.get(change.hash)
            if known is not None:
                again.append((change, known))
            elif change.occurred_at > horizon:
                future.append(change)
            else:
                fresh[change.hash] = change
        return fresh, future, again

    async def _refuse_future(
        self, database: Driver, batch: Batch, future: list[Change]
    ) -> list[tuple[Change, Remembered]]:
        """Refuse changes from the future, but for those that repeat what is stored."""
        stored = await store.known_identities(database, future)
        for change in future:
            if change.hash not in stored:
                batch.dead(
                    batch.records[change.position],
                    DeadReason.FROM_THE_FUTURE,
                    f"occurred_at {change.occurred_at.isoformat()} is more than five minutes "
                    "ahead; check the clock of what sent it",
                )
        return [
            (change, _stored(stored[change.hash])) for change in future if change.hash in stored
        ]

    async def _first_told(
        self, database: Driver, change: Change, known: Remembered, fresh: dict[bytes, Change]
    ) -> str | None:
        first = fresh.get(change.hash)
        if first is not None:
            place = self._place(first.level)
            return _told(
                place.sku,
                place.warehouse,
                first.type,
                first.quantity,
                first.reason,
                first.reference,
                first.occurred_at,
            )
        row = await store.first_content(database, known.level, known.occurred_at, change)
        return None if row is None else _told(*row)

    async def _applied(
        self, database: Driver, fresh: list[Change]
    ) -> tuple[list[Entry], dict[int, Effect]]:
        anchors = {change.level: self._place(change.level).anchor for change in fresh}
        counted = sorted({change.level for change in fresh if change.type is Type.COUNT})
        on_hand = await store.lock_on_hand(database, counted) if counted else {}
        later = await store.sums_after(database, late_counts(fresh, anchors))
        return apply(fresh, anchors, on_hand, later)

    def _message(self, level: Level, effect: Effect) -> Message:
        place = self._place(level.id)
        before = stock_levels.available(level) - (effect.on_hand - effect.unavailable)
        low_water = before + (effect.low or 0)
        return stock_levels.message(place.sku, place.warehouse, place.partition, level, low_water)

    def _batches(self, batch: Batch, effects: dict[int, Effect]) -> dict[int, tuple[int, int]]:
        by_level = {}
        for level in effects:
            partition = self._place(level).partition
            by_level[level] = (batch.numbers[partition], batch.published[partition])
        return by_level

    def _place(self, level: int) -> _Place:
        return self._by_id.get(level) or self._staged.places[level]


def _remembered(change: Change) -> Remembered:
    return Remembered(change.content, change.level, change.occurred_at)


def _stored(known: Known) -> Remembered:
    return Remembered(known.content, known.level, known.occurred_at)


def _told(
    sku: str,
    warehouse: str,
    change_type: int,
    quantity: int,
    reason: str | None,
    reference: str | None,
    occurred_at: datetime,
) -> str:
    """Return what was first recorded under an identity, as JSON for a person to compare."""
    return json.dumps(
        {
            "sku": sku,
            "warehouse": warehouse,
            "type": NAME_OF[change_type],
            "quantity": quantity,
            "reason": reason,
            "reference": reference,
            "occurred_at": occurred_at.isoformat(),
        },
        ensure_ascii=False,
    )


def _outgoing(messages: list[Message]) -> list[Outgoing]:
    return [Outgoing(STOCK_LEVELS, messages)] if messages else []
