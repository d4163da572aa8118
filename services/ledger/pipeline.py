"""The ledger on one screen: how a batch of stock changes becomes levels.

    read → find levels → sort out repeats → apply by event time → store → tell

Each stage is a function of the batch; what the worker remembers between batches (where levels
stand in time, the newest identities) follows only when the transaction is durable.

Between batches the worker's turn tells of levels that reservations have changed, lets those expire
whose time is up, and carries out what was decided on counts that waited; where many expire, every
other turn is for the rest.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from services.ledger.deciding import expire
from services.ledger.domain.changes import (
    Change,
    with_arrivals,
)
from services.ledger.domain.commitments import demands, keys_of
from services.ledger.domain.counts import (
    CountState,
    Measure,
    Sheet,
    Tolerance,
    older_counts,
    tolerance_of,
)
from services.ledger.domain.effects import (
    Anchor,
    Correction,
    Effect,
    Entry,
    Known,
    apply,
    counts_of,
    ends_of,
    late_counts,
    levels_asking,
    needing_standing,
)
from services.ledger.domain.items import Item
from services.ledger.domain.past import Standing, Tail, available
from services.ledger.domain.usual import large, unusual
from services.ledger.inbound import stock_changes
from services.ledger.inbound.stock_changes import Incoming
from services.ledger.memory import Memory, Place
from services.ledger.outbound import stock_levels
from services.ledger.sorting import Sorting, identified
from services.ledger.store import (
    at_once,
    commitments,
    counts,
    generations,
    reservations,
    tolerances,
)
from services.ledger.store import changes as store
from services.ledger.store import past as stored_past
from services.ledger.store.changes import Level, Unpublished
from services.ledger.store.codecs import prepare
from services.ledger.store.identity_filters import Filters
from services.ledger.store.items import items_of
from services.ledger.store.periods import Periods, ensure_periods
from services.ledger.store.reservations import Work
from shared.clock import Clock
from shared.database.engine import Driver, driver
from shared.events.stock_changes import ChangeType
from shared.events.stock_levels import TOPIC as STOCK_LEVELS
from shared.events.stock_levels import LevelKey
from shared.kafka.handler import Again, Batch, Claim, Handler, Timed
from shared.kafka.messages import Message, Outgoing
from shared.kafka.partitions import partition_of

DECISIONS = 400
"""Decisions on counts at the most that are carried out in one transaction."""

AT_ONCE = 400
"""Changes at the most that are stored by one statement instead of six: with the machine busy,
each wait for an answer costs a small batch more than all its rows."""


LOOK_SECONDS = 0.1
"""How often a worker looks whether reservations have left it something to do."""

_TRANSFER_SHIPPED = ChangeType.TRANSFER_SHIPPED

SENT_AT_ONCE = 5_000
"""Levels that a claim sends before it waits for the broker, which has five seconds: there may be a
million of them, and what has arrived is not sent again."""

TOLD_AT_ONCE = 2_000
"""Levels changed by reservations that one turn tells of at the most, so that batches go on."""


class StockChanges(Handler[list[Place]], Timed):
    """Works the batches of one worker's partitions of `stock.changes`."""

    def __init__(self, clock: Clock, partitions: int, filters: Filters | None = None) -> None:
        self._clock = clock
        self._partitions = partitions
        self._filters = filters or Filters()
        self._memory = Memory()
        self._sorting = Sorting(self._filters)
        self._fresh: list[Change] = []
        self._periods: Periods | None = None
        self._new_periods: Periods | None = None
        """Those of the transaction under way: partitions made in it are gone again when it is."""
        self._prepared: Driver | None = None
        self._goes_long_way = False
        """Whether this very batch was tried at once and met a known identity, or is unusual."""
        self._work = Work()
        self._has_expired = False
        """Whether the last turn let reservations expire."""
        self._has_settled = False
        """Whether the last turn beside that carried out what was decided on counts."""
        self._in_vain = False
        """Whether the last turn found all there was to do held by others."""
        self._looked_at = float("-inf")

    @override
    async def claim(
        self, connection: AsyncConnection, claims: Sequence[Claim]
    ) -> Sequence[Outgoing]:
        await generations.require_no_rebuild(connection)
        self._periods = await self._periods_of(connection, self._clock.now())
        generation = await generations.of_history(connection)
        database = await self._driver(connection)
        await generations.raise_levels(database, generation, claims)
        published = {claim.partition: claim.published for claim in claims}
        outgoing: list[Outgoing] = []
        async for some in store.unpublished_levels(database, published, SENT_AT_ONCE):
            # What was late among it has been told to nobody, and is not kept.
            outgoing += _told_of(some, Correction(lowered=None))
        return outgoing

    @override
    async def handle(self, connection: AsyncConnection, batch: Batch) -> Sequence[Outgoing]:
        database = await self._driver(connection)
        recorded_at = self._clock.now()
        self._memory.begin()
        periods = await self._periods_at(connection, recorded_at)

        incoming = stock_changes.read(batch)
        await _others_first()
        places = await self._located(database, batch, incoming)
        changes = identified(batch, incoming, places, self._memory.find)
        await _others_first()
        small = len(changes) <= AT_ONCE and not self._goes_long_way
        fresh, repeats = await self._sorting.sort_out(
            database,
            periods,
            batch,
            changes,
            recorded_at,
            add=not small,
            place_of=self._memory.place,
        )
        large_on = {each.level for each in large(fresh)}
        odd = (
            unusual(fresh, await counts.sold(database, large_on)) if large_on and not small else []
        )
        entries, effects, sheet = await self._applied(database, fresh)
        await _others_first()
        if sheet is not None or odd:
            taken = [] if sheet is None else sheet.taken
            await counts.note(database, taken, odd, effects, recorded_at)
        tallies = _tallies(batch, repeats)
        if entries and small:
            stored = await at_once.store(
                database,
                periods,
                entries,
                effects,
                batches=self._batches(batch, effects),
                recorded_at=recorded_at,
                tallies=tallies,
            )
            if stored is None or unusual(fresh, stored.sold_before(large_on)):
                self._goes_long_way = True
                raise Again
            levels = stored.levels
        else:
            levels = []
            if entries:
                await store.add_movements(database, periods, entries, recorded_at)
                levels = await store.move_levels(database, effects, self._batches(batch, effects))
            await store.add_tallies(database, *tallies)
        if odd:
            await counts.mark_unusual(database, periods, odd, recorded_at)
        if repeats:
            await store.add_repeats(database, periods, repeats, recorded_at)
        self._memory.stage_anchors(_anchors_after(effects))
        self._fresh = fresh
        return _outgoing([self._message(level, effects[level.id]) for level in levels])

    @override
    def committed(self, batch: Batch) -> None:
        self._goes_long_way = False
        self._memory.adopt()
        self._sorting.remember(change.hash for change in self._fresh)
        self._fresh, self._periods = [], self._new_periods

    @override
    def part_with(self, partitions: Collection[int]) -> Mapping[int, list[Place]]:
        return self._memory.part_with(partitions)

    @override
    def take_up(self, memories: Collection[list[Place]]) -> None:
        self._memory.take_up(memories)

    @override
    async def due(
        self,
        connection: AsyncConnection,
        partitions: Collection[int],
        drained: Mapping[int, datetime],
    ) -> Collection[int]:
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return ()
        self._looked_at = now
        database = await self._driver(connection)
        self._work = await reservations.work(database, partitions, self._clock.now())
        return self._work.partitions

    @override
    async def turn(
        self, connection: AsyncConnection, batch: Batch, drained: Mapping[int, datetime]
    ) -> Sequence[Outgoing]:
        database = await self._driver(connection)
        self._memory.begin()
        now = self._clock.now()
        periods = await self._periods_at(connection, now)
        work = self._work
        self._in_vain = False
        # Each in its turn: much of one does not keep the others waiting.
        others_wait = work.decided or work.dirty
        self._has_expired = bool(work.expired and not (self._has_expired and others_wait))
        if self._has_expired:
            # What that changes is told of in the next turn: levels are locked in one order.
            expired = await expire(database, work.expired, self._clock)
            self._in_vain = not expired
            return ()
        self._has_settled = bool(work.decided and not (self._has_settled and work.dirty))
        if self._has_settled:
            return _outgoing(await self._settled(database, periods, batch, now))
        dirty = await reservations.lock_dirty(database, work.dirty, TOLD_AT_ONCE)
        if not dirty:
            self._in_vain = not work.decided
            return ()
        told = await store.tell_dips(
            database,
            {
                level: (batch.numbers[partition], batch.published[partition])
                for level, partition in dirty.items()
            },
        )
        await reservations.clean(database, dirty)
        self._memory.stage_newest({each.level.id: each.level.last_change_at for each in told})
        return _told_of(told)

    @override
    def turned(self) -> None:
        self._memory.adopt()
        self._periods = self._new_periods
        if not self._in_vain:
            self._looked_at = float("-inf")  # there may be more

    async def _driver(self, connection: AsyncConnection) -> Driver:
        found = await driver(connection)
        if found is not self._prepared:
            await prepare(found)
            self._prepared = found
        return found

    async def _periods_at(self, connection: AsyncConnection, now: datetime) -> Periods:
        periods = self._periods
        if periods is None or periods.day != now.date():
            periods = await self._periods_of(connection, now)
        self._new_periods = periods
        return periods

    async def _periods_of(self, connection: AsyncConnection, now: datetime) -> Periods:
        periods = await ensure_periods(connection, now)
        await self._filters.load(await self._driver(connection), periods)
        return periods

    async def _located(
        self, database: Driver, batch: Batch, incoming: Sequence[Incoming | None]
    ) -> list[Place | None]:
        """Return where everything happens; levels never seen are made.

        Not for a SKU whose partition is not in the batch: only its owner may touch its levels.
        """
        find = self._memory.find
        places: list[Place | None] = []
        missing: dict[LevelKey, None] = {}
        for each in incoming:
            place = None
            if each is not None:
                place = find(each.sku, each.warehouse)
                if place is None:
                    missing[each.sku, each.warehouse] = None
                if (
                    each.type is _TRANSFER_SHIPPED
                    and each.counterparty is not None
                    and find(each.sku, each.counterparty) is None
                ):
                    missing[each.sku, each.counterparty] = None
            places.append(place)
        if not missing:
            return places
        await self._learn(
            database,
            [
                (sku, warehouse, partition)
                for sku, warehouse in missing
                if (partition := partition_of(sku, self._partitions)) in batch.numbers
            ],
        )
        return [
            find(each.sku, each.warehouse) if place is None and each is not None else place
            for place, each in zip(places, incoming, strict=True)
        ]

    async def _learn(self, database: Driver, wanted: Sequence[tuple[str, str, int]]) -> None:
        """Learn of levels of (SKU, warehouse, partition) that memory does not know yet."""
        found = await store.levels_of(database, wanted) if wanted else {}
        for sku, warehouse, partition in wanted:
            level = found[sku, warehouse]
            self._memory.stage(
                Place(level.id, sku, warehouse, partition, level.anchor, level.demanding)
            )

    async def _applied(
        self, database: Driver, fresh: list[Change], *, approved: bool = False
    ) -> tuple[list[Entry], dict[int, Effect], Sheet | None]:
        """Work changes into their levels; returns how counts among them were judged, if any."""
        changes = with_arrivals(fresh, lambda level: self._memory.place(level).warehouse)
        anchors: dict[int, Anchor] = {}
        demanding: set[int] = set()
        for level in {change.level for change in changes}:
            place = self._memory.place(level)
            anchors[level] = place.anchor
            if place.demanding:
                demanding.add(level)
        asking = levels_asking(changes, anchors)
        needing = needing_standing(changes)
        demanding |= {change.level for change in needing if demands(change)}
        counted = counts_of(needing)
        held = {change.level for change in needing} | asking | demanding
        sheet = None
        if approved:
            sheet = Sheet(approved=True)
        elif counted:
            sheet = await self._sheet(database, counted, anchors)
        standing = await self._held(database, held, anchors) if held else {}
        later = await store.sums_after(database, late_counts(counted, anchors))
        book = await commitments.opened(database, changes, demanding)
        past: dict[int, Tail] = {}
        if asking:
            past, older = ends_of(changes, asking, anchors, standing, book)
            past |= await self._past(database, older, changes) if older else {}
        known = Known(
            standing=standing,
            later=later,
            past=past,
            book=book,
            sheet=sheet or Sheet(),
            demanding=demanding,
        )
        entries, effects = apply(changes, anchors, known)
        if known.book.changed:
            self._memory.stage_demanding(await commitments.closed(database, known.book))
        return entries, effects, sheet

    async def _past(
        self, database: Driver, older: Mapping[int, datetime], changes: Sequence[Change]
    ) -> dict[int, Tail]:
        """Return the past of levels, each from an instant on."""
        pasts = await stored_past.of_levels(database, older, keys_of(changes))
        return {level: each.since(older[level]) for level, each in pasts.items()}

    async def _settled(
        self, database: Driver, periods: Periods, batch: Batch, recorded_at: datetime
    ) -> list[Message]:
        """Carry out what was decided on counts that waited; returns what to tell of their levels.

        Here and not where it is decided: nobody else knows where levels stand in time.
        """
        decided = await counts.undone(database, batch.numbers, DECISIONS)
        if not decided:
            return []
        places = {(each.sku, each.warehouse, each.partition): None for each in decided}
        await self._learn(
            database, [each for each in places if self._memory.find(*each[:2]) is None]
        )
        approved = [each.change for each in decided if each.state is CountState.APPROVED]
        entries, effects, _ = await self._applied(database, approved, approved=True)
        for level in {each.change.level for each in decided} - effects.keys():
            effects[level] = Effect(*self._memory.place(level).anchor, low=0)
        await store.add_movements(database, periods, entries, recorded_at)
        await counts.settle(database, decided, effects, recorded_at)
        levels = await store.move_levels(database, effects, self._batches(batch, effects))
        self._memory.stage_anchors(_anchors_after(effects))
        return [self._message(level, effects[level.id]) for level in levels]

    async def _sheet(
        self, database: Driver, counted: list[Change], anchors: Mapping[int, Anchor]
    ) -> Sheet:
        """Return what the counts of a batch are judged by."""
        places = [self._memory.place(level) for level in {change.level for change in counted}]
        limits = await tolerances.in_warehouses(database, {place.warehouse for place in places})
        items = await items_of(database, {place.sku for place in places})
        found: dict[tuple[str | None, str], Tolerance | None] = {}
        measures = {}
        for place in places:
            item = items.get(place.sku) or Item(place.sku)
            kind = (item.stock_class, place.warehouse)
            if kind not in found:
                found[kind] = tolerance_of(limits, *kind)
            measures[place.id] = Measure(found[kind], item.cost)
        newest = {place.id: anchors[place.id].newest_count for place in places}
        older = older_counts(counted, newest)
        return Sheet(measures, await counts.stretches(database, older))

    async def _held(
        self, database: Driver, held: Collection[int], anchors: dict[int, Anchor]
    ) -> dict[int, Standing]:
        """Lock levels; anchors learn of what reservations have done behind the worker's back."""
        standings, newest = await store.lock_standings(database, held)
        for level, at in newest.items():
            known = anchors[level].last_change_at
            if at is not None and (known is None or at > known):
                anchors[level] = anchors[level]._replace(last_change_at=at)
        return standings

    def _message(self, level: Level, effect: Effect) -> Message:
        place = self._memory.place(level.id)
        before = available(
            level.on_hand - effect.on_hand,
            level.reserved - effect.reserved,
            level.unavailable - effect.unavailable,
        )
        low_water = before + (effect.low or 0)
        if level.dip is not None and level.dip < low_water:
            low_water = level.dip
        return stock_levels.message(
            place.sku, place.warehouse, place.partition, level, low_water, effect.corrected
        )

    def _batches(self, batch: Batch, effects: dict[int, Effect]) -> dict[int, tuple[int, int]]:
        standing = {
            partition: (number, batch.published[partition])
            for partition, number in batch.numbers.items()
        }
        return {level: standing[self._memory.place(level).partition] for level in effects}


async def _others_first() -> None:
    """Let the other worker hand its database the next statement, if it waits for nothing else.

    Both compute on the same core, by turns: one at work on a full batch would keep the other, and
    its database with it, waiting for a tenth of a second.
    """
    await asyncio.sleep(0)


def _anchors_after(effects: Mapping[int, Effect]) -> dict[int, Anchor]:
    return {level: effect.anchor for level, effect in effects.items()}


def _tallies(
    batch: Batch, repeats: Sequence[tuple[Change, datetime]]
) -> tuple[int, Mapping[str, int]]:
    """Return a partition of the batch, and what was done with its records by name.

    What is neither a repeat nor refused is a movement.
    """
    counts = Counter(f"rejected.{each.reason}" for each in batch.dead_letters)
    counts["repeats"] = len(repeats)
    counts["movements"] = len(batch.records) - counts.total()
    return min(batch.numbers), {name: count for name, count in counts.items() if count}


def _told_of(levels: Sequence[Unpublished], corrected: Correction | None = None) -> list[Outgoing]:
    return _outgoing(
        [
            stock_levels.message(
                each.sku, each.warehouse, each.partition, each.level, each.low_water, corrected
            )
            for each in levels
        ]
    )


def _outgoing(messages: list[Message]) -> list[Outgoing]:
    return [Outgoing(STOCK_LEVELS, messages)] if messages else []
