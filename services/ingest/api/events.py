"""`POST /v1/events`: what happened to stock, as the channels tell it."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from services.ingest.api.parts import Given
from services.ingest.domain.decision import ForeignChannel
from services.ingest.inbound.events import LINES_TYPES
from shared.events.stock_changes import StockChange
from shared.http.auth import Caller, Scope, require
from shared.http.problems import Problem

routes = APIRouter(tags=["events"])


def _request_body() -> dict[str, object]:
    event = StockChange.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = event.pop("$defs", {})
    for added in ("received_at", "v"):
        event["properties"].pop(added)
    event["required"] = [
        name for name in event["required"] if name not in {"received_at", "channel"}
    ]
    event["properties"]["type"] = {"enum": definitions["ChangeType"]["enum"]}
    event["title"] = "Event"
    event["description"] = (
        "A change of stock. `sku` and `warehouse` may be the channel's own spellings; `channel` "
        "may be left out with a token of the channel."
    )
    many = {"oneOf": [event, {"type": "array", "items": event, "maxItems": 1000}]}
    lines = {"type": "string", "description": "One event a line"}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": many},
                "application/x-ndjson": {"schema": lines},
            },
        }
    }


@routes.post("/v1/events", status_code=HTTPStatus.ACCEPTED, openapi_extra=_request_body())
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
