import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from deploy.local.child import Child, Command, ProcessRecord, end_recorded
from deploy.local.instance import REPOSITORY, Instance
from deploy.local.ownership import AlreadyRunningError, bring_down, living_owner, owned

# An owner in a process of its own: it starts one child and waits.
OWNER = """
import signal, sys
from pathlib import Path
from deploy.local.instance import Instance
from deploy.local.ownership import owned
from tests.integration.deploy.programs import SLEEPER, Program

instance = Instance("test", Path(sys.argv[1]))
with owned(instance):
    program = Program.of(instance, SLEEPER)
    program.child.start()
    signal.signal(signal.SIGTERM, lambda *_: (program.child.stop(), sys.exit()))
    while not program.is_ready():
        pass
    print("ready", flush=True)
    signal.pause()
"""


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance("test", tmp_path)


@pytest.fixture
def owner(instance: Instance) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", OWNER, str(instance.folder)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()
    end_recorded(instance.processes_folder, grace_s=1)


def child_of(instance: Instance) -> psutil.Process:
    (record,) = ProcessRecord.read_all(instance.processes_folder)
    process = record.process()
    assert process is not None
    return process


def wait_until_ended(process: psutil.Process) -> None:
    """Return once it runs no more; a zombie does not, and nobody here may be its parent."""
    limit = time.monotonic() + 60
    with suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < limit
            time.sleep(0.02)


def test_a_second_run_says_that_one_is_running(
    instance: Instance, owner: "subprocess.Popen[str]"
) -> None:
    refused = pytest.raises(AlreadyRunningError, match=f"already running in process {owner.pid}")
    with refused, owned(instance):
        pass


def test_down_ends_the_owner_in_good_order(
    instance: Instance, owner: "subprocess.Popen[str]"
) -> None:
    child = child_of(instance)

    assert bring_down(instance) == [f"test (process {owner.pid})"]

    assert owner.wait(10) == 0
    wait_until_ended(child)


def test_down_ends_what_a_killed_owner_left_behind(
    instance: Instance, owner: "subprocess.Popen[str]"
) -> None:
    child = child_of(instance)
    owner.kill()
    owner.wait(10)
    assert living_owner(instance) is None

    assert bring_down(instance) == ["test: program"]

    wait_until_ended(child)
    assert bring_down(instance) == []


def test_the_next_run_ends_what_a_killed_owner_left_behind(
    instance: Instance, owner: "subprocess.Popen[str]"
) -> None:
    child = child_of(instance)
    owner.kill()
    owner.wait(10)

    with owned(instance):
        wait_until_ended(child)


def test_a_process_that_took_over_the_number_is_never_signalled(instance: Instance) -> None:
    instance.create()
    command = Command(
        name="innocent",
        argv=(sys.executable, "-c", "import signal; signal.pause()"),
        folder=instance.folder,
        log=instance.logs_folder / "innocent.log",
        environment={},
    )
    child = Child(command, instance.processes_folder)
    child.start()
    try:
        path = instance.processes_folder / "innocent.json"
        record = json.loads(path.read_text(encoding="utf-8"))
        record["started_after_boot_s"] -= 60
        path.write_text(json.dumps(record), encoding="utf-8")

        assert end_recorded(instance.processes_folder, grace_s=1) == []
        assert child.alive
    finally:
        child.kill()


def test_a_record_torn_by_a_kill_is_no_obstacle(instance: Instance) -> None:
    instance.create()
    (instance.processes_folder / "torn.json").write_text('{"name": "to', encoding="utf-8")

    assert bring_down(instance) == []
