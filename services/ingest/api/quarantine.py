"""`/v1/quarantine`: what could not be mapped or applied, and its second chance."""

from collections.abc import Mapping
from typing import Annotated, Self

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.ingest.api.changes import replay_waiting
from services.ingest.api.parts import MAY_CONFIGURE, MAY_READ, Editor, Given
from services.ingest.domain.quarantine import Reason, State
from services.ingest.domain.suggestion import Suggestion
from services.ingest.guessing import UnknownCode
from services.ingest.store import quarantine
from services.ingest.store.database import Row
from services.ingest.store.quarantine import Filter
from shared.events.base import Code
from shared.http.pages import Cursor, Limit, Page, after_number, page_of

routes = APIRouter(tags=["quarantine"])


_Id = Annotated[int, Field(ge=1, le=2**63 - 1)]


class ReplayBody(BaseModel):
    """Which entries to replay; several conditions must all hold."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[tuple[_Id, ...] | None, Field(max_length=1_000)] = None
    code: Code | None = None
    channel: Code | None = None
    reason: Reason | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if {self.ids, self.code, self.channel, self.reason} == {None}:
            raise ValueError("say which entries: ids, code, channel or reason")
        return self


@routes.get("/v1/quarantine", dependencies=[MAY_READ])
async def get_quarantine(
    parts: Given,
    reason: Reason | None = None,
    channel: Code | None = None,
    code: Code | None = None,
    state: State = State.WAITING,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Row]:
    """List entries in order of arrival, with a guess at what an unknown code may mean.

    A page with many different codes has guesses for the first of them; asked again, for more.
    """
    matching = Filter(state=state, reason=reason, channel=channel, code=code)
    rows = await parts.database.read(quarantine.entries, matching, after_number(cursor), limit)
    unknown = [each for row in rows for each in _unknown(row).items()]
    guesses = await parts.guessing.of(unknown, parts.known.codes())
    return page_of(
        rows, limit, lambda row: [int(str(row["id"]))], lambda row: _public(row, guesses)
    )


@routes.post("/v1/quarantine/replay", dependencies=[MAY_CONFIGURE])
async def post_replay(parts: Given, body: ReplayBody) -> dict[str, int]:
    """Send waiting entries again whose codes are known by now; repeating it is harmless."""
    done = await parts.replay.run(
        Filter(ids=body.ids, code=body.code, channel=body.channel, reason=body.reason)
    )
    return {
        "replayed": done.replayed,
        "ignored": done.ignored,
        "still_quarantined": done.still_quarantined,
    }


class EntriesBody(BaseModel):
    """Which entries are meant."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[tuple[_Id, ...], Field(min_length=1, max_length=1_000)]


@routes.post("/v1/quarantine/dismiss")
async def post_dismiss(parts: Given, body: EntriesBody, editor: Editor) -> dict[str, int]:
    """Let entries wait no longer, as they were seen to otherwise: they are not sent.

    Nor when their code becomes known or they are sent in again; `reopen` takes it back. What does
    not wait stays as it is.
    """
    return {"dismissed": await parts.database.write(quarantine.dismiss, body.ids, editor)}


@routes.post("/v1/quarantine/reopen")
async def post_reopen(parts: Given, body: EntriesBody, editor: Editor) -> dict[str, int]:
    """Let entries that were ignored or dismissed wait again, and send those that are known by now.

    What is still mapped to ignore is ignored anew.
    """
    reopened = await parts.database.write(quarantine.reopen, body.ids, editor)
    done = await replay_waiting(parts, Filter(ids=body.ids))
    return {"reopened": reopened, "replayed": done.replayed, "ignored": done.ignored}


_Guesses = Mapping[UnknownCode, Suggestion | None]
_KINDS = ("sku", "warehouse", "counterparty")


def _unknown(row: Row) -> dict[str, str]:
    codes = {kind: _text(row, f"unknown_{kind}") for kind in _KINDS}
    return {kind: code for kind, code in codes.items() if code is not None}


def _text(row: Row, column: str) -> str | None:
    value = row[column]
    return None if value is None else str(value)


def _public(row: Row, guesses: _Guesses) -> Row:
    source = None
    if row["source_topic"] is not None:
        source = {name: row[f"source_{name}"] for name in ("topic", "partition", "offset")}
    plain = (
        *("id", "reason", "state", "channel", "event_id", "line", "sku", "warehouse"),
        *("counterparty", "detail"),
        *("occurred_at", "received_at", "recorded_at", "replayed_at"),
    )
    return {
        **{name: row[name] for name in plain},
        "payload": _json_or_text(_text(row, "payload")),
        "first_payload": _json_or_text(_text(row, "first_payload")),
        "source": source,
        "suggestion": {
            kind: _guess(guesses.get((kind, code))) for kind, code in _unknown(row).items()
        },
    }


def _guess(found: Suggestion | None) -> dict[str, str] | None:
    return None if found is None else {"code": found.code, "by": found.by}


def _json_or_text(payload: str | None) -> object:
    if payload is None:
        return None
    try:
        # As strict as what is answered: no NaN, no half characters.
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return payload
