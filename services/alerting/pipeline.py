"""Alerting on one screen: how level messages become episodes.

    read → drop stale → fire what was due before → sales by day → rules in scope → evaluate
         → pools of these levels, products whose options ran out or came back
         → write transitions, conditions and levels → (relay) → stock.alerts

A batch is drafted on a view of the worker's memory, written in one transaction, and adopted when
that is durable. Between batches the worker's turn does what time, or a changed rule or parameter,
asks for.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import TypeAlias

from typing_extensions import override

from services.alerting.domain.channels import Channels
from services.alerting.domain.draft import Draft
from services.alerting.domain.edits import between
from services.alerting.domain.memory import Settled, Territory, View
from services.alerting.domain.parameters import ParameterBook
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.sales import day_of
from services.alerting.domain.timebase import Heard, Timebase
from services.alerting.inbound import stock_levels
from services.alerting.inbound.catalog_items import Catalogue
from services.alerting.store import memory, people, products, recording
from shared.clock import Clock
from shared.database.engine import Connection
from shared.database.kept import Kept
from shared.kafka.handler import Batch, Claim, Handler, Timed
from shared.kafka.messages import Outgoing, Record
from shared.kafka.reading import trace_of
from shared.observability.metrics import EVALUATIONS_TOTAL, TRANSITIONS_TOTAL

TURN_SUBJECTS = 2_000
"""Evaluated in one turn at the most, of all partitions: some 20 ms, so messages do not wait for a
changed rule, or for all that is due at one hour."""


Memory: TypeAlias = tuple[int, Territory]
"""A partition with what is known there."""


class StockLevels(Handler[Memory], Timed):
    """Evaluates one worker's partitions of `stock.levels`."""

    def __init__(
        self,
        *,
        rules: Callable[[], RuleBook],
        parameters: Callable[[], ParameterBook],
        catalogue: Catalogue,
        channels: Callable[[], Channels],
        timebase: Timebase,
        clock: Clock,
        partitions: int,
    ) -> None:
        self._rules = rules
        self._parameters = parameters
        self._catalogue = catalogue
        self._channels = channels
        self._timebase = timebase
        self._clock = clock
        self._partitions = partitions
        self._responsibilities = Kept("staff", people.responsibilities)
        self._territories: dict[int, Territory] = {}
        self._draft: Draft | None = None
        self._looked: dict[int, int] = {}

    @override
    async def claim(self, connection: Connection, claims: Sequence[Claim]) -> Sequence[Outgoing]:
        loaded = await memory.load(connection, [claim.partition for claim in claims])
        for territory in loaded.values():
            territory.appended_at = self._clock.now()
        self._territories |= loaded
        return ()

    @override
    async def handle(self, connection: Connection, batch: Batch) -> Sequence[Outgoing]:
        draft = self._new_draft()
        for record, level in stock_levels.read(batch, self._partitions):
            now = self._timebase.of_message(level, _appended_at(record))
            draft.hear(record.partition, level, now, trace_of(record))
        draft.pool()
        await self._write(connection, draft)
        return ()

    @override
    def committed(self, batch: Batch) -> None:
        self._adopt()
        for record in {record.partition: record for record in batch.records}.values():
            self._territories[record.partition].appended_at = _appended_at(record)

    @override
    def part_with(self, partitions: Collection[int]) -> Mapping[int, Memory]:
        return {
            partition: (partition, self._territories.pop(partition)) for partition in partitions
        }

    @override
    def take_up(self, memories: Collection[Memory]) -> None:
        self._territories.update(memories)

    @override
    async def due(
        self,
        connection: Connection,
        partitions: Collection[int],
        drained: Mapping[int, datetime],
    ) -> Collection[int]:
        rules, parameters, channels = self._rules(), self._parameters(), self._channels()
        work: list[int] = []
        # Most partitions go from the same book to the same, and so with the catalogue.
        compared, since = cache(between), cache(self._catalogue.since)
        for partition, until in self._heard_until(drained).items():
            territory = self._territories[partition]
            view = View(rules.at(until), self._catalogue.revision, day_of(until))
            territory.look_through(view, self._catalogue.items, compared, since, parameters)
            territory.listen(rules, channels, until)
            if rules.asks_parameters:
                territory.follow(parameters)
            if not territory.unseen:
                territory.settled = Settled(rules, parameters, self._catalogue.revision)
            if territory.unseen or territory.is_due(until):
                work.append(partition)
        return work

    @override
    async def turn(
        self, connection: Connection, batch: Batch, drained: Mapping[int, datetime]
    ) -> Sequence[Outgoing]:
        draft = self._new_draft()
        self._looked = {}
        left = TURN_SUBJECTS
        for partition, until in self._heard_until(drained).items():
            if partition not in batch.numbers:
                continue
            territory = self._territories[partition]
            left -= draft.fire(partition, until, left)
            subjects = territory.unseen[-left:] if left else []
            draft.look(partition, subjects, until)
            self._looked[partition] = len(subjects)
            left -= len(subjects)
        draft.pool()
        await self._write(connection, draft)
        return ()

    @override
    def turned(self) -> None:
        for partition, count in self._looked.items():
            unseen = self._territories[partition].unseen
            del unseen[len(unseen) - count :]
        self._adopt()

    def _new_draft(self) -> Draft:
        self._draft = Draft(
            self._territories,
            self._rules(),
            self._catalogue.items,
            self._parameters(),
            self._catalogue.revision,
            self._channels(),
            self._catalogue.products,
        )
        return self._draft

    def _heard_until(self, drained: Mapping[int, datetime]) -> Mapping[int, datetime]:
        heard = {
            number: Heard(each.latest, each.appended_at)
            for number, each in self._territories.items()
        }
        return self._timebase.heard_until(heard, drained)

    async def _write(self, connection: Connection, draft: Draft) -> None:
        heard = [each for each in draft.staged.values() if each.heard]
        await memory.save_levels(connection, [each for each in heard if each.is_new], new=True)
        await memory.save_levels(connection, [each for each in heard if not each.is_new], new=False)
        await memory.save_conditions(connection, draft.conditions)
        draft.announcements += await products.judge(connection, draft.sizing, draft.reasons)
        draft.announcements[:] = await recording.record(
            connection,
            draft.announcements,
            self._clock.now(),
            responsibilities=self._responsibilities.now,
            follows_playbooks=self._timebase.follows_playbooks,
        )

    def _adopt(self) -> None:
        draft, self._draft = self._draft, None
        if draft is None:
            return
        draft.adopt()
        for (kind, reason), count in draft.reasons.items():
            EVALUATIONS_TOTAL.labels(kind or "", reason).inc(count)
        for each in draft.announcements:
            TRANSITIONS_TOTAL.labels(each.rule.kind, each.transition.event).inc()


def _appended_at(record: Record) -> datetime:
    return _instant(record.timestamp)


@lru_cache  # the records that a producer sent at once have one time
def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
