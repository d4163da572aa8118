"""The parameters in memory, kept up with edits: only what changed is read again."""

from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import override

from services.alerting.domain.parameters import ParameterBook, Parameters
from services.alerting.store import parameters
from services.alerting.store.parameters import Position
from services.alerting.store.watch import Watch
from shared.database.engine import snapshot
from shared.observability.logs import get_logger

PAGE = 2_000
"""Rows read at a time: some 10 ms of the process's time between two questions."""

_log = get_logger("alerting.parameters")


class ParameterWatch(Watch):
    """Holds the newest parameters that could be read."""

    what = "parameters"

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.book = ParameterBook()

    @override
    async def look(self) -> None:
        async with self._engine.connect() as connection:
            newest = await parameters.revision(connection)
        if self.loaded.is_set() and newest == self.book.revision:
            return
        told: list[tuple[str, str | None, Parameters]] = []
        # One moment's view: an import is seen as a whole or not at all.
        async with snapshot(self._engine) as connection:
            revision = await parameters.revision(connection)
            position = Position(self.book.revision + 1)
            while True:
                some, position = await parameters.changed(connection, position, PAGE)
                told += some
                if len(some) < PAGE:
                    break
        self.book = self.book.after(revision, told)
        self.loaded.set()
        _log.info("parameters read", revision=revision, changed=len(told))
