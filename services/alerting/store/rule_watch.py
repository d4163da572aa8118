"""The rules in memory, renewed when somebody has edited one."""

from datetime import UTC, datetime, timedelta

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from typing_extensions import override

from services.alerting.domain.calendar import Calendar
from services.alerting.domain.definition import RuleDefinition
from services.alerting.domain.rulebook import RuleBook
from services.alerting.store import calendar, rules, schedules
from services.alerting.store.rules import StoredRule
from services.alerting.store.watch import Watch
from shared.clock import Clock
from shared.errors import Stopped
from shared.observability.logs import get_logger

REMEMBERED = timedelta(days=30)
"""Longer than a consumer is down: what was due then is judged by the occasions of then."""

_EVER = datetime.min.replace(tzinfo=UTC)

_log = get_logger("alerting.rules")


class RuleWatch(Watch):
    """Holds the newest rule book that could be read."""

    what = "rules"

    def __init__(self, engine: AsyncEngine, clock: Clock | None = None) -> None:
        """Without a clock nothing is ever over: the events of a replay are of any time."""
        super().__init__(engine)
        self._clock = clock
        self.book = RuleBook()
        self._looked_up = -1
        self._unreadable: str | None = None

    @override
    async def look(self) -> None:
        """Read what was edited; rules that a newer release has written leave the book as it is.

        Raises Stopped for them where there is no book yet.
        """
        async with self._engine.connect() as connection:
            revision = await rules.revision(connection)
            if revision == self._looked_up:
                return
            try:
                # Edits in between are in the rules read, and bring another look.
                now = None if self._clock is None else self._clock.now()
                self.book = await read_book(connection, revision, now)
            except Stopped as error:
                if not self.loaded.is_set():
                    raise
                self._unreadable = str(error)
                _log.warning("rules not read", revision=revision, reason=self._unreadable)
            else:
                self._unreadable = None
                _log.info("rules read", revision=revision)
        self._looked_up = revision
        self.loaded.set()

    @override
    async def check(self) -> str | None:
        return self._unreadable or await super().check()


async def read_book(connection: AsyncConnection, revision: int, now: datetime | None) -> RuleBook:
    """Return all rules as they are, with the calendar, as the book of a revision.

    Of the calendar what was over long before `now` is left out; None: nothing is. Raises Stopped
    for a rule that a newer release has written.
    """
    since = _EVER if now is None else now - REMEMBERED
    defined = [(stored, _definition(stored)) for stored in await rules.newest(connection)]
    named = {each.calendar for _, each in defined if each.calendar is not None}
    calendars = await schedules.calendars(connection, named)
    return RuleBook(
        revision,
        [each.rule(stored.id, stored.version, calendars) for stored, each in defined],
        Calendar([each.occasion for each in await calendar.not_over(connection, since)]),
    )


def _definition(stored: StoredRule) -> RuleDefinition:
    try:
        return RuleDefinition.model_validate_json(stored.body)
    except ValidationError as error:
        place = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
        raise Stopped(
            f"rule {stored.id} version {stored.version} says what this release does not know "
            f"(at {place}): upgrade alerting"
        ) from error
