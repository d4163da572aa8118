"""The sending process: holds leases, runs one lane for each, wakes them.

Several processes share the destinations evenly; what one leaves behind the others take over
within a few seconds.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from services.notifier.sending.lane import Lane
from services.notifier.sending.tools import Tools
from services.notifier.store import leases
from services.notifier.store.leases import RENEW_SECONDS, Lease
from services.notifier.store.wakeups import listen
from shared.database.engine import DATABASE_ERRORS, passing
from shared.observability.logs import get_logger

STOP_SECONDS = 8.0
"""For messages under way when the process is told to end."""

_log = get_logger("notifier.sender")


@dataclass(slots=True)
class _Served:
    lane: Lane
    task: asyncio.Task[None]


class Sender:
    """Serves the destinations whose leases it can get.

    `owner` names the process; one that is started in an earlier one's place under the same name
    takes its leases over at once instead of when they lapse.
    """

    def __init__(self, owner: str, tools: Tools) -> None:
        self._owner = owner
        self._tools = tools
        self._served: dict[str, _Served] = {}
        self._changed = asyncio.Event()
        self._trouble: str | None = "no lease has been looked at yet"

    async def check(self) -> str | None:
        """Return why this sender is not at work, or None; for readiness."""
        if self._trouble is not None:
            return self._trouble
        troubles = (served.lane.trouble for served in self._served.values())
        return next((trouble for trouble in troubles if trouble is not None), None)

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop; messages under way are finished."""
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(listen(self._tools.engine, self._wake))
                stopping = group.create_task(self._await_stop(stop))
                while not stop.is_set():
                    await self._tend(group)
                    await self._wait()
                await stopping
                listening.cancel()
                await self._finish()
        finally:
            await asyncio.shield(self._leave())

    async def _await_stop(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._changed.set()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _wake(self, destinations: Collection[str] | None) -> None:
        if destinations is None:
            self._changed.set()
            destinations = list(self._served)
        for destination in destinations:
            if (served := self._served.get(destination)) is not None:
                served.lane.wake()

    async def _tend(self, group: asyncio.TaskGroup) -> None:
        self._changed.clear()
        try:
            await self._tend_leases(group)
            self._trouble = None
        except DATABASE_ERRORS as error:
            trouble = passing(error)
            if trouble is None:
                raise
            self._trouble = trouble
            _log.warning("leases not tended", reason=repr(error)[:300])

    async def _tend_leases(self, group: asyncio.TaskGroup) -> None:
        async with self._tools.engine.begin() as connection:
            held = await leases.renew(connection, self._owner)
            share = await leases.fair_share(connection)
            served = [lease for lease in held if self._serves(lease)]
            mine = [lease for lease in served if held[lease]]
            places = max(0, share - len(mine))
            names = [lease.destination for lease in served]
            taken = await leases.take(connection, self._owner, places, names)
            names += [lease.destination for lease in taken]
            await leases.release_rest(connection, self._owner, names)
        for lease in taken:
            await self._dismiss(lease.destination)
            self._start(lease, group)
        # What is disabled gives its place back; what it was sending is still settled.
        for lease in set(served) - set(mine[:share]):
            self._served[lease.destination].lane.stop()
        await self._release_ended()

    def _serves(self, lease: Lease) -> bool:
        served = self._served.get(lease.destination)
        return served is not None and served.lane.lease == lease

    def _start(self, lease: Lease, group: asyncio.TaskGroup) -> None:
        lane = Lane(lease, self._tools)
        self._served[lease.destination] = _Served(lane, group.create_task(lane.run()))

    async def _dismiss(self, destination: str) -> None:
        """End a lane whose lease somebody else had in between."""
        served = self._served.pop(destination, None)
        if served is not None:
            served.lane.stop()

    async def _release_ended(self) -> None:
        ended = [name for name, served in self._served.items() if served.task.done()]
        async with self._tools.engine.begin() as connection:
            for name in ended:
                await leases.release(connection, self._served[name].lane.lease)
        for name in ended:
            del self._served[name]

    async def _finish(self) -> None:
        for served in self._served.values():
            served.lane.stop()
        tasks = [served.task for served in self._served.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(STOP_SECONDS), self._tools.engine.begin() as connection:
                for served in self._served.values():
                    await leases.release(connection, served.lane.lease)
                await leases.leave(connection, self._owner)
        except (*DATABASE_ERRORS, TimeoutError) as error:
            # They lapse by themselves.
            _log.warning("leases not released", reason=repr(error)[:300])
