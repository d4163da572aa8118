"""A generated year of a shop, posted through the public interface while everything is killed.

The same code as `make replay`, on a stack of its own.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.instance import Instance
from deploy.local.ownership import bring_down
from deploy.local.processes import ROLES
from deploy.local.replays.progress import Screen
from deploy.local.replays.run import Options, replay
from tests.factories.online_retail import online_retail_lines, write_online_retail

LINES, FEW_LINES = 20_000, 5_000
SPEED = 240_000
"""Multiples of real time: 120 days in 43 s, so that the kills do not all fall into one moment."""

SEED = 20_101_201

pytestmark = pytest.mark.stack


def written(folder: Path, lines: int) -> Path:
    path = folder / "generated.parquet"
    write_online_retail(path, online_retail_lines(lines, SEED))
    return path


@pytest.fixture
def instance() -> Iterator[str]:
    own = Instance.named(f"test-{os.getpid()}-replay")
    yield own.name
    bring_down(own)
    own.delete()


@pytest.mark.timeout(420)
async def test_nothing_is_lost_or_told_twice_when_every_process_is_killed_twice(
    tmp_path: Path, instance: str
) -> None:
    file = written(tmp_path, LINES)
    outcome = await replay(Options(file, speed=SPEED, kill=SEED, instance=instance), Screen())
    assert outcome.failures == ()
    report = outcome.report
    assert report.kills is not None
    assert set(report.kills.kills) == {"kafka", "postgres", *(role.name for role in ROLES)}
    assert all(len(times) == 2 for times in report.kills.kills.values())
    assert report.events > LINES
    assert (report.quarantined, report.rejected) == (0, 0)
    assert report.ignored > 0
    assert report.duplicates >= report.duplicates_expected > 0
    assert report.levels_checked > 100
    assert report.episodes > report.subjects_expected / 2
    assert set(report.alerts) == {"watch", "urgent", "out"}
    assert min(report.alerts.values()) > 0
    assert report.resolved > 0
    assert report.reopened > 0
    assert report.notices_sent + report.notices_merged == report.episodes


@pytest.mark.timeout(300)
async def test_a_second_run_finds_only_repeats_and_changes_nothing(
    tmp_path: Path, instance: str
) -> None:
    options = Options(written(tmp_path, FEW_LINES), instance=instance)
    first = await replay(options, Screen())
    assert first.failures == ()
    assert first.report.episodes > 0
    second = await replay(options, Screen())
    assert second.failures == ()
    assert first.report.duplicates == first.report.duplicates_expected > 0
    assert second.report.duplicates == second.report.accepted == first.report.accepted
    same = (
        "events",
        "accepted",
        "ignored",
        "quarantined",
        "rejected",
        "alerts",
        "episodes",
        "resolved",
        "reopened",
        "subjects_alerted",
        "notices_sent",
        "notices_merged",
        "levels_checked",
    )
    assert {name: getattr(second.report, name) for name in same} == {
        name: getattr(first.report, name) for name in same
    }
