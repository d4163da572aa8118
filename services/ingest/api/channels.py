"""`/v1/channels`: who sends."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from services.ingest.api.changes import remember
from services.ingest.api.paging import DEFAULT_LIMIT, Cursor, Limit, page, position_of
from services.ingest.api.parts import MAY_CONFIGURE, MAY_READ, Given
from services.ingest.domain.catalogue import Label
from services.ingest.store import configuration
from shared.events.base import Code

routes = APIRouter(tags=["channels"])


class ChannelBody(BaseModel):
    """A channel as it is put."""

    model_config = ConfigDict(extra="forbid")

    name: Label
    kind: Literal["api"] = "api"


@routes.put("/v1/channels/{channel}", dependencies=[MAY_CONFIGURE])
async def put_channel(parts: Given, channel: Code, body: ChannelBody) -> dict[str, object]:
    """Create or change a channel."""
    row = await parts.database.write(
        configuration.put_channel, channel, body.name, body.kind, parts.clock.now()
    )
    await remember(parts)
    return dict(row)


@routes.get("/v1/channels", dependencies=[MAY_READ])
async def get_channels(
    parts: Given, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> dict[str, object]:
    """List channels by id."""
    (after,) = position_of(cursor)
    return page(await parts.database.read(configuration.channels, after, limit), limit, "id")
