"""Tell people of what was kept from them, once nothing keeps it from them any more."""

from typing_extensions import override

from services.alerting.looking import Looking
from services.alerting.store import acts


class Reminding(Looking):
    """Looks for alerts that people may be told of again.

    It does not matter whether a silence or a snooze ran out or was ended before its time.
    """

    what = "reminders"
    at_once = 500

    @override
    async def step(self) -> int:
        async with self._engine.begin() as connection:
            return await acts.remind(connection, self._clock.now(), self.at_once)
