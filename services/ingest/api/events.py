"""`POST /v1/events`: what happened to stock, as the channels tell it."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from services.ingest.api.event_body import Answer, request_body
from services.ingest.api.parts import Given
from services.ingest.domain.decision import ForeignChannel
from services.ingest.inbound.events import LINES_TYPES
from shared.http.auth import Caller, Scope, admit, require
from shared.http.problems import Problem
from shared.http.short_way import ShortWay

routes = APIRouter(tags=["events"])


@routes.post(
    "/v1/events",
    status_code=HTTPStatus.ACCEPTED,
    openapi_extra=request_body(),
    responses={HTTPStatus.ACCEPTED.value: {"model": Answer}},
)
async def post_events(
    parts: Given,
    request: Request,
    caller: Annotated[Caller, Depends(require(Scope.EVENTS_WRITE))],
) -> JSONResponse:
    """Take one event, an array, or NDJSON: at most 1,000 events and 5 MiB.

    202 once the broker has every accepted event and the quarantine every unknown one; sending
    a request again is harmless. 422 when no event is valid, with `errors`.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        taken = await parts.intake.take(
            await request.body(),
            lines=content_type in LINES_TYPES,
            own_channel=caller.channel,
            traceparent=request.state.traceparent,
        )
    except ForeignChannel as error:
        raise Problem(HTTPStatus.FORBIDDEN, "foreign_channel", f"{error}.") from error
    rejected = [each.entry() for each in taken.rejected]
    if rejected and not taken.accepted + taken.quarantined + taken.ignored:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid",
            "No event is valid; see errors.",
            errors=rejected,
        )
    answer = {
        "accepted": taken.accepted,
        "quarantined": taken.quarantined,
        "ignored": taken.ignored,
        "rejected": rejected,
    }
    return JSONResponse(answer, HTTPStatus.ACCEPTED.value)


async def _taken(request: Request) -> Response:
    caller = await admit(request, Scope.EVENTS_WRITE)
    return await post_events(request.app.state.parts, request, caller)


SHORT_WAY = ShortWay("POST", "/v1/events", _taken)
