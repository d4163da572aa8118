"""`/v1/channels`: who sends."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from services.ingest.api.changes import remember
from services.ingest.api.parts import MAY_READ, Editor, Given
from services.ingest.domain.catalogue import Label
from services.ingest.store import configuration
from services.ingest.store.database import Row
from shared.events.base import Code
from shared.http.pages import Cursor, Limit, Page, after_text, page_of

routes = APIRouter(tags=["channels"])


class ChannelBody(BaseModel):
    """A channel as it is put."""

    model_config = ConfigDict(extra="forbid")

    name: Label
    kind: Literal["api"] = "api"


@routes.put("/v1/channels/{channel}")
async def put_channel(
    parts: Given, channel: Code, body: ChannelBody, editor: Editor
) -> dict[str, object]:
    """Create or change a channel."""
    row = await parts.database.write(
        configuration.put_channel, channel, body.name, body.kind, editor
    )
    await remember(parts)
    return dict(row)


@routes.get("/v1/channels", dependencies=[MAY_READ])
async def get_channels(parts: Given, limit: Limit = 100, cursor: Cursor = None) -> Page[Row]:
    """List channels by id."""
    rows = await parts.database.read(configuration.channels, after_text(cursor), limit)
    return page_of(rows, limit, lambda row: [str(row["id"])], dict)
