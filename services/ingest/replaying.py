"""What waits in quarantine gets its second chance once its code is known."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from msgspec.structs import replace

from services.ingest.domain.codes import IGNORED
from services.ingest.domain.quarantine import REPLAYABLE, Entry, Reason, State, resolve
from services.ingest.outbound import stock_changes
from services.ingest.outbound.stock_changes import ChangeRecord, StockChanges
from services.ingest.store import quarantine
from services.ingest.store.database import FAILURES, Connection, Database
from services.ingest.store.known_codes import KnownCodes
from shared.clock import Clock
from shared.observability.tracing import continued

REPLAY_BATCH = 1_000
CATCH_UP_SECONDS = 1.0
"""Between tries to end a replay that was cut short."""

LOOK_AGAIN_SECONDS = 300.0
"""What a process left that died before it could replay waits so long at the most: rare enough to
go through everything that waits."""


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
            if entry.reason not in REPLAYABLE:
                continue
            try:
                change = stock_changes.decode(entry.payload)
            except stock_changes.UNREADABLE:
                continue  # of a newer release that was taken back: it waits for that
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
