"""`/callbacks/wecom/{destination}`: what people press in WeCom. The vendor's signature lets it in.

It is noted and answered at once: the vendor sends it again after five seconds. What follows from it
is alerting's business.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.notifier.api.desk import AtDesk, Desk
from services.notifier.api.destinations import Id
from services.notifier.domain.addresses import WecomApp
from services.notifier.domain.cards import Press, delivery_of, response_of
from services.notifier.inbound.wecom_callback import Forged, Mailroom, encrypted_part, press_in
from services.notifier.store import card_codes, configuration, responses
from shared.database.engine import Connection
from shared.http.problems import Problem, not_found
from shared.observability.logs import get_logger

router = APIRouter(prefix="/callbacks/wecom", tags=["callbacks"])

MAX_BYTES = 64 * 1024
"""A callback has about one."""

_Proof = Annotated[str, Query(max_length=200)]

_log = get_logger("notifier.callbacks")


@router.get("/{id_}")
async def prove(
    desk: AtDesk,
    id_: Id,
    msg_signature: _Proof,
    timestamp: _Proof,
    nonce: _Proof,
    echostr: Annotated[str, Query(max_length=2_000)],
) -> Response:
    """Answer what WeCom asks when the callback's URL is saved: the text that it sent encrypted."""
    mailroom = await _mailroom(desk, id_)
    try:
        said = mailroom.opened(msg_signature, timestamp, nonce, echostr, desk.clock.now())
    except Forged as error:
        raise _refused(id_, error) from None
    return Response(said, media_type="text/plain")


@router.post("/{id_}")
async def receive(
    desk: AtDesk,
    request: Request,
    id_: Id,
    msg_signature: _Proof,
    timestamp: _Proof,
    nonce: _Proof,
) -> Response:
    """Note what somebody pressed; the same press is noted once, however often it is told."""
    body = await _body(request)
    mailroom = await _mailroom(desk, id_)
    now = desk.clock.now()
    try:
        press = press_in(
            mailroom.opened(msg_signature, timestamp, nonce, encrypted_part(body), now)
        )
    except Forged as error:
        raise _refused(id_, error) from None
    if press is not None:
        await _note(desk, id_, press, request.state.traceparent)
    return Response()


async def _note(desk: Desk, id_: str, press: Press, traceparent: str) -> None:
    now = desk.clock.now()
    delivery = delivery_of(press.task_id)

    async def note(connection: Connection) -> bool:
        answered = delivery and await responses.answered(connection, delivery, id_)
        response = answered and response_of(press, answered.alert_id, now)
        if not response:
            return False
        noted = await responses.record(
            connection,
            response,
            destination=id_,
            task=press.task_id,
            act=press.event_key,
            traceparent=traceparent,
        )
        if noted and delivery is not None and press.response_code is not None:
            code, alert_id = press.response_code, response.alert_id
            await card_codes.add(connection, code, id_, alert_id, delivery, now)
        return True

    if not await desk.asked(note):
        # The vendor would only tell it again.
        _log.warning("a card that is not ours", destination=id_, task=press.task_id[:128])


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_large",
                "A callback has at most 64 KiB.",
            )
    return bytes(body)


async def _mailroom(desk: Desk, id_: str) -> Mailroom:
    found = await desk.asked(
        lambda connection: configuration.destination(connection, id_, desk.vault)
    )
    if found is None or not isinstance(found.address, WecomApp):
        raise not_found(f"WeCom application {id_}")
    return Mailroom(found.address)


def _refused(id_: str, error: Forged) -> Problem:
    _log.warning("callback refused", destination=id_, reason=str(error))
    return Problem(
        HTTPStatus.FORBIDDEN,
        "forged",
        "This is not a callback of the application: check its token, EncodingAESKey and the clock.",
    )
