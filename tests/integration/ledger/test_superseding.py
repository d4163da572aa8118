"""Counts that a newer one stands for, while people decide on the same."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import cast

import asyncpg

from services.ledger.domain.changes import Change, Type
from services.ledger.store.counts import supersede
from shared.database.engine import Driver
from shared.testing.stack import Database
from shared.testing.waiting import until

NOW = datetime(2026, 3, 1, tzinfo=UTC)

_COUNT = """
INSERT INTO stock_count (level_id, occurred_at, recorded_at, received_at, counted, expected,
                         "offset", within, state, channel, change_id, line)
VALUES ($1, $2, $2, $2, 5, 0, 0, false, 'waiting', 'wms', 'old', '')
RETURNING id
"""

_LOCK = "SELECT FROM stock_count WHERE id = $1 FOR UPDATE"


def newer(level: int) -> Change:
    return Change(
        level=level,
        type=Type.COUNT,
        quantity=5,
        occurred_at=NOW + timedelta(hours=1),
        received_at=NOW,
        channel="wms",
        id=f"new {level}",
        line="",
        reason=None,
        reference=None,
        actor=None,
        hash=b"",
        content=0,
        position=0,
        offset=1,
        counterparty=None,
        bucket=None,
        eta=None,
    )


async def test_counts_are_superseded_in_the_order_in_which_people_decide(
    database: Database,
) -> None:
    person, worker, onlooker = [await asyncpg.connect(database.url("ledger")) for _ in range(3)]
    try:
        lower, higher = [await person.fetchval(_COUNT, level, NOW) for level in (2, 1)]
        # Neither in the table, by level nor in the batch does the lower one come first.
        await person.execute("UPDATE stock_count SET cost = 1 WHERE id = $1", lower)

        async def worker_waits() -> bool:
            return bool(
                await onlooker.fetchval(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE pid = $1 AND wait_event_type = 'Lock'",
                    worker.get_server_pid(),
                )
            )

        async with asyncio.TaskGroup() as group, person.transaction():
            await person.execute(_LOCK, lower)
            group.create_task(supersede(cast("Driver", worker), [newer(1), newer(2)], NOW))
            await until(worker_waits)
            await person.execute(f"{_LOCK} NOWAIT", higher)
            await person.execute("UPDATE stock_count SET state = 'approved' WHERE id = $1", lower)
        rows = await onlooker.fetch("SELECT state FROM stock_count ORDER BY id")
        assert [row[0] for row in rows] == ["approved", "superseded"]
    finally:
        for each in (person, worker, onlooker):
            await each.close()
