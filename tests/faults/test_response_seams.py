"""Alerting and notifier, two of each, as bad as it gets: a schedule drawn from a seed.

Levels cross limits, people are late, answer and order, while processes are killed at every seam of
their transactions, messages and sends, and lose, reset or outsleep their connections
(`response_acts.py`). In the end it is as if nothing had been (`response_account.py`).
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.testing.stack import Database, Stack
from tests.faults.conftest import FaultSettings
from tests.faults.response_account import is_whole
from tests.faults.response_acts import ACTS, LEAST_S, SHORT_RUN_S, schedule
from tests.faults.response_scene import Scene, opened
from tests.faults.wholeness import say

ACT_WITHIN_S = 300.0
"""Several minutes of a group's limit: what takes longer comes to no end."""


@pytest_asyncio.fixture
async def scene(
    stack: Stack, database: Database, topics: str, settings: FaultSettings, tmp_path: Path
) -> AsyncIterator[Scene]:
    async with opened(stack, database, topics, settings.schedule_seed, tmp_path) as opened_scene:
        yield opened_scene


@pytest.mark.stack
@pytest.mark.timeout(0)
async def test_whatever_befalls_alerting_and_notifier_no_episode_is_lost_or_told_twice_unmarked(
    scene: Scene, settings: FaultSettings
) -> None:
    say(f"SEED={settings.schedule_seed}")
    try:
        await all_befalls(scene, max(settings.fault_seconds, LEAST_S))
    except (AssertionError, TimeoutError):
        say(f"the processes say: {await scene.troubles()}")
        raise
    await is_whole(scene.traffic, scene.ways["notifier send"])


async def all_befalls(scene: Scene, seconds: float) -> None:
    traffic = scene.traffic
    began = time.monotonic()
    await traffic.begin()
    await traffic.levels()
    await traffic.arrives()
    say(f"all were up after {time.monotonic() - began:.1f} s")
    for name in schedule(traffic.chance, seconds):
        say(f"{name} ...")
        began = time.monotonic()
        async with asyncio.timeout(ACT_WITHIN_S):
            await ACTS[name](scene)
        over = time.monotonic()
        await traffic.levels()
        await traffic.arrives()
        back_s = time.monotonic() - over
        say(f"{name}: {over - began:.1f} s, and all was recorded {back_s:.1f} s later")
    over = time.monotonic()
    if seconds >= SHORT_RUN_S:  # what does not fit into a group's minute takes it
        await traffic.burst()
    await traffic.settles()
    say(f"all was told {time.monotonic() - over:.1f} s later")
    starts = {name: [way.starts for way in ways] for name, ways in scene.ways.items()}
    say(f"the processes were started so often: {starts}")
