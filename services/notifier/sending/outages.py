"""Who is told of a destination that takes nothing for a while: whoever reads another one.

What is for it waits and is tried again for a day, which is long for somebody who should sell.
"""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.contents import Failure, FailureNote
from services.notifier.domain.destinations import Destination
from services.notifier.domain.outcomes import Outcome
from services.notifier.store import notes

TOLD_AFTER = timedelta(minutes=5)
"""By then what failed first has been tried five times; shorter outages are made up for."""


async def tell_elsewhere(
    connection: AsyncConnection,
    destination: Destination,
    outcome: Outcome,
    since: datetime,
    now: datetime,
) -> None:
    """Have somebody told, once an outage, of a destination that fails for long enough."""
    if now - since >= TOLD_AFTER:
        note = FailureNote(
            destination=destination.id,
            destination_name=destination.name,
            what=Failure.AWAY,
            detail=outcome.detail,
            since=since,
        )
        await notes.add(connection, note, _key(Failure.AWAY, destination, since), now)


async def tell_of_end(
    connection: AsyncConnection, destination: Destination, since: datetime, now: datetime
) -> None:
    """Have whoever was told of an outage told that it is over.

    What still waits to tell of it tells of nothing any more.
    """
    away = _key(Failure.AWAY, destination, since)
    if await notes.take_back(connection, away):
        return
    if (place := await notes.place_of(connection, away)) is not None:
        note = FailureNote(
            destination=destination.id,
            destination_name=destination.name,
            what=Failure.BACK,
            since=since,
        )
        await notes.add(connection, note, _key(Failure.BACK, destination, since), now, there=place)


def _key(what: Failure, destination: Destination, since: datetime) -> str:
    return f"{what}:{destination.id}:{since.timestamp()}"
