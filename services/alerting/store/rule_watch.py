"""The rules in memory, renewed when somebody has edited one."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from typing_extensions import override

from services.alerting.domain.calendar import Calendar
from services.alerting.domain.definition import RuleDefinition
from services.alerting.domain.rulebook import RuleBook
from services.alerting.store import calendar, rules, schedules
from services.alerting.store.watch import Watch
from shared.observability.logs import get_logger

_log = get_logger("alerting.rules")


class RuleWatch(Watch):
    """Holds the newest rule book that could be read."""

    what = "rules"

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.book = RuleBook()

    @override
    async def look(self) -> None:
        async with self._engine.connect() as connection:
            revision = await rules.revision(connection)
            if self.loaded.is_set() and revision == self.book.revision:
                return
            # Edits in between are in the rules read, and bring another look.
            self.book = await read_book(connection, revision)
        self.loaded.set()
        _log.info("rules read", revision=revision)


async def read_book(connection: AsyncConnection, revision: int) -> RuleBook:
    """Return all rules as they are, with the calendar, as the book of a revision."""
    defined = [
        (stored, RuleDefinition.model_validate_json(stored.body))
        for stored in await rules.newest(connection)
    ]
    named = {each.calendar for _, each in defined if each.calendar is not None}
    calendars = await schedules.calendars(connection, named)
    return RuleBook(
        revision,
        [each.rule(stored.id, stored.version, calendars) for stored, each in defined],
        Calendar([each.occasion for each in await calendar.everything(connection)]),
    )
