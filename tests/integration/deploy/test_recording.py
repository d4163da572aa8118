"""`make run` on a machine where the broker was never recorded, ended before it is."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.__main__ import down
from deploy.local.child import ProcessRecord, end_recorded
from deploy.local.instance import REPOSITORY, home
from deploy.local.jars import KAFKA_VERSION, class_path

PROCESSES = Path("instances/recording/run/processes")


@pytest.fixture
def fresh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with Kafka's libraries and no recorded classes."""
    class_path()
    cache = tmp_path / "cache" / "kafka"
    cache.mkdir(parents=True)
    (cache / KAFKA_VERSION).symlink_to(home() / "cache" / "kafka" / KAFKA_VERSION)
    monkeypatch.setenv("LOWTIDE_HOME", str(tmp_path))
    monkeypatch.setattr("deploy.local.ownership.ORPHANS_GRACE_S", 0.0)
    yield tmp_path
    end_recorded(tmp_path / PROCESSES, grace_s=0)


def started_run() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.local", "run"], cwd=REPOSITORY, stdout=subprocess.DEVNULL
    )


def broker_of(fresh_home: Path) -> psutil.Process:
    """Return the broker that is being recorded, once it lives."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        for record in ProcessRecord.read_all(fresh_home / PROCESSES):
            if (process := record.process()) is not None:
                return process
        time.sleep(0.02)
    raise TimeoutError("no broker was started")


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_closed_terminal_ends_the_broker_that_is_being_recorded(fresh_home: Path) -> None:
    with started_run() as run:
        broker = broker_of(fresh_home)
        run.send_signal(signal.SIGHUP)
        assert run.wait(30) == 130
    assert has_ended(broker)
    assert not (fresh_home / "instances" / "recording").exists()


def test_down_ends_a_run_that_records(fresh_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with started_run() as run:
        broker = broker_of(fresh_home)
        down()
        assert capsys.readouterr().out == f"Ended recording (process {run.pid}).\n"
    assert has_ended(broker)


def test_down_ends_what_a_killed_recording_left_behind(
    fresh_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with started_run() as run:
        broker = broker_of(fresh_home)
        run.kill()
    assert not has_ended(broker)
    down()
    assert capsys.readouterr().out == "Ended recording: kafka.\n"
    assert has_ended(broker)
