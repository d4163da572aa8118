"""See what becomes of actions, and let orders leave when it is time."""

from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import override

from services.alerting.looking import Looking
from services.alerting.ordering.mails import OrderMails
from services.alerting.store import orders, supplying
from services.alerting.store.acts import By
from services.alerting.store.orders import Empty
from shared.clock import Clock


class Supplying(Looking):
    """Looks at all actions that are not over, and at open orders."""

    what = "actions"
    at_once = 200
    look_seconds = 1.0

    def __init__(self, engine: AsyncEngine, clock: Clock, mails: OrderMails) -> None:
        super().__init__(engine, clock)
        self._mails = mails

    @override
    async def step(self) -> int:
        now = self._clock.now()
        async with self._engine.begin() as connection:
            seen = await supplying.follow(connection, now, self.at_once)
        async with self._engine.begin() as connection:
            due = await orders.due(connection, now)
        for order_id in due:
            # Its last line may have been taken out since.
            with suppress(Empty):
                async with self._engine.begin() as connection:
                    await self._mails.place(connection, order_id, By(None, None, now, None))
        return seen
