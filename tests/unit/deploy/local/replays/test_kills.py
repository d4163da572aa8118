import asyncio
from collections import Counter, defaultdict

import pytest

from deploy.local.replays.kills import FIRST, LAST, KillDriver, NeverBackError, Planned, schedule
from deploy.local.replays.poster import Tally

PROCESSES = ["kafka", "postgres", "ingest-serve", "ledger-consume"]


class Machine:
    """Processes that die when killed and come back when told to, or at once."""

    def __init__(self, *, stay_down: bool = False) -> None:
        self.alive = dict.fromkeys(PROCESSES, 1)
        self.killed: list[str] = []
        self._kills: asyncio.Queue[str] = asyncio.Queue()
        self._restarts: Counter[str] = Counter()
        self._back: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._stay_down = stay_down

    def pid(self, process: str) -> int | None:
        return self.alive[process] or None

    def restarts(self, process: str) -> int:
        return self._restarts[process]

    def log_tail(self, process: str) -> str:
        return f"the last words of {process}"

    async def kill(self, process: str) -> None:
        assert self.alive[process]
        self.alive[process] = 0
        self.killed.append(process)
        self._kills.put_nowait(process)
        if not self._stay_down:
            self.bring_back(process)

    async def next_kill(self) -> str:
        return await self._kills.get()

    def bring_back(self, process: str) -> None:
        self.alive[process] = 1
        self._restarts[process] += 1
        self._back[process].set()

    async def recovered(self, process: str, *, restarts: int, limit_s: float) -> None:
        async with asyncio.timeout(limit_s):
            while self._restarts[process] < restarts:
                await self._back[process].wait()
                self._back[process].clear()


def test_every_process_is_killed_twice_within_the_middle_of_the_run() -> None:
    planned = schedule(7, PROCESSES)
    assert Counter(kill.process for kill in planned) == dict.fromkeys(PROCESSES, 2)
    assert all(FIRST <= kill.progress <= LAST for kill in planned)
    assert planned == sorted(planned, key=lambda kill: kill.progress)


def test_a_seed_gives_one_schedule_whatever_the_order_of_the_processes() -> None:
    assert schedule(7, PROCESSES) == schedule(7, PROCESSES[::-1])
    assert schedule(7, PROCESSES) != schedule(8, PROCESSES)


async def test_a_run_meets_every_kill_even_when_posting_is_quicker() -> None:
    machine, tally, lines = Machine(), Tally(total=100), list[str]()
    planned = schedule(7, PROCESSES)
    driver = KillDriver(planned, machine, tally, lines.append)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(driver.run())
        for _ in range(100):
            tally.posted += 1
            await driver.passed()
    assert machine.killed == [kill.process for kill in planned]
    assert Counter(kill.process for kill in driver.kills) == dict.fromkeys(PROCESSES, 2)
    assert all(
        abs(kill.progress - plan.progress) < 0.02
        for kill, plan in zip(
            sorted(driver.kills, key=lambda kill: kill.progress), planned, strict=True
        )
    )
    assert sum("kill -9" in each for each in lines) == sum("is back" in each for each in lines) == 8


async def test_a_process_is_killed_again_only_when_it_is_back() -> None:
    machine, tally = Machine(stay_down=True), Tally(total=100, posted=50)
    planned = [Planned(0.1, "kafka"), Planned(0.2, "kafka"), Planned(0.3, "postgres")]
    driver = KillDriver(planned, machine, tally, lambda _: None)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(driver.run())
        posting = tasks.create_task(driver.passed())
        assert await machine.next_kill() == "kafka"
        assert not posting.done()
        machine.bring_back("kafka")
        assert await machine.next_kill() == "kafka"
        assert await machine.next_kill() == "postgres"
        machine.bring_back("kafka")
        machine.bring_back("postgres")
        await posting
        await running
    assert [kill.process for kill in driver.kills[:1]] == ["kafka"]
    assert len(driver.kills) == 3


async def test_a_process_that_never_comes_back_fails_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deploy.local.replays.kills.RECOVERY_LIMIT_S", 0.05)
    machine, tally = Machine(stay_down=True), Tally(total=100, posted=50)
    driver = KillDriver([Planned(0.1, "kafka")], machine, tally, lambda _: None)
    with pytest.raises(ExceptionGroup) as raised:
        await driver.run()
    assert raised.group_contains(NeverBackError, match="the last words of kafka")
