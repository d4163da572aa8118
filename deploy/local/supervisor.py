"""Starts servers, restarts what dies, ends everything: the same for all kinds of processes."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from deploy.local.child import Child, bound_log, stop_together
from deploy.local.server import POLL_S, Server, require_ready

WATCH_S = 0.1

# The first restart comes at once; one that keeps dying is tried every ten seconds for ever,
# because its cause (a full disk, a port) may pass and a person reads of each attempt.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0
DEATHS_REMEMBERED_S = 60.0


@dataclass(frozen=True)
class Restart:
    """One death and recovery: `down_s` counts from the death's discovery to being ready."""

    name: str
    exit_code: int | None
    down_s: float


class Supervisor:
    """Holds the processes of one stack for the length of an `async with`.

    `announce` receives one line per event. Servers end in the reverse order of their start,
    those of one `start` together.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        self.restarts: list[Restart] = []
        self._announce = announce
        self._groups: list[Sequence[Server]] = []
        self._servers: dict[str, Server] = {}
        self._may_run: dict[str, asyncio.Event] = {}
        self._recovery = asyncio.Condition()
        self._exit = AsyncExitStack()
        self._tasks: asyncio.TaskGroup
        self._watchers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = await self._exit.enter_async_context(asyncio.TaskGroup())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        try:
            await self._stop_all()
        finally:
            # What ended the block is its own business: here it would cancel the clean-up.
            await self._exit.__aexit__(None, None, None)

    async def start(self, servers: Sequence[Server], *, limit_s: float) -> None:
        """Prepare and start servers together, and return when all are ready.

        From then on each is restarted when it dies. Raises StartError when one ends before it
        was ready or is not ready after `limit_s`.
        """
        began = time.monotonic()
        self._groups.append(servers)
        for server in servers:
            self._servers[server.name] = server
            self._may_run[server.name] = asyncio.Event()
            self._may_run[server.name].set()
        async with asyncio.TaskGroup() as preparing:
            for server in servers:
                preparing.create_task(_prepared(server))
        waiting = list(servers)
        while waiting:
            for server in list(waiting):
                waited_s = time.monotonic() - began
                if await asyncio.to_thread(
                    require_ready, server, waited_s=waited_s, limit_s=limit_s
                ):
                    waiting.remove(server)
                    self._announce(f"{server.name} is ready after {waited_s:.1f} s")
                    self._watchers.append(self._tasks.create_task(self._watch(server)))
            await asyncio.sleep(POLL_S)

    def child(self, name: str) -> Child:
        """Return the process of a server by its name; raises KeyError."""
        return self._servers[name].child

    async def kill(self, name: str) -> None:
        """End a process and its descendants with SIGKILL; it is restarted."""
        await asyncio.to_thread(self.child(name).kill)

    @asynccontextmanager
    async def away(self, name: str) -> AsyncIterator[None]:
        """Kill a process and keep it down for the length of the block; it is back after it."""
        self._may_run[name].clear()
        try:
            await self.kill(name)
            yield
        finally:
            self._may_run[name].set()

    async def recovered(self, name: str, *, restarts: int, limit_s: float) -> None:
        """Wait until a server has come back `restarts` times in all; raises TimeoutError."""
        async with asyncio.timeout(limit_s), self._recovery:
            await self._recovery.wait_for(
                lambda: sum(restart.name == name for restart in self.restarts) >= restarts
            )

    async def _watch(self, server: Server) -> None:
        child = server.child
        deaths: deque[float] = deque(maxlen=10)
        while True:
            await asyncio.sleep(WATCH_S)
            if child.alive:
                bound_log(child.command.log)
                continue
            died, exit_code = time.monotonic(), child.exit_code
            self._announce(f"{server.name} ended with exit code {exit_code}; restarting it")
            while not await asyncio.to_thread(server.is_ready):
                if not child.alive:
                    await self._start_again(server, deaths)
                await asyncio.sleep(POLL_S)
            down_s = time.monotonic() - died
            async with self._recovery:
                self.restarts.append(Restart(server.name, exit_code, down_s))
                self._recovery.notify_all()
            self._announce(f"{server.name} is back after {down_s:.1f} s")

    async def _start_again(self, server: Server, deaths: deque[float]) -> None:
        now = time.monotonic()
        while deaths and now - deaths[0] > DEATHS_REMEMBERED_S:
            deaths.popleft()
        await asyncio.sleep(min(FIRST_PAUSE_S * 2 ** len(deaths), LONGEST_PAUSE_S))
        deaths.append(now)
        await self._may_run[server.name].wait()
        await asyncio.to_thread(server.child.start)

    async def _stop_all(self) -> None:
        for group in reversed(self._groups):
            killed = await asyncio.to_thread(stop_together, [server.child for server in group])
            for name in killed:
                self._announce(f"{name} did not end in time and was killed")


async def _prepared(server: Server) -> None:
    """Prepare and start a server; told to end, only when nobody works on its files any more."""
    work = asyncio.get_running_loop().run_in_executor(None, _prepare_and_start, server)
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        server.child.stay_down()
        await asyncio.gather(work, return_exceptions=True)
        raise


def _prepare_and_start(server: Server) -> None:
    server.prepare()
    server.child.start()
