"""A topic's log, read from any place on by a reader that always knows where it is."""

import asyncio
from collections.abc import Awaitable, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Self, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from shared.errors import LowtideError, Unavailable
from shared.events.topics import TOPICS
from shared.kafka import client
from shared.kafka.messages import Record
from shared.kafka.metadata import known_partitions

MAX_RECORDS = 500
"""Records that one poll returns at the most, unless told otherwise: whoever shares the loop gets a
turn after them."""

_POLL_MS = 200
_ASK_SECONDS = 5
_STOP_SECONDS = 5
_WATCH_POLLS = 50
"""Empty polls, ten seconds of them, after which the broker is asked whether there is nothing."""

T = TypeVar("T")


class Loss(StrEnum):
    """Why a place is not in a log any more."""

    BEYOND_END = "beyond_end"
    DELETED = "deleted"
    MADE_ANEW = "made_anew"


class Lost(LowtideError):  # noqa: N818 - a state of the log, not a mistake
    """What came after a place cannot be read: the log is not the one it was, or lost a part."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(f"the place is not in the log: {loss.value}")
        self.loss = loss


class LogReader:
    """Reads one topic, all its partitions or a single one, without group or state of its own.

    Use as an asynchronous context manager, then seek in one of the ways before the first `poll`.
    `offsets` has the next offset of each partition. Everything raises Unavailable while the
    broker is away or silent: leave, enter a new one and seek to where the old one was.
    """

    def __init__(
        self, bootstrap: str, prefix: str, topic: str, *, partition: int | None = None
    ) -> None:
        numbers = range(TOPICS[topic].partitions) if partition is None else (partition,)
        self._tps = [TopicPartition(prefix + topic, number) for number in numbers]
        self._places = {tp: place for place, tp in enumerate(self._tps)}
        self._bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None
        self._empty_polls = 0
        self._was_behind = False
        self.offsets: list[int] = []

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="none",
            metadata_max_age_ms=30_000,
        )
        try:
            await _asked(client.start(self._consumer))
            await _asked(known_partitions(self._consumer, self._tps[0].topic))
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connection back; what is left of one that is gone is given up."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await client.stop(consumer, seconds=_STOP_SECONDS)

    async def seek_to_end(self) -> None:
        """Read what comes from now on."""
        self._go_to([(await self._ends())[tp] for tp in self._tps])

    async def seek_to_beginning(self) -> None:
        """Read all that there is."""
        begins = await _asked(self._opened().beginning_offsets(self._tps))
        self._go_to([begins[tp] for tp in self._tps])

    async def ends(self) -> list[int]:
        """Return where each partition ends now: the next offset behind its last record."""
        ends = await self._ends()
        return [ends[tp] for tp in self._tps]

    async def seek(self, offsets: Sequence[int], time_ms: int) -> None:
        """Go on at a place known from before: the next offsets, and the newest time seen there.

        `time_ms` is the broker's. Raises Lost when the place is not in the log. Compaction is no
        loss: what it removes has a newer record of the same key further on.
        """
        consumer = self._opened()
        ends = await self._ends()
        begins = await _asked(consumer.beginning_offsets(self._tps))
        newer = await _asked(consumer.offsets_for_times(dict.fromkeys(self._tps, time_ms + 1)))
        for tp, offset in zip(self._tps, offsets, strict=True):
            if offset > ends[tp]:
                raise Lost(Loss.BEYOND_END)
            if offset < begins[tp]:
                raise Lost(Loss.DELETED)
            # The broker stamps what it appends: all before the place is as old as the place.
            first = newer[tp]
            if first is not None and first.offset < offset:
                raise Lost(Loss.MADE_ANEW)
        self._go_to(offsets)

    async def poll(self, most: int | None = None) -> list[Record]:
        """Return what comes next, in order within each partition; empty after 200 ms of nothing.

        Raises Lost when the log starts again under the reader.
        """
        consumer = self._opened()
        try:
            fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=most or MAX_RECORDS)
        except OffsetOutOfRangeError as error:
            raise Lost(Loss.MADE_ANEW) from error
        except (KafkaError, OSError) as error:
            raise Unavailable("the broker") from error
        records: list[Record] = []
        for tp, some in fetched.items():
            place = self._places[tp]
            if some[0].offset < self.offsets[place]:
                raise Lost(Loss.MADE_ANEW)
            self.offsets[place] = some[-1].offset + 1
            records += some
        if records:
            self._empty_polls = 0
            self._was_behind = False
        else:
            await self._look_around()
        # With records at hand the client never waits: the loop's others would not get a turn.
        await asyncio.sleep(0)
        return records

    async def _look_around(self) -> None:
        consumer = self._opened()
        for place, tp in enumerate(self._tps):
            # Compaction may have removed the very last records before the end.
            reached = await _asked(consumer.position(tp))
            self.offsets[place] = max(self.offsets[place], reached)
        self._empty_polls += 1
        if self._empty_polls < _WATCH_POLLS:
            return
        self._empty_polls = 0
        ends = await self._ends()
        is_behind = any(at < ends[tp] for at, tp in zip(self.offsets, self._tps, strict=True))
        if is_behind and self._was_behind:
            # Seen after restarts of the broker: the client waits for ever.
            raise Unavailable("the broker")
        self._was_behind = is_behind

    async def _ends(self) -> dict[TopicPartition, int]:
        return await _asked(self._opened().end_offsets(self._tps))

    def _go_to(self, offsets: Sequence[int]) -> None:
        consumer = self._opened()
        consumer.assign(self._tps)
        for tp, offset in zip(self._tps, offsets, strict=True):
            consumer.seek(tp, offset)
        self.offsets = list(offsets)

    def _opened(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise RuntimeError("the log is not open")
        return self._consumer


async def _asked(answer: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            return await answer
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable("the broker") from error
