"""The service on one screen: what happens to a request with events, and to what waited.

body → parse → decide → (ask for fresher codes) → quarantine what is unknown → publish → answer
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from services.ingest.domain.codes import IGNORED
from services.ingest.domain.decision import Decision, decide
from services.ingest.domain.mistakes import Rejected
from services.ingest.domain.quarantine import Entry, Reason, State, resolve, unknown_code
from services.ingest.inbound.events import Parsed, SubmittedEvent, parse
from services.ingest.listening import Listening
from services.ingest.outbound import stock_changes
from services.ingest.outbound.stock_changes import ChangeRecord, StockChanges
from services.ingest.store import quarantine
from services.ingest.store.database import FAILURES, Connection, Database
from services.ingest.store.known_codes import KnownCodes
from shared.clock import Clock
from shared.events.stock_changes import Bucket
from shared.observability.metrics import EVENTS_TOTAL
from shared.observability.tracing import continued

REPLAY_BATCH = 1_000
CATCH_UP_SECONDS = 1.0
"""Between tries to end a replay that was cut short."""

LOOK_AGAIN_SECONDS = 300.0
"""What a process left that died before it could replay waits so long at the most: rare enough to
go through everything that waits."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request's events, each counted once."""

    accepted: int
    quarantined: int
    ignored: int
    rejected: list[Rejected]


class Intake:
    """Takes events: everything it has counted as taken is durable."""

    def __init__(
        self,
        known: KnownCodes,
        database: Database,
        changes: StockChanges,
        replay: "Replay",
        listening: Listening,
        clock: Clock,
    ) -> None:
        self._known = known
        self._database = database
        self._changes = changes
        self._replay = replay
        self._listening = listening
        self._clock = clock

    async def take(
        self, body: bytes, *, lines: bool, own_channel: str | None, traceparent: str
    ) -> Taken:
        """Take the events of a body; returns once all are with the broker or in quarantine.

        Raises Problem for what is no batch of events, ForeignChannel, and Unavailable when the
        broker is away, or the database and it has to be asked. After Unavailable some events may
        have been taken; sending the same request again is harmless.
        """
        received_at = self._clock.now()
        parsed = parse(body, lines=lines)
        decision, version = await self._decide(parsed, own_channel)
        await self._quarantine(decision, received_at, version)
        await self._publish(decision, received_at, traceparent)
        rejected = len(parsed.rejected) + len(decision.rejected)
        self._listening.hear(decision, rejected, own_channel)
        return _taken(parsed, decision)

    async def _decide(
        self, parsed: Parsed, own_channel: str | None
    ) -> tuple[Decision[SubmittedEvent], int]:
        """Return what becomes of the events, and the version of the codes that said so."""
        codes = self._known.codes()
        seen = codes.version
        decision = decide(parsed.events, codes, own_channel)
        if decision.misses:
            # Before anything is called unknown, the database is asked: another process may know
            # more. The versions tell, as the poll may have brought the news meanwhile.
            await self._known.refresh()
            codes = self._known.codes()
            if codes.version != seen:
                seen = codes.version
                decision = decide(parsed.events, codes, own_channel)
        return decision, seen

    async def _quarantine(
        self, decision: Decision[SubmittedEvent], received_at: datetime, version: int
    ) -> None:
        if not decision.unknown:
            return
        waiting: list[Entry] = []
        for each in decision.unknown:
            event = each.event
            change = record_of(
                event, each.channel, event.sku, event.warehouse, event.counterparty, received_at
            )
            payload = stock_changes.encode(change).decode()
            waiting.append(
                unknown_code(change, payload, each.sku, each.warehouse, each.counterparty)
            )
        await self._database.write(quarantine.put, waiting, received_at)
        await self._replay.look_again(waiting, version)

    async def _publish(
        self, decision: Decision[SubmittedEvent], received_at: datetime, traceparent: str
    ) -> None:
        changes = [
            record_of(event, channel, sku, warehouse, counterparty, received_at)
            for event, channel, sku, warehouse, counterparty in decision.accepted
        ]
        if changes:
            await self._changes.publish(changes, traceparent)


def record_of(
    event: SubmittedEvent,
    channel: str,
    sku: str,
    warehouse: str,
    counterparty: str | None,
    received_at: datetime,
) -> ChangeRecord:
    """Return the change that an event says, with these codes.

    The bucket on_hand is left out: a change is about on hand unless it says otherwise, and a
    repeat has the same content whether it says so or not.
    """
    occurred_at = event.occurred_at
    if occurred_at.tzinfo is not UTC:
        occurred_at = occurred_at.astimezone(UTC)
    bucket = event.bucket
    if bucket is not None and bucket is Bucket.ON_HAND:  # nearly always None, and enums are slow
        bucket = None
    # Two by place: Python passes more than 15 by name as a dictionary, 0.4 µs an event slower.
    return ChangeRecord(
        event.id,
        event.line,
        channel=channel,
        type=event.type,
        sku=sku,
        warehouse=warehouse,
        quantity=event.quantity,
        occurred_at=occurred_at,
        received_at=received_at,
        reason=event.reason,
        reference=event.reference,
        counterparty=counterparty,
        bucket=bucket,
        eta=event.eta and event.eta.astimezone(UTC),
        actor=event.actor,
        v=1,
    )


def _taken(parsed: Parsed, decision: Decision[SubmittedEvent]) -> Taken:
    taken = Taken(
        accepted=len(decision.accepted),
        quarantined=len(decision.unknown),
        ignored=decision.ignored,
        rejected=sorted([*parsed.rejected, *decision.rejected], key=lambda each: each.index),
    )
    for outcome, count in (
        ("accepted", taken.accepted),
        ("quarantined", taken.quarantined),
        ("ignored", taken.ignored),
        ("rejected", len(taken.rejected)),
    ):
        EVENTS_TOTAL.labels(outcome).inc(count)
    return taken


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of the entries a replay was about."""

    replayed: int
    ignored: int
    still_quarantined: int


class Replay:
    """Gives what waits in quarantine its second chance."""

    def __init__(
        self, known: KnownCodes, database: Database, changes: StockChanges, clock: Clock
    ) -> None:
        self._known = known
        self._database = database
        self._changes = changes
        self._clock = clock
        self._cut_short = asyncio.Event()

    async def run(self, matching: quarantine.Filter) -> Replayed:
        """Send waiting entries that resolve by now, in order of arrival.

        Each goes out as it first came, identity and times included, so that a crash between the
        broker's answer and the commit makes a repeat that the ledger recognises. Raises
        Unavailable when broker or database are away; what was sent by then is settled, and the
        rest is for `catch_up`.
        """
        try:
            return await self._run(matching)
        except (*FAILURES, asyncio.CancelledError):
            self._cut_short.set()
            raise

    async def look_again(self, waiting: Collection[Entry], version: int) -> None:
        """Replay entries whose code became known while they were on their way to quarantine.

        Whoever made it known after `version` may have looked for them before they were there.
        They are durable: what is away now is for `catch_up`.
        """
        try:
            await self._known.refresh()
            if self._known.codes().version != version:
                unknown = {
                    code
                    for each in waiting
                    for code in (
                        each.unknown_sku,
                        each.unknown_warehouse,
                        each.unknown_counterparty,
                    )
                    if code is not None
                }
                await self._run(quarantine.Filter(spellings=tuple(unknown)))
        except FAILURES:
            self._cut_short.set()

    async def _run(self, matching: quarantine.Filter) -> Replayed:
        await self._known.refresh()
        replayed = ignored = left = after = 0
        while True:
            step = await self._database.write(self._step, matching, after)
            if step is None:
                return Replayed(replayed, ignored, left)
            after = step.after
            replayed += step.outcome.replayed
            ignored += step.outcome.ignored
            left += step.outcome.still_quarantined

    async def catch_up(self) -> None:
        """Replay until cancelled what was left behind after its code became known.

        That is at the start, after a replay that was cut short, and now and then for what another
        process left.
        """
        while True:
            self._cut_short.clear()
            try:
                for reason in (Reason.UNKNOWN_SKU, Reason.UNKNOWN_WAREHOUSE):
                    await self.run(quarantine.Filter(reason=reason))
            except FAILURES:
                await asyncio.sleep(CATCH_UP_SECONDS)
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                        await self._cut_short.wait()

    async def _step(
        self, connection: Connection, matching: quarantine.Filter, after: int
    ) -> "_Step | None":
        now = self._clock.now()
        codes = self._known.codes()
        taken = await quarantine.take(connection, matching, after, REPLAY_BATCH)
        if not taken:
            return None
        sent: dict[int, ChangeRecord] = {}
        ignored: list[int] = []
        for entry in taken:
            if not entry.reason.replayable:
                continue
            change = stock_changes.decode(entry.payload)
            meaning = resolve(entry.reason, change, codes, now)
            if meaning is IGNORED:
                ignored.append(entry.id)
            elif meaning is not None:
                sku, warehouse, counterparty = meaning
                sent[entry.id] = replace(
                    change, sku=sku, warehouse=warehouse, counterparty=counterparty
                )
        if sent:
            await self._changes.publish(list(sent.values()), continued(None))
        await quarantine.settle(connection, sent.keys(), State.REPLAYED, now)
        await quarantine.settle(connection, ignored, State.IGNORED, now)
        left = len(taken) - len(sent) - len(ignored)
        return _Step(taken[-1].id, Replayed(len(sent), len(ignored), left))


@dataclass(frozen=True, slots=True)
class _Step:
    after: int
    outcome: Replayed
