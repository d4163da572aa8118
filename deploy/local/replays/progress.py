"""Show how far a replay is: a bar on a terminal, a line every few seconds elsewhere."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from deploy.local.replays.poster import Tally

BAR_S, LINE_S = 0.1, 5.0


class Screen:
    """Where a replay speaks to a person: standard error, the report being the output."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    def line(self, text: str) -> None:
        """Print a line with the seconds since the start in front."""
        self._console.print(f"{time.monotonic() - self._began:6.1f} s  {text}", markup=False)

    @asynccontextmanager
    async def posting(self, tally: Tally) -> AsyncIterator[None]:
        """Show a tally's growth for the length of the block."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            follow = self._bar if self._console.is_terminal else self._lines
            following = tasks.create_task(follow(tally, began))
            try:
                yield
            finally:
                following.cancel()

    async def _bar(self, tally: Tally, began: float) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            bar = progress.add_task("posting", total=tally.total, rate="")
            try:
                while True:
                    progress.update(bar, completed=tally.posted, rate=_rate(tally, began))
                    await asyncio.sleep(BAR_S)
            finally:
                progress.update(bar, completed=tally.posted, rate=_rate(tally, began))

    async def _lines(self, tally: Tally, began: float) -> None:
        while True:
            await asyncio.sleep(LINE_S)
            self.line(
                f"posted {tally.posted:,} of {tally.total:,} ({tally.progress:.0%}), "
                f"{_rate(tally, began)}"
            )


def _rate(tally: Tally, began: float) -> str:
    return f"{tally.posted / max(time.monotonic() - began, 0.1):,.0f} events/s"
