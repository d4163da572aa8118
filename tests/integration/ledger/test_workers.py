"""How many workers are at work: one while little comes, all for a backlog, nothing lost between."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from services.ledger.pipeline import StockChanges
from shared.kafka import consumer as consumer_module
from shared.kafka.handler import Batch
from shared.kafka.messages import Outgoing
from shared.testing.waiting import until
from tests.integration.ledger.service import PARTITIONS, START, Ledger, change

SKUS = [f"SKU-{number}" for number in range(60)]
"""Enough for every worker to have some."""


class Slow(StockChanges):
    """Takes its time over each batch while told to, and remembers which worker had any."""

    def __init__(self, ledger: Ledger, name: str, diary: "Diary") -> None:
        super().__init__(ledger.clock, PARTITIONS)
        self._name = name
        self._diary = diary

    @override
    async def handle(self, connection: AsyncConnection, batch: Batch) -> Sequence[Outgoing]:
        self._diary.at_work.add(self._name)
        await asyncio.sleep(self._diary.pause_s)
        return await super().handle(connection, batch)


class Diary:
    """What the workers of a test share."""

    def __init__(self) -> None:
        self.pause_s = 0.0
        self.at_work: set[str] = set()
        self.made = 0

    def handler(self, ledger: Ledger) -> Slow:
        self.made += 1
        return Slow(ledger, f"worker {self.made}", self)


async def test_partitions_pass_between_workers_as_a_backlog_comes_and_goes(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(consumer_module, "QUIET_SECONDS", 0.3)
    monkeypatch.setattr(consumer_module, "BACKLOG_RECORDS", 150)
    diary = Diary()
    sold = 0

    async def sell(times: int) -> None:
        nonlocal sold
        for number in range(times):
            await ledger.publish(
                *(
                    change(
                        id=f"{sku}-{sold + number}",
                        sku=sku,
                        occurred_at=START + timedelta(seconds=sold + number),
                    )
                    for sku in SKUS
                )
            )
        sold += times

    async with ledger.consuming(
        handler=lambda: diary.handler(ledger), workers=2, max_records=20
    ) as consumer:

        async def one_is_enough() -> bool:
            return consumer._at_work == 1 and min(consumer._settled) == consumer._arrangement.number

        await until(one_is_enough)
        diary.at_work.clear()
        await sell(2)
        await ledger.until_recorded(sold * len(SKUS))
        assert len(diary.at_work) == 1

        async def all_help() -> bool:
            return len(diary.at_work) == 2

        diary.pause_s = 0.1
        await sell(8)
        await until(all_help)
        diary.pause_s = 0.0
        await ledger.until_recorded(sold * len(SKUS))

        await until(one_is_enough)
        diary.at_work.clear()
        await sell(1)
        await ledger.until_recorded(sold * len(SKUS))
        assert len(diary.at_work) == 1
    rows = await ledger.rows("SELECT on_hand, count(*) FROM level GROUP BY on_hand")
    assert [tuple(row) for row in rows] == [(-sold, len(SKUS))]
    epochs = await ledger.rows("SELECT DISTINCT epoch FROM consumer_position")
    assert [row[0] for row in epochs] == [1]  # passed on, never claimed anew
