"""The ledger on one screen: how a batch of stock changes becomes levels.

    read → find levels → sort out repeats → apply by event time → store → tell

Each stage is a function of the batch; what the worker remembers between batches (where levels
stand in time, the newest identities) follows only when the transaction is durable.

Between batches the worker's turn tells of levels that reservations have changed, lets those expire
whose time is up, and carries out what was decided on counts that waited.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice

from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from services.ledger.deciding import expire
from services.ledger.domain.changes import (
    NAME_OF,
    TYPE_OF,
    Change,
    Type,
    content_hash,
    identity_hash,
    with_arrivals,
)
from services.ledger.domain.commitments import demands
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
    Effect,
    Entry,
    Known,
    apply,
    counts_of,
    intricate_levels,
    late_counts,
    needs_standing,
)
from services.ledger.domain.identities import RecentIdentities
from services.ledger.domain.items import Item
from services.ledger.domain.past import Standing, available
from services.ledger.domain.statement import openings_of
from services.ledger.domain.usual import large, unusual
from services.ledger.inbound import stock_changes
from services.ledger.inbound.stock_changes import Incoming
from services.ledger.outbound import stock_levels
from services.ledger.store import (
    at_once,
    commitments,
    counts,
    generations,
    identities,
    openings,
    past,
    reservations,
    tolerances,
)
from services.ledger.store import changes as store
from services.ledger.store.changes import Level, Unpublished
from services.ledger.store.codecs import prepare
from services.ledger.store.identities import First
from services.ledger.store.identities import Known as KnownIdentity
from services.ledger.store.identity_filters import Filters
from services.ledger.store.items import items_of
from services.ledger.store.periods import CLOSED_DAYS, Periods, ensure_periods
from services.ledger.store.reservations import Work
from shared.clock import Clock
from shared.database.engine import Driver, driver
from shared.events.dead_letters import DeadReason
from shared.events.stock_changes import Bucket, ChangeType
from shared.events.stock_levels import TOPIC as STOCK_LEVELS
from shared.kafka.handler import Again, Batch, Claim, Handler, Timed
from shared.kafka.messages import Message, Outgoing
from shared.kafka.partitions import partition_of

FUTURE = timedelta(minutes=5)
"""A change dated further ahead is refused: one count dated 2099 would freeze a level."""

DECISIONS = 400
"""Decisions on counts at the most that are carried out in one transaction."""

AT_ONCE = 400
"""Changes at the most that are stored by one statement instead of six: with the machine busy,
each wait for an answer costs a small batch more than all its rows."""


PLACES = 60_000
"""Levels that a worker remembers at the most, at half a kilobyte each: a million of them would be
500 MB. Those met first make room; one that is met again is read again, for 10 µs."""

LOOK_SECONDS = 0.1
"""How often a worker looks whether reservations have left it something to do."""

TOLD_AT_ONCE = 2_000
"""Levels changed by reservations that one turn tells of at the most, so that batches go on."""

RESERVING_SECONDS = 10.0
"""How long after a reservation batches lock their levels in one order with reservations."""


_Key = tuple[str, str]


@dataclass(slots=True)
class _Place:
    """What the worker remembers of a level it owns."""

    id: int
    sku: str
    warehouse: str
    partition: int
    anchor: Anchor
    demanding: bool = False


@dataclass(slots=True)
class _Staged:
    """What memory becomes once the transaction is durable."""

    places: dict[int, _Place] = field(default_factory=dict)
    anchors: dict[int, Anchor] = field(default_factory=dict)
    demanding: Collection[int] = ()
    identities: list[bytes] = field(default_factory=list)
    periods: Periods | None = None


class StockChanges(Handler[list[_Place]], Timed):
    """Works the batches of one worker's partitions of `stock.changes`."""

    def __init__(self, clock: Clock, partitions: int, filters: Filters | None = None) -> None:
        self._clock = clock
        self._partitions = partitions
        self._filters = filters or Filters()
        self._places: dict[_Key, _Place] = {}
        self._by_id: dict[int, _Place] = {}
        self._recent = RecentIdentities()
        self._periods: Periods | None = None
        self._staged = _Staged()
        self._prepared: Driver | None = None
        self._met_repeat = False
        """Whether this very batch was tried at once and met a known identity."""
        self._work = Work()
        self._looked_at = self._reserved_at = float("-inf")

    @override
    async def claim(
        self, connection: AsyncConnection, claims: Sequence[Claim]
    ) -> Sequence[Outgoing]:
        await generations.require_no_rebuild(connection)
        self._periods = await self._periods_of(connection, self._clock.now())
        generation = await generations.of_history(connection)
        await generations.raise_levels(await self._driver(connection), generation, claims)
        unpublished = await store.unpublished_levels(
            await self._driver(connection), {claim.partition: claim.published for claim in claims}
        )
        return _told_of(unpublished)

    @override
    async def handle(self, connection: AsyncConnection, batch: Batch) -> Sequence[Outgoing]:
        database = await self._driver(connection)
        recorded_at = self._clock.now()
        staged = self._staged = _Staged()
        periods = staged.periods = await self._periods_at(connection, recorded_at)

        incoming = stock_changes.read(batch)
        changes = _identified(batch, incoming, await self._located(database, batch, incoming))
        small = len(changes) <= AT_ONCE and not self._met_repeat
        fresh, repeats = await self._sort_out(
            database, periods, batch, changes, recorded_at, add=not small
        )
        big = large(fresh)
        odd = (
            unusual(fresh, await counts.sold(database, {each.level for each in big})) if big else []
        )
        entries, effects, sheet = await self._applied(database, fresh)
        if sheet is not None or odd:
            taken = [] if sheet is None else sheet.taken
            await counts.note(database, taken, odd, effects, recorded_at)
        tallies = _tallies(batch, repeats)
        if entries and small:
            levels = await at_once.store(
                database,
                periods,
                entries,
                effects,
                batches=self._batches(batch, effects),
                recorded_at=recorded_at,
                tallies=tallies,
            )
            if levels is None:
                self._met_repeat = True
                raise Again
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
        staged.anchors = {level: effect.anchor for level, effect in effects.items()}
        staged.identities = [change.hash for change in fresh]
        return _outgoing([self._message(level, effects[level.id]) for level in levels])

    @override
    def committed(self, batch: Batch) -> None:
        self._met_repeat = False
        self._adopt()

    def _adopt(self) -> None:
        staged, self._staged = self._staged, _Staged()
        for place in staged.places.values():
            self._places[place.sku, place.warehouse] = self._by_id[place.id] = place
        for level, anchor in staged.anchors.items():
            self._by_id[level].anchor = anchor
        for level in staged.demanding:
            self._by_id[level].demanding = True
        self._recent.add(staged.identities)
        self._periods = staged.periods
        self._make_room()

    def _make_room(self) -> None:
        if len(self._by_id) > PLACES:
            # A dictionary keeps its order.
            for place in list(islice(self._by_id.values(), len(self._by_id) - PLACES // 2)):
                del self._by_id[place.id], self._places[place.sku, place.warehouse]

    @override
    def part_with(self, partitions: Collection[int]) -> Mapping[int, list[_Place]]:
        gone: dict[int, list[_Place]] = {}
        for place in self._by_id.values():
            if place.partition in partitions:
                gone.setdefault(place.partition, []).append(place)
        for place in chain.from_iterable(gone.values()):
            del self._by_id[place.id], self._places[place.sku, place.warehouse]
        return gone

    @override
    def take_up(self, memories: Collection[list[_Place]]) -> None:
        for place in chain.from_iterable(memories):
            self._places[place.sku, place.warehouse] = self._by_id[place.id] = place
        self._make_room()

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
        if self._work.partitions:
            self._reserved_at = now
        return self._work.partitions

    @override
    async def turn(
        self, connection: AsyncConnection, batch: Batch, drained: Mapping[int, datetime]
    ) -> Sequence[Outgoing]:
        database = await self._driver(connection)
        staged = self._staged = _Staged()
        staged.periods = await self._periods_at(connection, self._clock.now())
        if self._work.expired:
            # What that changes is told of in the next turn: levels are locked in one order.
            await expire(database, staged.periods, self._work.expired, self._clock)
            return ()
        if self._work.decided:
            return _outgoing(await self._settled(database, staged.periods, batch))
        dirty = await reservations.dirty_levels(database, self._work.dirty, TOLD_AT_ONCE)
        told = await store.tell_dips(
            database,
            {
                level: (batch.numbers[partition], batch.published[partition])
                for level, partition in dirty.items()
            },
        )
        await reservations.clean(database, dirty)
        for each in told:
            place = self._by_id.get(each.level.id)
            if place is not None:
                staged.anchors[place.id] = place.anchor._replace(
                    last_change_at=each.level.last_change_at
                )
        return _told_of(told)

    @override
    def turned(self) -> None:
        self._adopt()
        self._looked_at = float("-inf")  # there may be more

    async def _driver(self, connection: AsyncConnection) -> Driver:
        found = await driver(connection)
        if found is not self._prepared:
            await prepare(found)
            self._prepared = found
        return found

    async def _periods_at(self, connection: AsyncConnection, now: datetime) -> Periods:
        # Not remembered yet: partitions made now are gone again when the transaction is.
        if self._periods is None or self._periods.day != now.date():
            return await self._periods_of(connection, now)
        return self._periods

    async def _periods_of(self, connection: AsyncConnection, now: datetime) -> Periods:
        periods = await ensure_periods(connection, now)
        await self._filters.load(await self._driver(connection), periods)
        return periods

    async def _located(
        self, database: Driver, batch: Batch, incoming: Sequence[Incoming | None]
    ) -> Callable[[str, str], _Place | None]:
        """Return how to find where something happens; levels never seen are made.

        None for a SKU whose partition is not in the batch: only its owner may touch its levels.
        """
        known = self._places
        missing: dict[_Key, None] = {}
        for each in incoming:
            if each is not None:
                if (each.sku, each.warehouse) not in known:
                    missing[each.sku, each.warehouse] = None
                if each.counterparty is not None and each.type is ChangeType.TRANSFER_SHIPPED:
                    missing[each.sku, each.counterparty] = None
        wanted = [
            (sku, warehouse, partition)
            for sku, warehouse in missing
            if (sku, warehouse) not in known
            and (partition := partition_of(sku, self._partitions)) in batch.numbers
        ]
        new = await self._found(database, wanted)

        def place_of(sku: str, warehouse: str) -> _Place | None:
            return known.get((sku, warehouse)) or new.get((sku, warehouse))

        return place_of

    async def _found(
        self, database: Driver, wanted: Sequence[tuple[str, str, int]]
    ) -> dict[_Key, _Place]:
        """Return levels of (SKU, warehouse, partition) that memory does not know yet."""
        new: dict[_Key, _Place] = {}
        found = await store.levels_of(database, wanted) if wanted else {}
        for sku, warehouse, partition in wanted:
            level = found[sku, warehouse]
            place = _Place(level.id, sku, warehouse, partition, level.anchor, level.demanding)
            new[sku, warehouse] = self._staged.places[level.id] = place
        return new

    async def _sort_out(
        self,
        database: Driver,
        periods: Periods,
        batch: Batch,
        changes: list[Change],
        recorded_at: datetime,
        *,
        add: bool,
    ) -> tuple[list[Change], list[tuple[Change, datetime]]]:
        """Part new changes from repeats; a known identity with other content is refused.

        Identity comes first: a repeat is a repeat, whatever its times say. Unless the identities
        are to be added here, those of the current period that memory does not know pass for new.
        """
        closed = await self._closed(database, changes, recorded_at)
        fresh, again, doubtful = self._sort_by_memory(changes, recorded_at + FUTURE, closed)
        known = await identities.known_identities(database, doubtful) if doubtful else {}
        for change in doubtful:
            if change.hash in known:
                again.append(change)
            elif change.occurred_at > recorded_at + FUTURE:
                batch.dead(
                    batch.records[change.position],
                    DeadReason.FROM_THE_FUTURE,
                    f"occurred_at {change.occurred_at.isoformat()} is more than five minutes "
                    "ahead; check the clock of what sent it",
                )
            elif change.position in closed:
                batch.dead(
                    batch.records[change.position],
                    DeadReason.TOO_OLD,
                    f"occurred_at {change.occurred_at.isoformat()} is not after "
                    f"{closed[change.position].isoformat()}, up to which the past of its level "
                    "is archived; count what is there now",
                )
            elif fresh.setdefault(change.hash, change) is not change:
                again.append(change)
        if fresh:
            met = await identities.earlier_identities(
                database, periods, self._filters, list(fresh.values())
            )
            again += [fresh.pop(identity) for identity in met]
            if add:
                added = list(fresh.values())
                met |= await identities.add_identities(database, periods, added, recorded_at)
                again += [fresh.pop(identity) for identity in met.keys() & fresh.keys()]
            known |= met
        repeats = []
        for change in again:
            first = known.get(change.hash) or _known(fresh[change.hash])
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

    async def _closed(
        self, database: Driver, changes: Sequence[Change], recorded_at: datetime
    ) -> dict[int, datetime]:
        """Return until when the past is archived where changes happened before, by position.

        Only what is older than any archived day can be is asked about, so nothing needs to be
        remembered, and a day may be archived at any moment.
        """
        limit = recorded_at - CLOSED_DAYS
        old = [change for change in changes if change.occurred_at < limit]
        if not old:
            return {}
        await openings.hold_still(database)
        concerned = {change.level for change in old}
        concerned.update(change.other for change in old if change.other is not None)
        until = await openings.reached(database, concerned)
        closed = {}
        for change in old:
            ends = [until[level] for level in (change.level, change.other) if level in until]
            if ends and change.occurred_at <= max(ends):
                closed[change.position] = max(ends)
        return closed

    def _sort_by_memory(
        self, changes: list[Change], horizon: datetime, closed: Collection[int]
    ) -> tuple[dict[bytes, Change], list[Change], list[Change]]:
        """Part changes into those probably new, repeats within them, and those to ask about."""
        fresh: dict[bytes, Change] = {}
        again: list[Change] = []
        doubtful: list[Change] = []
        recent = self._recent.among(change.hash for change in changes)
        for change in changes:
            identity = change.hash
            if (
                identity in recent
                or change.occurred_at > horizon
                or (closed and change.position in closed)
            ):
                (again if identity in fresh else doubtful).append(change)
            elif fresh.setdefault(identity, change) is not change:
                again.append(change)
        return fresh, again, doubtful

    async def _first_told(
        self, database: Driver, change: Change, known: KnownIdentity, fresh: dict[bytes, Change]
    ) -> str | None:
        first = fresh.get(change.hash)
        if first is not None:
            place = self._place(first.level)
            return _told(
                First(
                    place.sku,
                    place.warehouse,
                    first.type,
                    first.quantity,
                    first.reason,
                    first.reference,
                    first.occurred_at,
                    first.counterparty,
                    first.bucket,
                    first.eta,
                )
            )
        row = await identities.first_content(database, known.level, known.occurred_at, change)
        return None if row is None else _told(row)

    async def _applied(
        self, database: Driver, fresh: list[Change], *, approved: bool = False
    ) -> tuple[list[Entry], dict[int, Effect], Sheet | None]:
        """Work changes into their levels; returns how counts among them were judged, if any."""
        changes = with_arrivals(fresh, lambda level: self._place(level).warehouse)
        anchors = {level: self._place(level).anchor for level in {each.level for each in changes}}
        intricate = intricate_levels(changes, anchors)
        demanding = {level for level in anchors if self._place(level).demanding}
        demanding |= {change.level for change in changes if demands(change)}
        counted = counts_of(changes)
        held = {change.level for change in changes if needs_standing(change)}
        held |= intricate | demanding
        sheet = None
        if approved:
            sheet = Sheet(approved=True)
        elif counted:
            sheet = await self._sheet(database, counted, anchors)
        standing = await self._held(database, held, anchors) if held else {}
        later = await store.sums_after(database, late_counts(counted, anchors))
        pasts = await past.of_levels(database, intricate) if intricate else {}
        known = Known(
            standing=standing,
            later=later,
            past={level: each.changes for level, each in pasts.items()},
            openings=openings_of(pasts),
            book=await commitments.opened(database, changes, demanding),
            sheet=sheet or Sheet(),
            demanding=demanding,
        )
        entries, effects = apply(changes, anchors, known)
        if known.book.changed:
            self._staged.demanding = await commitments.closed(database, known.book)
        return entries, effects, sheet

    async def _settled(self, database: Driver, periods: Periods, batch: Batch) -> list[Message]:
        """Carry out what was decided on counts that waited; returns what to tell of their levels.

        Here and not where it is decided: nobody else knows where levels stand in time.
        """
        decided = await counts.undone(database, batch.numbers, DECISIONS)
        if not decided:
            return []
        await self._found(
            database,
            [
                key
                for key in dict.fromkeys(
                    (each.sku, each.warehouse, each.partition) for each in decided
                )
                if key[:2] not in self._places
            ],
        )
        recorded_at = self._clock.now()
        approved = [each.change for each in decided if each.state is CountState.APPROVED]
        entries, effects, _ = await self._applied(database, approved, approved=True)
        for level in {each.change.level for each in decided} - effects.keys():
            effects[level] = Effect(*self._place(level).anchor, low=0)
        await store.add_movements(database, periods, entries, recorded_at)
        await counts.settle(database, decided, effects, recorded_at)
        levels = await store.move_levels(database, effects, self._batches(batch, effects))
        self._staged.anchors = {level: effect.anchor for level, effect in effects.items()}
        return [self._message(level, effects[level.id]) for level in levels]

    async def _sheet(
        self, database: Driver, counted: list[Change], anchors: Mapping[int, Anchor]
    ) -> Sheet:
        """Return what the counts of a batch are judged by."""
        places = [self._place(level) for level in {change.level for change in counted}]
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
        if time.monotonic() - self._reserved_at < RESERVING_SECONDS:
            # All in the order of their ids, as reservations lock them: else both would wait.
            held = anchors.keys()
        standings, newest = await store.lock_standings(database, held)
        for level, at in newest.items():
            known = anchors[level].last_change_at
            if at is not None and (known is None or at > known):
                anchors[level] = anchors[level]._replace(last_change_at=at)
        return standings

    def _message(self, level: Level, effect: Effect) -> Message:
        place = self._place(level.id)
        before = available(
            level.on_hand - effect.on_hand,
            level.reserved - effect.reserved,
            level.unavailable - effect.unavailable,
        )
        low_water = before + (effect.low or 0)
        if level.dip is not None and level.dip < low_water:
            low_water = level.dip
        return stock_levels.message(place.sku, place.warehouse, place.partition, level, low_water)

    def _batches(self, batch: Batch, effects: dict[int, Effect]) -> dict[int, tuple[int, int]]:
        standing = {
            partition: (number, batch.published[partition])
            for partition, number in batch.numbers.items()
        }
        return {level: standing[self._place(level).partition] for level in effects}

    def _place(self, level: int) -> _Place:
        return self._by_id.get(level) or self._staged.places[level]


def _identified(
    batch: Batch,
    incoming: Sequence[Incoming | None],
    place_of: Callable[[str, str], _Place | None],
) -> list[Change]:
    """Return the batch's changes; one in another partition than its SKU's is refused."""
    changes = []
    for position, (record, each) in enumerate(zip(batch.records, incoming, strict=True)):
        if each is None:
            continue
        place = place_of(each.sku, each.warehouse)
        if place is None or place.partition != record.partition:
            batch.dead(record, DeadReason.INVALID, "the record is not in its SKU's partition")
            continue
        bucket = None if each.bucket is Bucket.ON_HAND else each.bucket
        other = None
        if each.type is ChangeType.TRANSFER_SHIPPED and each.counterparty is not None:
            other = place_of(each.sku, each.counterparty)
        changes.append(
            Change(
                place.id,
                TYPE_OF[each.type],
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
                    each.type,
                    each.sku,
                    each.warehouse,
                    each.quantity,
                    each.reason,
                    each.reference,
                    each.counterparty,
                    bucket,
                    each.eta,
                ),
                position,
                record.offset,
                each.counterparty,
                bucket,
                each.eta,
                None if other is None else other.id,
            )
        )
    return changes


def _known(change: Change) -> KnownIdentity:
    return KnownIdentity(change.hash, change.content, change.level, change.occurred_at)


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


def _told(first: First) -> str:
    """Return what was first recorded under an identity, as JSON for a person to compare."""
    kind = Type.COUNT if first.type == Type.COUNT_WAITING else first.type
    said = first._asdict() | {
        "type": NAME_OF[kind],
        "occurred_at": first.occurred_at.isoformat(),
        "eta": None if first.eta is None else first.eta.isoformat(),
    }
    for rare in ("counterparty", "bucket", "eta"):
        if said[rare] is None:
            del said[rare]
    return json.dumps(said, ensure_ascii=False)


def _told_of(levels: Sequence[Unpublished]) -> list[Outgoing]:
    return _outgoing(
        [
            stock_levels.message(
                each.sku, each.warehouse, each.partition, each.level, each.low_water
            )
            for each in levels
        ]
    )


def _outgoing(messages: list[Message]) -> list[Outgoing]:
    return [Outgoing(STOCK_LEVELS, messages)] if messages else []
