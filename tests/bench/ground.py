"""What the parts of the ledger benchmark share: servers, filled topics, and the plain drain."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.instance import REPOSITORY
from shared.testing.stack import Database, Stack, fresh_database, fresh_topics
from tests.bench.drain import Drain, drain, with_warm_up
from tests.bench.fill import Kind
from tests.bench.report import tell

_SPARE = 1.35
"""More changes than the last measured speed asks for: no drain should end before its time."""


class Ground:
    """One repetition's ground: everything on one server, and nothing of it survives."""

    def __init__(
        self, stack: Stack, template: str, seconds: float, calibration: int, profile: Path | None
    ) -> None:
        self.stack = stack
        self.seconds = seconds
        self._template = template
        self._calibration = calibration
        self._profile = profile
        self._open = AsyncExitStack()
        self._speed: float | None = None
        self._uniform: tuple[str, int] | None = None
        self._plain: Drain | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    async def plain(self) -> Drain:
        """Return the drain that others are compared with: uniform, fresh, two workers."""
        if self._plain is None:
            prefix, count = await self.uniform()
            async with self.database() as database:
                self._plain = await self.drained(database, prefix, count)
        return self._plain

    async def uniform(self) -> tuple[str, int]:
        """Return prefix and size of the uniform topic that stays for the whole repetition."""
        if self._uniform is None:
            count = self.enough(await self._calibrated())
            prefix = await self._open.enter_async_context(self.filled("uniform", count, seed=2))
            self._uniform = prefix, count
        return self._uniform

    def enough(self, changes_per_s: float, spare: float = 1.0) -> int:
        """Return how many changes a drain of that speed needs to take its time."""
        return with_warm_up(int(self.seconds * changes_per_s * _SPARE * spare))

    async def _calibrated(self) -> float:
        """Return about how many changes a second are drained; warms the servers up, too."""
        if self._speed is None:
            count = self._calibration
            async with self.filled("uniform", count, seed=1) as prefix, self.database() as fresh:
                self._speed = (await self.drained(fresh, prefix, count)).changes_per_s
        return self._speed

    async def drained(
        self,
        database: Database,
        prefix: str,
        count: int,
        *,
        workers: int = 2,
        processes: int = 1,
        beside: Mapping[str, int] | None = None,
    ) -> Drain:
        """Let the ledger drain a topic; `beside` names processes that work meanwhile."""
        done = await drain(
            self.stack,
            database,
            prefix,
            count,
            workers=workers,
            processes=processes,
            profile=self._profile,
            beside=beside or {},
        )
        tell(
            f"  {processes} × {workers} workers: {done.changes_per_s:,.0f} changes/s "
            f"over {done.seconds:.1f} s; a batch: {done.records_per_batch:,.0f} changes, "
            f"{done.levels_per_batch:,.0f} levels; {done.repeats:,} repeats; {done.processors}"
        )
        return done

    @asynccontextmanager
    async def filled(self, kind: Kind, count: int, seed: int) -> AsyncIterator[str]:
        """Yield the prefix of topics with so many changes."""
        tell(f"{kind}: {count:,} changes")
        async with fresh_topics(self.stack) as prefix:
            argv = [sys.executable, "-m", "tests.bench.fill", self.stack.bootstrap, prefix]
            await asyncio.to_thread(
                subprocess.run,
                [*argv, kind, str(count), str(seed)],
                cwd=REPOSITORY,
                check=True,
                stdout=sys.stderr,
            )
            yield prefix

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """Yield a database of its own, migrated and empty."""
        async with fresh_database(self.stack, self._template) as database:
            yield database
