"""Every process is killed with −9 in turn, at 500 events a second."""

import random
import time
from functools import partial

import pytest

from deploy.local.processes import ROLES
from deploy.local.stack import BROKER, DATABASE
from tests.faults.conftest import FaultSettings
from tests.faults.load import Load
from tests.faults.shop import RECOVERY_LIMIT_S, Shop
from tests.faults.wholeness import BACK_WITHIN_S, is_whole, say, settles

ROUND_SECONDS = 20
"""Every so many seconds of the settings' outage, all are killed once more."""

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


async def test_nothing_is_lost_when_every_process_is_killed_in_turn(
    shop: Shop, settings: FaultSettings
) -> None:
    rounds = max(1, round(settings.fault_seconds / ROUND_SECONDS))
    draw = random.Random(settings.goods_seed)  # noqa: S311 - reproducible, not secret
    say(f"seed {settings.goods_seed}, {rounds} rounds")
    async with shop.load("kills") as load:
        for _ in range(rounds):
            names = [BROKER, DATABASE, *(role.name for role in ROLES)]
            draw.shuffle(names)
            say(f"killing {', '.join(names)}")
            await _kill_all(shop, load, names, draw)
        settled_s = await settles(shop, load, since=time.monotonic())
        await is_whole(shop, load)
    assert settled_s <= BACK_WITHIN_S


async def _kill_all(shop: Shop, load: Load, names: list[str], draw: random.Random) -> None:
    """Kill each after some more requests were accepted; return when all are back."""
    before = shop.restarts()
    for name in names:
        # A process may have ended by itself, for want of a server: then it is on its way back.
        await load.sees(partial(is_alive, shop, name), seconds=RECOVERY_LIMIT_S)
        await shop.stack.supervisor.kill(name)
        await load.accepted(draw.randint(1, 10), since=time.monotonic(), seconds=RECOVERY_LIMIT_S)
    for name in names:
        await shop.back(name, before[name] + 1)


def is_alive(shop: Shop, name: str) -> bool:
    return shop.stack.supervisor.child(name).alive
