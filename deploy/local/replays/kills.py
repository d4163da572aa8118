"""Kill every process with −9 while the replay runs; nobody in Lowtide is told.

The schedule is a pure function of its seed. A kill happens when the posted share of the run
reaches its point; posting waits there for it, so that even a short run meets all of them.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from deploy.local.replays.poster import Tally

FIRST, LAST = 0.05, 0.95
"""The part of the run in which kills fall."""

KILLS_EACH = 2
LOOK_S = 0.02
RECOVERY_LIMIT_S = 120.0


@dataclass(frozen=True)
class Planned:
    """A kill to come: `progress` is the posted share of the run, 0 to 1."""

    progress: float
    process: str


@dataclass(frozen=True)
class Killed:
    """A kill that happened, `at_s` after the first post; `recovery_s` until it was ready again."""

    process: str
    progress: float
    at_s: float
    recovery_s: float


class NeverBackError(RuntimeError):
    """A killed process did not come back; the message ends with the last lines of its log."""


class Victims(Protocol):
    """What can be killed and comes back: the supervisor of a local stack."""

    def pid(self, process: str) -> int | None:
        """Return the process id while the process lives."""

    def restarts(self, process: str) -> int:
        """Return how often it has come back."""

    def log_tail(self, process: str) -> str:
        """Return the last lines of its log."""

    async def kill(self, process: str) -> None:
        """End it with SIGKILL."""

    async def recovered(self, process: str, *, restarts: int, limit_s: float) -> None:
        """Wait until it has come back that often; raises TimeoutError."""


def schedule(seed: int, processes: Sequence[str], each: int = KILLS_EACH) -> list[Planned]:
    """Return `each` kills of every process, one in each equal part of the run, by progress."""
    draw = random.Random(seed)  # noqa: S311 - reproducible, not secret
    part = (LAST - FIRST) / each
    planned = [
        Planned(draw.uniform(FIRST + number * part, FIRST + (number + 1) * part), process)
        for process in sorted(processes)
        for number in range(each)
    ]
    return sorted(planned, key=lambda kill: (kill.progress, kill.process))


class KillDriver:
    """Carries out a schedule beside the poster, and is the poster's gate.

    `announce` receives a line per kill and recovery.
    """

    def __init__(
        self,
        planned: Sequence[Planned],
        victims: Victims,
        tally: Tally,
        announce: Callable[[str], None],
    ) -> None:
        self.kills: list[Killed] = []
        self._planned = list(planned)
        self._victims = victims
        self._tally = tally
        self._announce = announce
        self._began = time.monotonic()
        self._moved = asyncio.Condition()
        self._recovering: dict[str, asyncio.Task[None]] = {}

    async def passed(self) -> None:
        """Return when no kill is due."""
        async with self._moved:
            self._moved.notify_all()
            await self._moved.wait_for(lambda: not self._is_due())

    async def run(self) -> None:
        """Kill by the schedule and return when all are back; raises NeverBackError."""
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as recoveries:
            while self._planned:
                async with self._moved:
                    await self._moved.wait_for(self._is_due)
                await self._kill(self._planned[0], recoveries)
                async with self._moved:
                    self._planned.pop(0)
                    self._moved.notify_all()

    def _is_due(self) -> bool:
        return bool(self._planned) and self._tally.progress >= self._planned[0].progress

    async def _kill(self, planned: Planned, recoveries: asyncio.TaskGroup) -> None:
        process = planned.process
        earlier = self._recovering.get(process)
        if earlier is not None:
            await earlier
        async with asyncio.timeout(RECOVERY_LIMIT_S):
            # It may have ended by itself, for instance without a broker; nothing tells of a start.
            while (pid := self._victims.pid(process)) is None:  # noqa: ASYNC110 - as said above
                await asyncio.sleep(LOOK_S)
        restarts = self._victims.restarts(process)
        killed_at, progress = time.monotonic(), self._tally.progress
        self._announce(
            f"kill -9 {process} (process {pid}) at {progress:.1%}, {killed_at - self._began:.1f} s"
        )
        await self._victims.kill(process)

        async def recovery() -> None:
            try:
                await self._victims.recovered(
                    process, restarts=restarts + 1, limit_s=RECOVERY_LIMIT_S
                )
            except TimeoutError:
                raise NeverBackError(
                    f"{process} is not ready {RECOVERY_LIMIT_S:.0f} s after its kill; its log ends:"
                    f"\n{self._victims.log_tail(process)}"
                ) from None
            recovery_s = time.monotonic() - killed_at
            self._announce(f"{process} is back {recovery_s:.1f} s after its kill")
            self.kills.append(Killed(process, progress, killed_at - self._began, recovery_s))

        self._recovering[process] = recoveries.create_task(recovery())
