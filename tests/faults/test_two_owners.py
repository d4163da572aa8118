"""A second ledger consumer beside the first, one of them paused past its session."""

import signal
import time
from dataclasses import replace

import asyncpg
import pytest

from deploy.local.ports import pick_free
from deploy.local.processes import ROLES
from deploy.local.role import Role
from shared.testing.waiting import until
from tests.faults.shop import Shop
from tests.faults.wholeness import BACK_WITHIN_S, is_whole, say, settles

FIRST, SECOND = "ledger-consume", "ledger-consume-beside"
START_LIMIT_S = 60.0
HANDED_OVER_WITHIN_S = 60.0
"""A session is 10 s; then the partitions are handed over and claimed."""

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


async def test_a_paused_owner_that_wakes_up_counts_and_publishes_nothing_twice(
    shop: Shop,
) -> None:
    async with shop.load("owners") as load:
        await start_beside(shop)
        await owned_by(shop, FIRST, SECOND)
        restarts = shop.restarts()
        child = shop.stack.supervisor.child(FIRST)
        paused_at = time.monotonic()
        child.signal(signal.SIGSTOP)
        try:
            await owned_by(shop, SECOND)
            say(f"the other had all {time.monotonic() - paused_at:.1f} s after the pause")
            # It works while the first still believes that it owns its half.
            await load.accepted(20, since=time.monotonic())
        finally:
            child.signal(signal.SIGCONT)
        woken_at = time.monotonic()
        await load.accepted(20, since=woken_at)
        settled_s = await settles(shop, load, since=woken_at)
        say(f"came back: {dict(shop.restarts() - restarts)}")
        await is_whole(shop, load)
    assert settled_s <= BACK_WITHIN_S


async def start_beside(shop: Shop) -> None:
    first = next(role for role in ROLES if role.name == FIRST)
    second = replace(first, name=SECOND)
    surroundings = shop.stack.surroundings
    (port,) = pick_free(1)
    beside = replace(surroundings, ports={**surroundings.ports, SECOND: port})
    environment = beside.environment(second, {"LOWTIDE_INSTANCE": "1"})
    role = Role(second, beside, environment)
    await shop.stack.supervisor.start([role], limit_s=START_LIMIT_S)


async def owners(shop: Shop) -> set[int]:
    """Return the process ids that own partitions of `stock.changes`."""
    connection = await asyncpg.connect(shop.stack.administrator_url)
    try:
        rows = await connection.fetch("SELECT DISTINCT owner FROM ledger.consumer_position")
    finally:
        await connection.close()
    return {int(row["owner"].rpartition(":")[2]) for row in rows}


async def owned_by(shop: Shop, *names: str) -> None:
    """Wait until every partition is owned by one of these processes, and each owns some."""

    async def is_so() -> bool:
        return await owners(shop) == {shop.stack.supervisor.child(name).pid for name in names}

    await until(is_so, seconds=HANDED_OVER_WITHIN_S)
