"""`/callbacks/slack/{destination}`: what people press in Slack. The app's signature lets it in.

An app has one URL for all that is pressed anywhere; so it may name any destination of the app, and
tells of presses in all of its channels. It is noted and answered at once: after three seconds the
presser is shown that it failed (docs.slack.dev: handling user interaction).
"""

import hmac
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import SecretStr

from services.notifier.api.desk import AtDesk, Desk
from services.notifier.api.destinations import Id
from services.notifier.api.pressing import body_of, note
from services.notifier.domain.addresses import Slack
from services.notifier.domain.cards import Press, delivery_of
from services.notifier.inbound.proofs import Forged
from services.notifier.inbound.slack_callback import press_in, verify
from services.notifier.store import configuration, responses
from shared.http.problems import Problem, not_found
from shared.observability.logs import get_logger

router = APIRouter(prefix="/callbacks/slack", tags=["callbacks"])

MAX_KIB = 512
"""It repeats the message, whose characters take up to nine bytes each in a form, and twice."""

_Proof = Annotated[str, Header(max_length=200)]

_log = get_logger("notifier.callbacks")


@router.post("/{id_}")
async def receive(
    desk: AtDesk,
    request: Request,
    id_: Id,
    x_slack_signature: _Proof = "",
    x_slack_request_timestamp: _Proof = "",
) -> Response:
    """Note what somebody pressed; the same press is noted once, however often it is told."""
    body = await body_of(request, MAX_KIB)
    secret = await _signing_secret(desk, id_)
    if secret is None:
        raise not_found(f"Slack destination with a signing_secret {id_}")
    try:
        verify(secret, x_slack_signature, x_slack_request_timestamp, body, desk.clock.now())
        press = press_in(body)
    except Forged as error:
        _log.warning("callback refused", destination=id_, reason=str(error))
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "forged",
            "This is not a callback of the app: check its signing secret and the clock.",
        ) from None
    if press is not None:
        where = await _pressed_in(desk, id_, secret, press)
        await note(desk, where, press, request.state.traceparent)
    return Response()


async def _signing_secret(desk: Desk, id_: str) -> SecretStr | None:
    found = await desk.asked(
        lambda connection: configuration.destination(connection, id_, desk.vault)
    )
    if found is None or not isinstance(found.address, Slack):
        return None
    return found.address.signing_secret


async def _pressed_in(desk: Desk, id_: str, secret: SecretStr, press: Press) -> str:
    """Return the destination where it was pressed, if that is the same app's; else this one."""
    delivery = delivery_of(press.task_id)
    if delivery is None:
        return id_
    other = await desk.asked(lambda connection: responses.place_of(connection, delivery))
    if other is None or other == id_:
        return id_
    its_secret = await _signing_secret(desk, other)
    same = its_secret is not None and hmac.compare_digest(
        its_secret.get_secret_value().encode(), secret.get_secret_value().encode()
    )
    return other if same else id_
