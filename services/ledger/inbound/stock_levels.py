"""Read `stock.levels` back for clients that follow changes: one reader, many streams.

    log ──▶ tail ──▶ what waits for each stream ──▶ its client
     └─────▶ a stream that is behind reads on by itself until it has reached the tail ──▶ its client

A stream is behind when it goes on from an older position, or when more levels wait for it than it
may hold: the log keeps what a slow client has not heard yet, memory does not.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from pydantic import ValidationError

from services.ledger.domain.changed_levels import ChangedLevel, Filter, Waiting
from services.ledger.domain.position import Position
from shared.clock import Clock
from shared.errors import Unavailable
from shared.events.stock_levels import TOPIC, StockLevel
from shared.events.topics import STOCK_LEVELS
from shared.kafka.log import LogReader, Loss, Lost
from shared.kafka.messages import Record
from shared.observability.logs import get_logger
from shared.observability.metrics import STREAMS

PARTITIONS = STOCK_LEVELS.partitions

WAITING_LIMIT = 1_000
"""Levels that wait for one client at the most; some 700 bytes each, shared among all clients."""

READERS = 8
"""Streams that read on by themselves at a time: each holds a connection and what it fetched."""

TURN_SECONDS = 10.0
"""How long one of them may, so that a client that never catches up keeps nobody waiting."""

_READY_SECONDS = 5.0
_RETRY_SECONDS = 1.0

Present = Callable[[StockLevel, str], bytes]
"""Makes the event that tells of a level at an encoded position."""

_log = get_logger("inbound.stock_levels")


def read(record: Record) -> StockLevel | None:
    """Return what a record says; None, and a line in the log, when it cannot be read."""
    try:
        return StockLevel.model_validate_json(record.value or b"")
    except ValidationError as error:
        _log.warning("a level cannot be read", offset=record.offset, why=str(error)[:300])
        return None


class News(NamedTuple):
    """What a stream has to tell: first what was lost and where it goes on, then the levels.

    `position` is reached when all of it is told.
    """

    lost: tuple[Loss, Position] | None
    levels: Sequence[ChangedLevel]
    position: Position


class LevelStream:
    """What one client follows. Its owner alone calls `news`, one call after the other."""

    def __init__(self, tail: "LevelTail", wanted: Filter, start: Position) -> None:
        self.wanted = wanted
        self.ended = False
        self._tail = tail
        self._waiting = Waiting(WAITING_LIMIT)
        self._read = start
        """All before it has been handed out, or waits."""
        self._since: Position | None = None
        """Where the tail was when it began to hand over to this stream; None while it does not."""
        self._joined = False
        self._lost: tuple[Loss, Position] | None = None
        self._woken = asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        self._reader: LogReader | None = None
        self._turn_ends = 0.0

    @property
    def position(self) -> Position:
        """All before it was in the news, or is no part of the stream."""
        return self._read

    async def news(self, seconds: float) -> News:
        """Return what there is to tell, after at most so many seconds; it may be nothing."""
        levels: list[ChangedLevel] = []
        try:
            async with asyncio.timeout(0 if self.ended else seconds) as self._limit:
                if self._joined:
                    await self._woken.wait()
                else:
                    levels = await self._read_on()
        except TimeoutError:
            # What was fetched when time was up is lost with the reader, and is read again.
            await self.close()
        finally:
            self._limit = None
        # Not while the time runs: what was read on would be lost with the way back.
        if self._joined or asyncio.get_running_loop().time() > self._turn_ends:
            await self.close()
        return self._taken(levels)

    async def close(self) -> None:
        """Give back the reader of its own, if there is one."""
        reader, self._reader = self._reader, None
        if reader is not None:
            self._tail.readers.release()
            await reader.close()

    def offer(self, level: ChangedLevel) -> None:
        """Take a change from the tail, never waiting."""
        if self._since is None:
            return
        if not self._waiting.add(level):
            # The log has them all, from where this stream has read.
            self._waiting.take()
            self._since = None
            self._joined = False
        self._woken.set()

    def join(self, position: Position) -> None:
        """Go on from where the tail is now, whatever came before."""
        self._waiting.take()
        self._read = self._since = position
        self._joined = True

    def lose(self, loss: Loss, position: Position) -> None:
        """Go on from where the tail is now: what came before is lost to this stream."""
        self.join(position)
        self._lost = (loss, position)
        self._woken.set()

    def end(self) -> None:
        """Have `news` return at once, now and from now on."""
        self.ended = True
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(0)

    def _taken(self, levels: list[ChangedLevel]) -> News:
        self._woken.clear()
        lost, self._lost = self._lost, None
        if self._joined:
            levels += self._waiting.take()
            self._read = self._tail.position or self._read
        return News(lost, levels, self._read)

    async def _read_on(self) -> list[ChangedLevel]:
        """Return what comes next in the log, and join the tail once it is reached."""
        try:
            reader = self._reader or await self._opened()
            if not self._joins():
                levels = self._decoded(await reader.poll(), reader)
                self._joins()
                return levels
        except Lost as lost:
            await self.close()
            self.lose(lost.loss, await self._tail.reached())
        except Unavailable:
            await self.close()
            await asyncio.sleep(_RETRY_SECONDS)
        return []

    async def _opened(self) -> LogReader:
        await self._tail.readers.acquire()
        reader = self._reader = self._tail.reader()
        await reader.__aenter__()
        await reader.seek(self._read.offsets, self._read.time_ms)
        self._turn_ends = asyncio.get_running_loop().time() + TURN_SECONDS
        return reader

    def _joins(self) -> bool:
        if self._joined:
            return True
        if self._since is None:
            self._since = self._tail.position
        self._joined = self._since is not None and self._read.reaches(self._since)
        return self._joined

    def _decoded(self, records: Sequence[Record], reader: LogReader) -> list[ChangedLevel]:
        newest = Waiting(len(records))
        position = self._read
        for record, position in passed(records, self._read):
            if self.wanted.takes(*_codes(record)):
                self._tail.hand_over(record, position, [newest.add])
        self._read = Position(tuple(reader.offsets), position.time_ms)
        return newest.take()


def passed(records: Sequence[Record], start: Position) -> Iterator[tuple[Record, Position]]:
    """Yield records, each with the position behind it."""
    offsets = list(start.offsets)
    time_ms = start.time_ms
    for record in records:
        offsets[record.partition] = record.offset + 1
        time_ms = max(time_ms, record.timestamp)
        yield record, Position(tuple(offsets), time_ms)


def _codes(record: Record) -> tuple[str, str]:
    sku, _, warehouse = (record.key or b"").decode(errors="replace").partition("|")
    return sku, warehouse


class LevelTail:
    """Follows the end of the topic for all streams of this process; with none, nothing is read.

    `present` makes the event of a level once for all who hear of it; `limit` is how many streams
    there may be.
    """

    def __init__(
        self, bootstrap: str, prefix: str, *, clock: Clock, present: Present, limit: int
    ) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._clock = clock
        self._present = present
        self._limit = limit
        self._streams: set[LevelStream] = set()
        self._somebody = asyncio.Event()
        self._nobody = asyncio.Event()
        self._started = asyncio.Event()
        self._ended = False
        self.position: Position | None = None
        """All before it has been offered to the streams; None until reading has begun."""
        self.readers = asyncio.Semaphore(READERS)

    @property
    def is_full(self) -> bool:
        """Whether there are as many streams as there may be."""
        return len(self._streams) >= self._limit

    async def run(self) -> None:
        """Read while there are streams, until cancelled."""
        while True:
            await self._somebody.wait()
            async with asyncio.TaskGroup() as group:
                following = group.create_task(self._follow())
                # Somebody may have come before this task had its turn: then nothing is ended.
                while self._streams:
                    await self._nobody.wait()
                # At once: who comes while the connection is closed must wait for the next one.
                self._forget_position()
                following.cancel()

    def end(self) -> None:
        """End all streams, now and from now on."""
        self._ended = True
        for stream in self._streams:
            stream.end()

    @asynccontextmanager
    async def stream(self, wanted: Filter, start: Position | None) -> AsyncIterator[LevelStream]:
        """Yield a stream from a position on, or of what changes from now on.

        Raises Unavailable when nobody can say where now is, because the broker is away.
        """
        # A place among the streams comes first: with none the tail would not read.
        stream = LevelStream(self, wanted, start or Position((0,) * PARTITIONS, 0))
        self._enter(stream)
        try:
            if start is None:
                try:
                    async with asyncio.timeout(_READY_SECONDS):
                        stream.join(await self.reached())
                except TimeoutError:
                    raise Unavailable("the broker") from None
            yield stream
        finally:
            self._leave(stream)
            await stream.close()

    async def reached(self) -> Position:
        """Return where the tail is, as soon as it is anywhere."""
        while self.position is None:
            await self._started.wait()
        return self.position

    def reader(self) -> LogReader:
        """Return a reader of the topic."""
        return LogReader(self._bootstrap, self._prefix, TOPIC)

    def hand_over(
        self,
        record: Record,
        position: Position,
        takers: Sequence[Callable[[ChangedLevel], object]],
    ) -> None:
        """Make a record's event and give it to all who take it."""
        level = read(record)
        if level is not None:
            event = self._present(level, position.encode())
            changed = ChangedLevel(level.sku, level.warehouse, level.version, event)
            for take in takers:
                take(changed)

    def _enter(self, stream: LevelStream) -> None:
        self._streams.add(stream)
        self._somebody.set()
        self._nobody.clear()
        STREAMS.set(len(self._streams))
        if self._ended:
            stream.end()

    def _leave(self, stream: LevelStream) -> None:
        self._streams.discard(stream)
        if not self._streams:
            self._somebody.clear()
            self._nobody.set()
        STREAMS.set(len(self._streams))

    async def _follow(self) -> None:
        loss: Loss | None = None
        while True:
            try:
                async with self.reader() as reader:
                    if self.position is None:
                        await self._begin(reader, loss)
                    else:
                        await reader.seek(self.position.offsets, self.position.time_ms)
                    while True:
                        self._pass_on(await reader.poll(), reader)
            except Unavailable as error:
                _log.warning("reading is interrupted", reason=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            except Lost as lost:
                _log.warning("the streams lose their place", reason=str(lost))
                loss = lost.loss
                self._forget_position()

    def _forget_position(self) -> None:
        self.position = None
        self._started.clear()

    async def _begin(self, reader: LogReader, loss: Loss | None) -> None:
        await reader.seek_to_end()
        # The newest record is not older than this, as far as the clocks agree; where they do
        # not, a client may be told of a loss that was none.
        now_ms = int(self._clock.now().timestamp() * 1000) + 1
        self.position = Position(tuple(reader.offsets), now_ms)
        self._started.set()
        if loss is not None:
            for stream in self._streams:
                stream.lose(loss, self.position)

    def _pass_on(self, records: Sequence[Record], reader: LogReader) -> None:
        if self.position is None:
            raise RuntimeError("nothing is passed on before the tail has begun")
        position = self.position
        for record, position in passed(records, self.position):
            sku, warehouse = _codes(record)
            takers = [each.offer for each in self._streams if each.wanted.takes(sku, warehouse)]
            if takers:
                self.hand_over(record, position, takers)
        self.position = Position(tuple(reader.offsets), position.time_ms)
