"""How far a consumer is behind, and when nobody can say since when."""

import time

import pytest
from aiokafka import TopicPartition
from typing_extensions import override

from shared.database.positions import Position
from shared.events.topics import STOCK_CHANGES
from shared.kafka.lag import Lag, LagReader


class Reader(LagReader):
    """Knows the broker's ends without asking; those not given are 0."""

    def __init__(self) -> None:
        super().__init__("", "", STOCK_CHANGES.name)
        self.ends: dict[int, int] = {}

    @override
    async def _ends(self) -> dict[TopicPartition, int]:
        return {tp: self.ends.get(tp.partition, 0) for tp in self._tps}


def at(partition: int, next_offset: int, record_time: int | None) -> Position:
    return Position("", partition, 24, 1, next_offset, 1, 1, record_time, None, (), None)


async def test_what_waits_where_nothing_was_ever_applied_has_an_age_that_nobody_knows() -> None:
    reader = Reader()
    reader.ends = {1: 2}
    assert await reader.read([]) == Lag(2, None)
    # Beside what has waited for a known time it is that long at the least.
    reader = Reader()
    reader.ends = {0: 3, 1: 2}
    applied = at(0, 1, int(time.time() * 1000) - 60_000)
    found = await reader.read([applied])
    assert found.records == 4
    assert found.seconds == pytest.approx(60, abs=5)
    # What was drained when it was seen last has waited since then at the most.
    reader.ends = {0: 3}
    assert (await reader.read([applied])).seconds == pytest.approx(60, abs=5)
    reader.ends = {0: 3, 1: 2}
    assert (await reader.read([applied])).seconds == pytest.approx(60, abs=5)
    assert await reader.read([at(0, 3, None), at(1, 2, None)]) == Lag(0, 0.0)
