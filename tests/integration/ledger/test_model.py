"""Promises 1 to 6 against a model, whatever happens in whatever order.

Hypothesis chooses what is told and what befalls the processes that work it off: changes of every
type, late and told again and told otherwise, counts that wait for somebody to decide on them,
processes killed at every seam, paused while others take their partitions over, and woken again.
After each step the tables are what the model says, and so is every message; in the end nothing is
missing and `verify` agrees.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from services.ledger import pipeline
from services.ledger.api.reservations import present
from services.ledger.commands.verify import Difference, verify
from services.ledger.deciding import decide
from services.ledger.domain.counts import WAITING, CountState
from services.ledger.domain.reservations import Fulfil, Release, Request, Reserve, Wanted
from services.ledger.store.codecs import prepare
from services.ledger.store.periods import ensure_periods
from services.ledger.store.sheets import Sheets
from shared.clock import ManualClock
from shared.database.audit import Doer
from shared.database.engine import create_engine, driver
from shared.errors import Fenced
from shared.events.dead_letters import DeadReason
from shared.events.stock_changes import SHAPES, Bucket, ChangeType, StockChange
from shared.events.stock_levels import GENERATION_SHIFT
from shared.kafka import worker as worker_module
from shared.kafka.partitions import partition_of
from shared.testing.stack import Stack, fresh_database
from shared.testing.waiting import until
from tests.depth import examples
from tests.factories.records import FakeRecord
from tests.integration.ledger.lossy import lossy
from tests.integration.ledger.processes import PARTITIONS, Killed, Process, Seam, Surroundings
from tests.model import stock
from tests.model.stock import Level, Place, places

T = TypeVar("T")

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
SKUS = ("B", "I", "货 9")
"""Two of them share a partition."""
WAREHOUSES = ("north", "south")
HOMES = sorted({partition_of(sku, PARTITIONS) for sku in SKUS})
PROCESSES = 3
TOLERATED = 2
"""How many units a person's count may be off before it waits."""
FIRST_VERSION = 1 << GENERATION_SHIFT


def fitting(kind: ChangeType) -> st.SearchStrategy[dict[str, object]]:
    """Return the fields of changes of a type: few values each, so that changes meet often."""
    shape = SHAPES[kind]
    quantity = st.integers(max(shape.least, -9), 9).filter(
        lambda value: bool(value) or kind is not ChangeType.ADJUSTMENT
    )
    possible: dict[str, st.SearchStrategy[object]] = {
        "reference": st.sampled_from(["1", "2"]),
        "bucket": st.sampled_from(list(Bucket)),
        "eta": st.sampled_from([BEGAN + timedelta(days=days) for days in (1, 2)]),
    }
    named = {
        name: value if name in shape.needs else st.none() | value
        for name, value in possible.items()
        if name in shape.needs | shape.may_have
    }
    if kind is ChangeType.RETURN:
        named["reason"] = st.sampled_from([None, "damaged"])
    if kind is ChangeType.COUNT:
        named["actor"] = st.sampled_from([None, "li"])
    return st.fixed_dictionaries(
        {
            "type": st.just(kind),
            "quantity": quantity,
            "sku": skus,
            "warehouses": st.permutations(WAREHOUSES),
            "channel": st.sampled_from(["shop", "till"]),
            "occurred_at": hours,
            **named,
        }
    )


skus = st.sampled_from(SKUS)
hours = st.integers(0, 4).map(lambda hour: BEGAN - timedelta(hours=hour))
lines = st.tuples(skus, st.sampled_from(WAREHOUSES), st.integers(1, 3))
PLAIN = (ChangeType.SALE, ChangeType.RECEIPT, ChangeType.COUNT)
told = st.one_of(st.sampled_from(PLAIN), st.sampled_from(ChangeType)).flatmap(fitting)


@dataclass
class World:
    """What all courses of events share: a database, and the loop in which everything happens."""

    runner: asyncio.Runner
    surroundings: Surroundings
    administrator: asyncpg.Connection

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.get_loop().run_until_complete(work)

    async def empty(self) -> None:
        """Make everything as it was in the beginning."""
        tables = await self.administrator.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'ledger'::regnamespace "
            "AND relkind IN ('r', 'p') AND NOT relispartition "
            "AND relname NOT IN ('generation', 'alembic_version', 'audit')"
        )
        names = ", ".join(f"ledger.{row['relname']}" for row in tables)
        await self.administrator.execute(f"TRUNCATE {names}")
        await self.administrator.execute(
            "INSERT INTO ledger.count_tolerance (units) VALUES ($1)", TOLERATED
        )
        self.surroundings.levels.clear()
        self.surroundings.dead_letters.clear()


@dataclass
class Held:
    """A reservation that has not ended; lines are (SKU, warehouse, quantity)."""

    id: str
    lines: tuple[tuple[str, str, int], ...]
    expires_at: datetime

    @property
    def home(self) -> int:
        """Whose owner lets it expire."""
        return partition_of(self.lines[0][0], PARTITIONS)


@dataclass
class Judged:
    """What must be kept of a count."""

    expected: int
    within: bool
    state: CountState
    is_settled: bool
    """Whether its level waits for nothing more."""

    @property
    def is_decided(self) -> bool:
        """Whether its level has yet to learn of a decision."""
        return not self.is_settled and self.state not in WAITING

    @property
    def holds(self) -> bool:
        """Whether it is a part of its level."""
        approved = self.state is CountState.APPROVED and self.is_settled
        return approved or self.state is CountState.APPLIED


@dataclass
class Told:
    """What the model knows of one level: how it stood after each of its versions, and its dips."""

    versions: list[Level] = field(default_factory=list)
    lows: list[int] = field(default_factory=list)
    owed: list[tuple[int, int]] = field(default_factory=list)
    """Dips (version, available) of reservations, which a claim leaves to the turn after it."""
    dipped: set[int] = field(default_factory=set)
    """The versions that reservations have made."""
    has_dip: bool = False
    """Whether reservations have changed it since its owner last told of it."""
    seen: int = 0
    """The newest version on the topic."""
    sure: bool = True
    """Whether the next message can only speak of what no message has told yet."""


class Ledger(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(BEGAN)
        self.surroundings = self.world.surroundings
        self.surroundings.clock = self.clock
        self.world.run(self.world.empty())
        self.logs: dict[int, list[FakeRecord]] = {home: [] for home in HOMES}
        self.events: dict[tuple[int, int], StockChange | None] = {}
        self.told: list[StockChange] = []
        self.processes: list[Process] = []
        self.owners: dict[int, Process] = {}
        # What must have come of it so far.
        self.done = dict.fromkeys(HOMES, 0)
        self.changes: dict[stock.Identity, StockChange] = {}
        self.counts: dict[stock.Identity, Judged] = {}
        self.levels: dict[Place, Told] = {}
        self.held: dict[str, Held] = {}
        self.has_expired: set[tuple[Process, int]] = set()
        """Workers whose last turn let reservations expire."""
        self.reserved: list[StockChange] = []
        """What reservations have done, as what orders do that nobody else speaks of."""
        self.repeats: list[tuple[stock.Identity, datetime]] = []
        self.rejected: dict[tuple[int, int], DeadReason] = {}
        self.read = 0
        self.asked = 0

    # What is told.

    def _tell(self, events: Sequence[dict[str, Any]]) -> None:
        for given in events:
            here, there = given["warehouses"]
            fields = {name: value for name, value in given.items() if name != "warehouses"}
            if "counterparty" in SHAPES[given["type"]].needs:
                fields["counterparty"] = there
            event = StockChange(id=str(len(self.told)), warehouse=here, received_at=BEGAN, **fields)
            self.told.append(event)
            self._publish(event)

    @precondition(lambda self: self.told)
    @rule(data=st.data(), later=st.integers(1, 9), occurred_at=hours, other=st.none() | skus)
    def tell_again(
        self, data: st.DataObject, later: int, occurred_at: datetime, other: str | None
    ) -> None:
        """Tell a change once more with other times, perhaps of another SKU."""
        first = data.draw(st.sampled_from(self.told))
        again = {
            "occurred_at": occurred_at,
            "received_at": BEGAN + timedelta(minutes=later),
            "actor": "a retry",
            "sku": other or first.sku,
        }
        self._publish(first.model_copy(update=again))

    @rule(sku=skus, days=st.integers(1, 40), value=st.sampled_from([None, b"no JSON", b'{"v":1}']))
    def tell_what_cannot_be_applied(self, sku: str, days: int, value: bytes | None) -> None:
        self._append(partition_of(sku, PARTITIONS), value, None)
        event = StockChange(
            id=f"in {days} days",
            channel="shop",
            type=ChangeType.COUNT,
            sku=sku,
            warehouse="north",
            quantity=5,
            occurred_at=BEGAN + timedelta(days=days),
            received_at=BEGAN,
        )
        self._publish(event)

    def _publish(self, event: StockChange) -> None:
        self._append(partition_of(event.sku, PARTITIONS), event.encode(), event)

    def _append(self, home: int, value: bytes | None, event: StockChange | None) -> None:
        offset = len(self.logs[home])
        self.logs[home].append(FakeRecord(value, offset=offset, partition=home))
        self.events[home, offset] = event

    # What befalls those who work it off.

    @initialize(workers=st.integers(1, 2))
    def begin(self, workers: int) -> None:
        self._start(HOMES, workers, Seam.NONE)

    @rule(
        homes=st.sampled_from([[home] for home in HOMES] + [HOMES]),
        workers=st.integers(1, 2),
        seam=st.sampled_from([Seam.NONE, Seam.NONE, Seam.HALF_PUBLISHED, Seam.AFTER_PUBLISH]),
    )
    def take_over(self, homes: list[int], workers: int, seam: Seam) -> None:
        while len(self.processes) >= PROCESSES:
            self._ends(self.processes[0])
        self._start(homes, workers, seam)

    @rule(
        before=st.lists(told, min_size=1, max_size=3),
        meanwhile=st.lists(told, max_size=3),
        home=st.sampled_from(HOMES),
        held_back=st.booleans(),
        overtaken=st.booleans(),
    )
    def pause_while_another_takes_over(
        self,
        before: Sequence[dict[str, Any]],
        meanwhile: Sequence[dict[str, Any]],
        home: int,
        *,
        held_back: bool,
        overtaken: bool,
    ) -> None:
        """One that is paused, perhaps between commit and publication, wakes when all is done."""
        paused = self.owners.get(home)
        if paused is None or paused.is_stuck:
            return
        if held_back:
            paused.hold_back()
        self._tell(before)
        self._work(paused, paused.worker_of(home), 9, Seam.NONE)
        self._start(HOMES, 1, Seam.NONE)
        self._tell([*before, *meanwhile])  # the same levels change once more
        if overtaken:
            self._work(self.processes[-1], 0, 9, Seam.NONE)
        if paused in self.processes:
            self._wake(paused)

    @rule(
        batches=st.lists(st.lists(told, min_size=1, max_size=4), min_size=1, max_size=3),
        home=st.sampled_from(HOMES),
        publish_first=st.booleans(),
    )
    def crash_with_batches_held_back(
        self, batches: Sequence[Sequence[dict[str, Any]]], home: int, *, publish_first: bool
    ) -> None:
        process = self.owners.get(home)
        if process is None or process.is_stuck:
            return
        if not publish_first:
            process.hold_back()
        for batch in batches:
            self._tell(batch)
            if process in self.processes and not process.is_stuck:
                self._work(process, process.worker_of(home), 9, Seam.NONE)
                process.hold_back()
        self._ends(process)
        self._start(HOMES, 2, Seam.NONE)

    @rule(
        wanted=st.lists(
            st.lists(lines, min_size=1, max_size=2),
            min_size=1,
            max_size=3,
        ),
        days=st.integers(1, 2),
        gives_back=st.booleans(),
    )
    def reserve(
        self, wanted: list[list[tuple[str, str, int]]], days: int, *, gives_back: bool
    ) -> None:
        """Let some ask for stock at once: they are decided in one transaction."""
        requests: list[Request] = [self._asked(lines, days) for lines in wanted]
        self._answered(requests, self.world.run(self._decide(requests)))
        if gives_back:  # a dip that is over before anybody is told of it
            given = [self._ended(each.id, fulfils=False) for each in requests]
            self._answered(given, self.world.run(self._decide(given)))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), fulfils=st.booleans())
    def end(self, data: st.DataObject, *, fulfils: bool) -> None:
        requests = [self._ended(data.draw(st.sampled_from(sorted(self.held))), fulfils=fulfils)]
        self._answered(requests, self.world.run(self._decide(requests)))

    @precondition(lambda self: self.owners)
    @rule(
        data=st.data(),
        events=st.lists(told, min_size=1, max_size=3),
        lines=st.lists(lines, min_size=1, max_size=3),
    )
    def decide_while_a_batch_waits(
        self,
        data: st.DataObject,
        events: Sequence[dict[str, Any]],
        lines: list[tuple[str, str, int]],
    ) -> None:
        """Let a reservation hold levels that a batch has begun to change."""
        home = data.draw(st.sampled_from(sorted(self.owners)))
        process = self.owners[home]
        if process.is_stuck:
            return
        self._tell(events)
        requests: list[Request] = [self._asked(lines, 1)]
        if self.held:
            id_ = data.draw(st.sampled_from(sorted(self.held)))
            requests.append(self._ended(id_, fulfils=True))
        worker = process.worker_of(home)
        records = self._waiting(process, worker, 9)
        if not records or self._has_lost(process, records):
            return
        work = process.work(worker, [*records])
        self._answered(requests, self.world.run(self._decide(requests, work)))
        self._take(records)

    @precondition(lambda self: any(each.state in WAITING for each in self.counts.values()))
    @rule(
        data=st.data(),
        state=st.sampled_from(
            [CountState.APPROVED, CountState.REJECTED, CountState.RECOUNT_REQUESTED]
        ),
    )
    def decide_on_a_count(self, data: st.DataObject, state: CountState) -> None:
        waiting = sorted(each for each, judged in self.counts.items() if judged.state in WAITING)
        chosen = data.draw(st.sampled_from(waiting))
        self.world.run(self._decide_on(chosen, state))
        self.counts[chosen].state = state

    async def _decide_on(self, count: stock.Identity, state: CountState) -> None:
        number = await self.world.administrator.fetchval(
            "SELECT id FROM ledger.stock_count WHERE channel = $1 AND change_id = $2 AND line = $3",
            *count,
        )
        doer = Doer("zhang", self.clock.now())
        row = await Sheets(self.surroundings.engine).decide(number, state, doer)
        assert row is not None
        assert row.state == state

    def _asked(self, lines: Sequence[tuple[str, str, int]], days: int) -> Reserve:
        self.asked += 1
        wanted = tuple(Wanted(str(place), *line) for place, line in enumerate(lines))
        return Reserve(f"R{self.asked:03}", wanted, None, timedelta(days=days), "somebody")

    def _ended(self, id_: str, *, fulfils: bool) -> Fulfil | Release:
        return Fulfil(id_, "somebody") if fulfils else Release(id_, "somebody")

    async def _decide(
        self, requests: Sequence[Request], beside: Coroutine[Any, Any, None] | None = None
    ) -> list[int]:
        """Return the statuses of answers; something beside has to wait for them, or not."""
        async with self.surroundings.engine.connect() as connection:
            async with connection.begin():
                await ensure_periods(connection, self.clock.now())
            own = await driver(connection)
            await prepare(own)
            async with asyncio.TaskGroup() as group, own.transaction():
                shown = partial(present, None)
                answers = await decide(own, requests, self.clock, shown, wait=True)
                if beside is not None:
                    working = group.create_task(beside)

                    async def is_held_up() -> bool:
                        return working.done() or await self._somebody_waits()

                    await until(is_held_up)
        return [answer[0] for answer in answers if answer is not None]

    async def _somebody_waits(self) -> bool:
        waiting = await self.world.administrator.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(waiting)

    def _answered(self, requests: Sequence[Request], statuses: Sequence[int]) -> None:
        """Hold answers against what may be promised, one decision after the other."""
        lows: dict[Place, int] = {}
        for request, status in zip(requests, statuses, strict=True):
            if isinstance(request, Reserve):
                lines = tuple(line[1:] for line in request.wanted)
                sums = Counter[Place]()
                for sku, warehouse, quantity in lines:
                    sums[sku, warehouse] += quantity
                fits = all(
                    quantity <= max(0, stock.promisable(self.past, place))
                    for place, quantity in sums.items()
                )
                assert status == (201 if fits else 409), "promised what there is, and all of it"
                if fits:
                    held = Held(request.id, lines, self.clock.now() + request.expires_in)
                    self.held[held.id] = held
                    self._promise(held, ChangeType.ORDER_PLACED, lows)
            elif request.id not in self.held:
                assert status == 404
            else:
                assert status == 200
                fulfils = isinstance(request, Fulfil)
                kind = ChangeType.ORDER_FULFILLED if fulfils else ChangeType.ORDER_CANCELLED
                self._promise(self.held.pop(request.id), kind, lows)
        self._grow(lows, has_dip=True)

    def _promise(self, held: Held, kind: ChangeType, lows: dict[Place, int]) -> None:
        for line, (sku, warehouse, quantity) in enumerate(held.lines):
            event = StockChange(
                channel="reservations",
                id=held.id,
                line=str(line),
                type=kind,
                sku=sku,
                warehouse=warehouse,
                quantity=quantity,
                reference=held.id,
                occurred_at=self.clock.now(),
                received_at=self.clock.now(),
            )
            self.reserved.append(event)
            self._note(event, lows)

    @precondition(lambda self: self.owners)
    @rule(
        home=st.sampled_from(HOMES),
        seam=st.sampled_from([*[Seam.NONE] * 3, *Seam, Seam.AFTER_COMMIT, Seam.AFTER_COMMIT]),
    )
    def take_turn(self, home: int, seam: Seam) -> None:
        """Let whoever owns a partition tell of reservations, or end those whose time is up."""
        process = self.owners.get(home)
        if process is not None and not process.is_stuck:
            self._turn(process, process.worker_of(home), seam)

    @rule(line=lines, seam=st.sampled_from([Seam.AFTER_COMMIT, Seam.HALF_PUBLISHED]))
    def crash_before_a_dip_is_told(self, line: tuple[str, str, int], seam: Seam) -> None:
        self.reserve([[line]], 1, gives_back=True)
        home = partition_of(line[0], PARTITIONS)
        self.take_turn(home, seam)
        self._start([home], 1, Seam.NONE)

    @rule(line=lines, events=st.lists(told, max_size=2), seam=st.sampled_from(Seam))
    def sell_what_was_given_back(
        self, line: tuple[str, str, int], events: Sequence[dict[str, Any]], seam: Seam
    ) -> None:
        """Let a batch come to a level before the turn that would have told of its dip."""
        sku, warehouse, quantity = line
        there = next(each for each in WAREHOUSES if each != warehouse)
        plenty = {
            "type": ChangeType.RECEIPT,
            "quantity": quantity,
            "sku": sku,
            "channel": "shop",
            "warehouses": (warehouse, there),
            "occurred_at": BEGAN,
        }
        home = partition_of(sku, PARTITIONS)
        self.tell_and_work([plenty], (home, 12), 0, Seam.NONE, hold_back=False)
        self.reserve([[line]], 1, gives_back=True)
        sale = plenty | {"type": ChangeType.SALE, "quantity": 1}
        self.tell_and_work([sale, *events], (home, 12), 0, seam, hold_back=False)

    @rule(line=lines)
    def let_expire(self, line: tuple[str, str, int]) -> None:
        """Let time be up for a reservation, and for all that were made before."""
        self.reserve([[line]], 1, gives_back=False)
        if not self.held:
            return
        chosen = self.held[max(self.held)]
        self.clock.set(max(self.clock.now(), chosen.expires_at))
        for _ in range(2):  # one turn ends it, the next one tells of it
            self.take_turn(chosen.home, Seam.NONE)

    def _turn(self, process: Process, worker: int, seam: Seam) -> None:
        share = process.shares[worker]
        expired = [
            each
            for _, each in sorted(self.held.items())
            if each.expires_at <= self.clock.now() and each.home in share
        ]
        dips = {
            place: told
            for place, told in self.levels.items()
            if told.has_dip and partition_of(place[0], PARTITIONS) in share
        }
        decided = [
            each
            for each, judged in self.counts.items()
            if judged.is_decided and partition_of(self.changes[each].sku, PARTITIONS) in share
        ]
        waits = bool(decided) or self.world.run(self._waits_to_be_told(share))
        expires = bool(expired) and not (waits and (process, worker) in self.has_expired)
        lost = [home for home in share if self.owners.get(home) is not process]
        commits = seam.commits and seam is not Seam.COMMIT_LOST
        try:
            self.world.run(process.turn(worker, seam))
        except Killed:
            assert seam is not Seam.NONE
        except Fenced:
            assert lost or seam in {Seam.COMMIT_LOST, Seam.ANSWER_LOST}
            commits = commits and not lost
        if expires:
            self.has_expired.add((process, worker))
        elif waits:
            self.has_expired.discard((process, worker))
        if commits and expires:
            lows: dict[Place, int] = {}
            for each in expired:
                self._promise(self.held.pop(each.id), ChangeType.ORDER_CANCELLED, lows)
            self._grow(lows, has_dip=True)
        elif commits and decided:
            self._carry_out(decided)
        elif commits:
            self._grow(
                {place: told.versions[-1].available for place, told in dips.items()},
                has_dip=False,
            )
        if process.is_dead:
            self._ends(process)

    def _carry_out(self, decided: Sequence[stock.Identity]) -> None:
        """Let levels know of decisions on their counts."""
        lows: dict[Place, int] = {}
        for each in decided:
            self.counts[each].is_settled = True
            if self.counts[each].holds:
                self._note(self.changes[each], lows)
                self._settle_by(self.changes[each])
        for event in (self.changes[each] for each in decided):
            (place,) = places(event)
            lows.setdefault(place, stock.level(self.past, place).available)
        self._grow(lows, has_dip=False)

    async def _waits_to_be_told(self, share: Sequence[int]) -> bool:
        """Return whether there is more to do than to let reservations expire."""
        query = "SELECT EXISTS (SELECT FROM ledger.dirty_level WHERE partition = ANY($1::int[]))"
        return bool(await self.world.administrator.fetchval(query, share))

    def _start(self, homes: Sequence[int], workers: int, seam: Seam) -> None:
        async def start() -> Process:
            process = Process(self.surroundings, workers)
            try:
                await process.claim([homes[index::workers] for index in range(workers)], seam)
            except Killed:
                assert seam is not Seam.NONE
            return process

        self._doubt(homes)
        process = self.world.run(start())
        for home in homes:
            self.owners[home] = process
        self.processes.append(process)
        if process.is_dead:
            self._ends(process)

    @rule(
        events=st.lists(told, min_size=1, max_size=6),
        chosen=st.tuples(st.sampled_from(HOMES), st.integers(1, 12)),
        broker_away=st.integers(0, 2),
        hold_back=st.booleans(),
        seam=st.sampled_from([Seam.NONE] * 6 + [*Seam, Seam.COMMIT_LOST, Seam.ANSWER_LOST]),
    )
    def tell_and_work(
        self,
        events: Sequence[dict[str, Any]],
        chosen: tuple[int, int],
        broker_away: int,
        seam: Seam,
        *,
        hold_back: bool,
    ) -> None:
        self._tell(events)
        home, most = chosen
        if home not in self.owners:
            self._start(HOMES, 2, Seam.NONE)
        process = self.owners[home]
        if process.is_stuck:
            return
        if hold_back:
            process.hold_back()
        elif not process.holds_back:
            process.refuse(broker_away)
        self._work(process, process.worker_of(home), most, seam)

    @rule(
        events=st.lists(told, min_size=1, max_size=3),
        chosen=st.tuples(st.sampled_from(HOMES), st.integers(1, 12)),
        seam=st.sampled_from(Seam),
    )
    def tell_and_come_to_a_seam(
        self, events: Sequence[dict[str, Any]], chosen: tuple[int, int], seam: Seam
    ) -> None:
        self.tell_and_work(events, chosen, 0, seam, hold_back=False)

    @property
    def fenced(self) -> list[Process]:
        """Those who do not know yet that a partition of theirs has moved."""
        return [
            each
            for each in self.processes
            if any(self.owners.get(home) is not each for home in each.homes)
        ]

    @precondition(lambda self: self.fenced)
    @rule(data=st.data(), events=st.lists(told, max_size=3))
    def wake(self, data: st.DataObject, events: Sequence[dict[str, Any]]) -> None:
        """Let one go on that was paused while its partitions moved."""
        self._tell(events)
        self._wake(data.draw(st.sampled_from(self.fenced)))

    def _wake(self, process: Process) -> None:
        """Let a process do all that it would: publish what it has, and work on."""
        self._let_go(process)
        for worker in range(len(process.shares)):
            if process in self.processes:
                self._work(process, worker, 9, Seam.NONE)

    def _waiting(self, process: Process, worker: int, most: int) -> list[FakeRecord]:
        return [
            record
            for home in process.shares[worker]
            for record in self.logs[home][process.next_offset(home) :][:most]
        ]

    def _has_lost(self, process: Process, records: Sequence[FakeRecord]) -> bool:
        return any(self.owners.get(record.partition) is not process for record in records)

    def _work(self, process: Process, worker: int, most: int, seam: Seam) -> None:
        records = self._waiting(process, worker, most)
        if not records:
            return
        if self._has_lost(process, records):
            with pytest.raises((Fenced, Killed)):
                self.world.run(process.work(worker, [*records], seam))
            self._ends(process)
            return
        try:
            self.world.run(process.work(worker, [*records], seam))
        except Killed:
            assert seam is not Seam.NONE
        except Fenced:
            assert seam is Seam.ANSWER_LOST
        if seam.commits:
            self._take(records)
        if process.is_dead:
            self._ends(process)

    @precondition(lambda self: any(process.holds_back for process in self.processes))
    @rule(data=st.data())
    def let_go(self, data: st.DataObject) -> None:
        held = [each for each in self.processes if each.holds_back]
        self._let_go(data.draw(st.sampled_from(held)))

    def _let_go(self, process: Process) -> None:
        try:
            self.world.run(process.let_go())
        except Fenced:
            assert process in self.fenced
            self._ends(process)

    @precondition(lambda self: self.processes)
    @rule(data=st.data(), what=st.sampled_from(["kill", "note", "pass on"]))
    def befall(self, data: st.DataObject, what: str) -> None:
        process = data.draw(st.sampled_from(self.processes))
        if what == "kill":
            self._ends(process)
        elif what == "note" and not process.is_stuck:
            self.world.run(process.note())
        elif what == "pass on" and len(process.shares) > 1 and not process.holds_back:
            self.world.run(process.pass_on(data.draw(st.sampled_from(process.homes))))

    @rule(days=st.sampled_from([1, 31, -1]))
    def time_passes(self, days: int) -> None:
        self.clock.advance(timedelta(days=days))

    def _ends(self, process: Process) -> None:
        if process not in self.processes:
            return
        self._doubt([home for home, owner in self.owners.items() if owner is process])
        self.processes.remove(process)
        self.owners = {home: each for home, each in self.owners.items() if each is not process}
        self.world.run(process.kill())

    def _doubt(self, homes: Sequence[int]) -> None:
        """Whoever takes these over may tell again what has been told."""
        for place, told in self.levels.items():
            if partition_of(place[0], PARTITIONS) in homes:
                told.sure = False

    # What must have come of it.

    def _take(self, records: Sequence[FakeRecord]) -> None:
        """Do what a batch has to do, by definition."""
        lows: dict[Place, int] = {}
        for record in records:
            assert record.offset == self.done[record.partition]
            self.done[record.partition] += 1
            place = (record.partition, record.offset)
            event = self.events[place]
            if event is None:
                self.rejected[place] = DeadReason.INVALID
                if record.value != b'{"v":1}':
                    self.rejected[place] = DeadReason.UNDECODABLE
                continue
            first = self.changes.get(stock.identity(event))
            if first is not None and stock.content(first) == stock.content(event):
                self.repeats.append((stock.identity(event), event.received_at))
            elif first is not None:
                self.rejected[place] = DeadReason.ID_REUSED
            elif event.occurred_at > self.clock.now() + timedelta(minutes=5):
                self.rejected[place] = DeadReason.FROM_THE_FUTURE
            else:
                if event.type is ChangeType.COUNT:
                    self._judge(event)
                self.changes[stock.identity(event)] = event
                self._note(event, lows)
        self._grow(lows, has_dip=False)

    @property
    def past(self) -> list[StockChange]:
        """All that has happened, in no order."""
        return [
            *(
                event
                if each not in self.counts or self.counts[each].holds
                else stock.held_back(event)
                for each, event in self.changes.items()
            ),
            *self.reserved,
        ]

    def _judge(self, count: StockChange) -> None:
        """Hold a count against what is known when it arrives."""
        past = self.past
        expected = stock.expected(past, count)
        within = abs(count.quantity - expected) <= TOLERATED
        state = CountState.APPLIED
        if count.actor and not within:
            is_settled = any(stock.settles(each, count) for each in past)
            state = CountState.SUPERSEDED if is_settled else CountState.WAITING
        judged = Judged(expected, within, state, is_settled=state is not CountState.WAITING)
        self.counts[stock.identity(count)] = judged
        if judged.holds:
            self._settle_by(count)

    def _settle_by(self, count: StockChange) -> None:
        """Let nothing wait any more that a count stands for."""
        for each, judged in self.counts.items():
            if judged.state in WAITING and stock.settles(count, self.changes[each]):
                judged.state, judged.is_settled = CountState.SUPERSEDED, True

    def _note(self, event: StockChange, lows: dict[Place, int]) -> None:
        for touched in places(event):
            available = stock.level(self.past, touched).available
            lows[touched] = min(available, lows.get(touched, available))

    def _grow(self, lows: dict[Place, int], *, has_dip: bool) -> None:
        """Let levels have a new version."""
        for touched, low in lows.items():
            told = self.levels.setdefault(touched, Told())
            told.versions.append(stock.level(self.past, touched))
            told.lows.append(low)
            told.has_dip = has_dip
            if has_dip:
                told.owed.append((len(told.versions), low))
                told.dipped.add(len(told.versions))

    @invariant()
    def levels_are_those_of_the_model(self) -> None:
        rows = self.world.run(
            self.world.administrator.fetch(
                "SELECT sku, warehouse, version, on_hand, reserved, unavailable, incoming, "
                "sold_total, returned_total, received_total, counted_at, last_change_at, doubt "
                "FROM ledger.level WHERE last_change_at IS NOT NULL"
            )
        )
        stored = {(row["sku"], row["warehouse"]): tuple(row)[2:] for row in rows}
        doubted = {
            place
            for each, judged in self.counts.items()
            if not judged.is_settled
            for place in places(self.changes[each])
        }
        assert stored == {
            place: (
                FIRST_VERSION + len(told.versions),
                *(level.on_hand, level.reserved, level.unavailable, level.incoming),
                *(level.sold_total, level.returned_total, level.received_total),
                *(level.counted_at, level.last_change_at, place in doubted),
            )
            for place, told in self.levels.items()
            for level in told.versions[-1:]
        }

    @invariant()
    def counts_are_kept_beside_what_was_expected_of_them(self) -> None:
        rows = self.world.run(
            self.world.administrator.fetch(
                "SELECT channel, change_id, line, bucket, counted, expected, within, state, "
                "settled_at IS NOT NULL FROM ledger.stock_count ORDER BY id"
            )
        )
        assert [tuple(row) for row in rows] == [
            (
                *(*each, self.changes[each].bucket or Bucket.ON_HAND, self.changes[each].quantity),
                *(judged.expected, judged.within, judged.state, judged.is_settled),
            )
            for each, judged in self.counts.items()
        ]

    @invariant()
    def messages_say_what_the_model_says_and_no_dip_is_lost(self) -> None:
        messages = self.surroundings.levels
        for message in messages[self.read :]:
            told = self.levels[message.sku, message.warehouse]
            number = message.version - FIRST_VERSION
            assert number >= told.seen, "an older level follows a newer one"
            assert Level.told(message) == told.versions[number - 1]
            if number > told.seen:
                owed = dict(told.owed)
                versions = {each for each in owed if each <= number}
                versions |= set(range(told.seen + 1, number + 1))
                untold = {each: told.lows[each - 1] for each in versions}
                if told.sure:
                    assert message.low_water == min(untold.values())
                must = [low for each, low in untold.items() if each not in owed]
                assert message.low_water <= min(must, default=message.low_water)
                assert message.low_water in told.lows[:number]
                told.owed = [
                    each for each in told.owed if each[0] > number or each[1] < message.low_water
                ]
                # After a claim a dip of reservations may be told once more, by their turn.
                told.sure = told.sure or not told.dipped & versions
                told.seen = number
        self.read = len(messages)

    @override
    def teardown(self) -> None:
        try:
            if sys.exception() is None:  # a course that has failed already ends nowhere
                self._finish()
        finally:
            for process in self.processes[:]:
                self._ends(process)

    def _finish(self) -> None:
        """Let a last process do what is left, and look at everything."""
        self._start(HOMES, 1, Seam.NONE)
        last = self.processes[-1]
        self._work(last, 0, 10_000, Seam.NONE)
        assert self.done == {home: len(log) for home, log in self.logs.items()}
        # One lets reservations expire, one carries decisions out, and one tells of the former.
        for _ in range(3):
            self._turn(last, 0, Seam.NONE)
        self.counts_are_kept_beside_what_was_expected_of_them()
        assert not any(each.is_decided for each in self.counts.values())
        self.levels_are_those_of_the_model()
        self.messages_say_what_the_model_says_and_no_dip_is_lost()
        assert all(told.seen == len(told.versions) for told in self.levels.values())
        assert not any(told.owed for told in self.levels.values())
        letters = {
            (each.partition, each.offset): each.reason for each in self.surroundings.dead_letters
        }
        assert letters == self.rejected
        self.world.run(self._look_at_the_tables())

    async def _look_at_the_tables(self) -> None:
        fetch = self.world.administrator.fetch
        tallies = await fetch("SELECT name, sum(total)::int AS total FROM ledger.tally GROUP BY 1")
        counted = {row["name"]: row["total"] for row in tallies}
        expected = {"movements": len(self.changes), "repeats": len(self.repeats)}
        for reason in self.rejected.values():
            expected[f"rejected.{reason}"] = expected.get(f"rejected.{reason}", 0) + 1
        assert counted == {name: total for name, total in expected.items() if total}
        again = await fetch("SELECT channel, id, line, received_at FROM ledger.repeat")
        assert sorted(((*row[:3],), row[3]) for row in again) == sorted(self.repeats)
        differences: list[Difference] = []
        report = await verify(
            self.surroundings.engine, progress=lambda *_: None, found=differences.append
        )
        assert (report.levels, differences) == (len(self.levels), [])


@pytest.fixture
def world(stack: Stack, template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    # Whoever wakes up must ask whether it still owns what it publishes for, however soon.
    monkeypatch.setattr(worker_module, "FENCE_SECONDS", 0.0)
    monkeypatch.setattr(pipeline, "LOOK_SECONDS", 0.0)
    with asyncio.Runner() as runner:
        run = runner.get_loop().run_until_complete
        fresh = fresh_database(stack, template)
        database = run(fresh.__aenter__())
        through = lossy(database.url("ledger"))
        way = run(through.__aenter__())
        engine = create_engine(way.url, pool=100)
        administrator = run(asyncpg.connect(database.administrator_url))
        yield World(runner, Surroundings(engine, way, ManualClock(BEGAN)), administrator)
        run(administrator.close())
        run(engine.dispose())
        run(through.__aexit__(None, None, None))
        run(fresh.__aexit__(None, None, None))


@pytest.mark.timeout(3_600)  # hypothesis may take its time to find the shortest course
def test_whatever_happens_the_ledger_says_what_the_model_says(world: World) -> None:
    class Course(Ledger):
        pass

    Course.world = world
    run_state_machine_as_test(
        Course,
        settings=settings(
            max_examples=examples(10),
            stateful_step_count=25,
            deadline=None,
            phases=[Phase.reuse, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
