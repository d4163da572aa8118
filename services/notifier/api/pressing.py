"""What the callbacks of all vendors have in common: a bounded body, and a press that is noted."""

from http import HTTPStatus

from fastapi import Request

from services.notifier.api.desk import Desk
from services.notifier.domain.cards import Press, delivery_of, response_of
from services.notifier.store import card_codes, responses
from shared.database.engine import Connection
from shared.http.problems import Problem
from shared.observability.logs import get_logger

_log = get_logger("notifier.callbacks")


async def body_of(request: Request, most_kib: int) -> bytes:
    """Return what was posted. Raises Problem (413) as soon as it is more than so much."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_kib * 1024:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_large",
                f"A callback has at most {most_kib} KiB.",
            )
    return bytes(body)


async def note(desk: Desk, destination: str, press: Press, traceparent: str) -> None:
    """Note a press on a card of a destination; the same press is noted once."""
    now = desk.clock.now()
    delivery = delivery_of(press.task_id)

    async def kept(connection: Connection) -> bool:
        answered = delivery and await responses.answered(connection, delivery, destination)
        response = answered and response_of(press, answered.alert_id, now)
        if not response:
            return False
        noted = await responses.record(
            connection,
            response,
            destination=destination,
            task=press.task_id,
            act=press.event_key,
            traceparent=traceparent,
        )
        if noted and delivery is not None and press.response_code is not None:
            code, alert_id = press.response_code, response.alert_id
            await card_codes.add(connection, code, destination, alert_id, delivery, now)
        return True

    if not await desk.asked(kept):
        # The vendor would only tell it again.
        _log.warning("a card that is not ours", destination=destination, task=press.task_id[:128])
