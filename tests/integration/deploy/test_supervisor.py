import asyncio
import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from typing_extensions import override

from deploy.local.child import ProcessRecord
from deploy.local.instance import Instance
from deploy.local.server import StartError
from deploy.local.supervisor import Supervisor
from tests.integration.deploy.programs import FAILING, PARENT, SLEEPER, STUBBORN, Program

LIMIT_S = 20.0


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    instance = Instance("test", tmp_path)
    instance.create()
    return instance


@pytest.fixture
def announced() -> list[str]:
    return []


@pytest.fixture
def supervisor(announced: list[str]) -> Supervisor:
    return Supervisor(announced.append)


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def pid_of(program: Program) -> int:
    assert program.child.pid is not None
    return program.child.pid


async def test_a_process_that_is_killed_comes_back(
    instance: Instance, supervisor: Supervisor, announced: list[str]
) -> None:
    program = Program.of(instance, SLEEPER)
    async with supervisor:
        await supervisor.start([program], limit_s=LIMIT_S)
        first = pid_of(program)

        await supervisor.kill("program")
        await supervisor.recovered("program", restarts=1, limit_s=LIMIT_S)

        assert pid_of(program) != first
        assert supervisor.restarts[0].exit_code == -signal.SIGKILL
    assert any("program is back" in line for line in announced)


async def test_a_process_comes_back_as_often_as_it_dies(
    instance: Instance, supervisor: Supervisor
) -> None:
    program = Program.of(instance, SLEEPER)
    async with supervisor:
        await supervisor.start([program], limit_s=LIMIT_S)
        for deaths in (1, 2, 3):
            await supervisor.kill("program")
            await supervisor.recovered("program", restarts=deaths, limit_s=LIMIT_S)
        assert program.child.alive


async def test_a_process_kept_away_stays_away_until_the_block_ends(
    instance: Instance, supervisor: Supervisor, announced: list[str]
) -> None:
    program = Program.of(instance, SLEEPER)
    async with supervisor:
        await supervisor.start([program], limit_s=LIMIT_S)
        async with supervisor.away("program"):
            with pytest.raises(TimeoutError):
                await supervisor.recovered("program", restarts=1, limit_s=0.5)
            assert not program.child.alive
        await supervisor.recovered("program", restarts=1, limit_s=LIMIT_S)


async def test_one_that_ignores_the_request_to_end_is_killed_with_its_descendants(
    instance: Instance, supervisor: Supervisor, announced: list[str]
) -> None:
    program = Program.of(instance, PARENT, grace_s=0.3)
    async with supervisor:
        await supervisor.start([program], limit_s=LIMIT_S)
        parent = pid_of(program)
        child = int(program.ready_file.with_suffix(".ready.child").read_text(encoding="utf-8"))

    assert has_ended(parent)
    assert has_ended(child)
    assert "program did not end in time and was killed" in announced


async def test_everything_ends_in_the_reverse_order_of_its_start(
    instance: Instance, supervisor: Supervisor
) -> None:
    leaves_a_trace = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_:"
        " (open(sys.argv[1] + '.ended', 'w').write(str(time.monotonic())), sys.exit()))\n"
    ) + SLEEPER
    database = Program.of(instance, leaves_a_trace, name="database")
    role = Program.of(instance, leaves_a_trace, name="role")
    async with supervisor:
        await supervisor.start([database], limit_s=LIMIT_S)
        await supervisor.start([role], limit_s=LIMIT_S)

    def ended(program: Program) -> float:
        trace = program.ready_file.with_suffix(".ready.ended")
        return float(trace.read_text(encoding="utf-8"))

    assert ended(role) < ended(database)
    assert ProcessRecord.read_all(instance.processes_folder) == []


async def test_a_failed_start_says_why_and_leaves_nothing_running(
    instance: Instance, supervisor: Supervisor
) -> None:
    fine = Program.of(instance, SLEEPER, name="fine")
    failing = Program.of(instance, FAILING, name="failing")
    with pytest.raises(StartError) as caught:
        async with supervisor:
            await supervisor.start([fine, failing], limit_s=LIMIT_S)

    assert "failing ended with exit code 3" in str(caught.value)
    assert "the disk is full" in str(caught.value)
    assert not fine.child.alive


async def test_one_that_is_never_ready_is_given_up(
    instance: Instance, supervisor: Supervisor
) -> None:
    never = Program.of(instance, "import signal; signal.pause()")
    with pytest.raises(StartError, match="was not ready after 0 s"):
        async with supervisor:
            await supervisor.start([never], limit_s=0.3)

    assert not never.child.alive


async def test_a_cancelled_run_ends_its_processes(
    instance: Instance, supervisor: Supervisor
) -> None:
    program = Program.of(instance, SLEEPER)
    started = asyncio.Event()

    async def run() -> None:
        async with supervisor:
            await supervisor.start([program], limit_s=LIMIT_S)
            started.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run())
        await started.wait()
        running.cancel()

    assert not program.child.alive


@dataclass(frozen=True)
class Slow(Program):
    """Is being prepared until it may go on, as a database that is initialised."""

    preparing: threading.Event = field(default_factory=threading.Event)
    may_go_on: threading.Event = field(default_factory=threading.Event)

    @override
    def prepare(self) -> None:
        self.preparing.set()
        assert self.may_go_on.wait(LIMIT_S)


async def test_one_that_is_still_being_prepared_when_all_ends_is_waited_for_and_not_started(
    instance: Instance, supervisor: Supervisor
) -> None:
    program = Program.of(instance, SLEEPER)
    slow = Slow(program.child, program.ready_file)

    async def run() -> None:
        async with supervisor:
            await supervisor.start([slow], limit_s=LIMIT_S)

    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(run())
            assert await asyncio.to_thread(slow.preparing.wait, LIMIT_S)
            running.cancel()
            ended, _ = await asyncio.wait([running], timeout=0.2)
            slow.may_go_on.set()
        assert not ended, "the instance would be free while somebody writes its files"
        assert not slow.child.alive
        assert ProcessRecord.read_all(instance.processes_folder) == []
    finally:
        slow.may_go_on.set()
        slow.child.kill()


async def test_a_paused_process_is_not_taken_for_dead(
    instance: Instance, supervisor: Supervisor
) -> None:
    program = Program.of(instance, STUBBORN, grace_s=0.3)
    async with supervisor:
        await supervisor.start([program], limit_s=LIMIT_S)
        program.child.signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await supervisor.recovered("program", restarts=1, limit_s=0.5)
        program.child.signal(signal.SIGCONT)
        assert program.child.alive
