"""Who is told of what died: an order's buyers; of all else whoever reads another destination."""

from contextlib import suppress
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.destinations.order_views import order_in
from services.notifier.domain.contents import FailureNote, failed_order
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Destination
from services.notifier.domain.outcomes import Outcome
from services.notifier.store import notes

_NOTE_EVERY_SECONDS = 600
"""One note about a destination and cause in ten minutes: a wrong key fails everything."""


async def tell_elsewhere(
    connection: AsyncConnection,
    destination: Destination,
    delivery: Delivery,
    outcome: Outcome,
    now: datetime,
) -> None:
    """Have somebody told that a delivery died. A note that died goes on to where it was not yet."""
    if delivery.kind is Kind.TEST:
        return
    note = FailureNote(
        destination=destination.id,
        destination_name=destination.name,
        detail=outcome.detail,
        alert_number=delivery.alert_number,
    )
    key = f"{destination.id}:{outcome.code}:{int(now.timestamp()) // _NOTE_EVERY_SECONDS}"
    with suppress(ValueError):  # what cannot be read is told of like all else
        if delivery.kind is Kind.ORDER:
            _, order = order_in(delivery)
            note = note.model_copy(update={"order": failed_order(order)})
            key = f"order:{delivery.id}:{delivery.attempts}"
        elif delivery.kind is Kind.META:
            died = FailureNote.model_validate_json(delivery.content)
            note = died.model_copy(update={"tried": (*died.tried, destination.id)})
            key = f"passed:{delivery.id}"
    await notes.add(connection, note, key, now)
