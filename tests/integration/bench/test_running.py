"""However a benchmark is told to end, what it has started ends with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from deploy.local.child import end_recorded
from deploy.local.instance import REPOSITORY, Instance
from tests.integration.deploy.test_ownership import child_of, wait_until_ended

# A server in a session of its own, as all of a stack are, and a helper that a thread waits for.
BENCH = """
import asyncio, subprocess, sys
from pathlib import Path
from deploy.local.instance import Instance
from deploy.local.ownership import owned
from tests.bench.running import run
from tests.integration.deploy.programs import SLEEPER, Program

HELPER = "import time; print('helping', flush=True); time.sleep(600)"

async def bench():
    instance = Instance("test", Path(sys.argv[1]))
    with owned(instance):
        program = Program.of(instance, SLEEPER)
        program.child.start()
        try:
            while not program.is_ready():
                await asyncio.sleep(0)
            HELP
        finally:
            program.child.stop()
    return "{}"

run(bench())
"""
ASIDE = 'await asyncio.to_thread(subprocess.run, [sys.executable, "-c", HELPER])'
AT_ONCE = 'subprocess.run([sys.executable, "-c", HELPER])'
"""The loop hears of nothing until the helper has ended."""


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance("test", tmp_path)


@pytest.fixture(params=[ASIDE], ids=["aside"])
def bench(instance: Instance, request: pytest.FixtureRequest) -> Iterator["subprocess.Popen[str]"]:
    program = BENCH.replace("HELP\n", f"{request.param}\n")
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program, str(instance.folder)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "helping\n"
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    end_recorded(instance.processes_folder, grace_s=1)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_it_has_started_ends_with_it(
    instance: Instance, bench: "subprocess.Popen[str]", how: signal.Signals
) -> None:
    server = child_of(instance)
    (helper,) = (each for each in psutil.Process(bench.pid).children() if each.pid != server.pid)
    if how is signal.SIGINT:
        os.killpg(bench.pid, how)  # as a terminal does
    else:
        bench.send_signal(how)
    assert bench.wait(timeout=60) == 130
    wait_until_ended(server)
    wait_until_ended(helper)


@pytest.mark.parametrize("bench", [AT_ONCE], indirect=True, ids=["at once"])
def test_a_helper_that_the_same_signal_ends_first_changes_nothing(
    instance: Instance, bench: "subprocess.Popen[str]"
) -> None:
    server = child_of(instance)
    os.killpg(bench.pid, signal.SIGINT)
    assert bench.wait(timeout=60) == 130
    wait_until_ended(server)
