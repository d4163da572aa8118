"""`/callbacks/wecom/{destination}`: what people press in WeCom. The vendor's signature lets it in.

It is noted and answered at once: the vendor sends it again after five seconds. What follows from it
is alerting's business.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.notifier.api.desk import AtDesk, Desk
from services.notifier.api.destinations import Id
from services.notifier.api.pressing import body_of, note
from services.notifier.domain.addresses import WecomApp
from services.notifier.inbound.proofs import Forged
from services.notifier.inbound.wecom_callback import Mailroom, encrypted_part, press_in
from services.notifier.store import configuration
from shared.http.problems import Problem, not_found
from shared.observability.logs import get_logger

router = APIRouter(prefix="/callbacks/wecom", tags=["callbacks"])

MAX_KIB = 64
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
    body = await body_of(request, MAX_KIB)
    mailroom = await _mailroom(desk, id_)
    now = desk.clock.now()
    try:
        press = press_in(
            mailroom.opened(msg_signature, timestamp, nonce, encrypted_part(body), now)
        )
    except Forged as error:
        raise _refused(id_, error) from None
    if press is not None:
        await note(desk, id_, press, request.state.traceparent)
    return Response()


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
