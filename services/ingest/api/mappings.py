"""`/v1/channels/{id}/mappings`: what a channel's codes mean."""

from collections.abc import Callable, Sequence
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, model_validator

from services.ingest.api.changes import check_size, error, refused, replay_waiting
from services.ingest.api.parts import MAY_READ, Editor, Given
from services.ingest.domain.codes import Action, Kind, Mapping
from services.ingest.store import configuration
from services.ingest.store.database import Row
from services.ingest.store.quarantine import Filter
from shared.events.base import Code
from shared.http.pages import Cursor, Limit, Page, decode_cursor, page_of
from shared.http.problems import not_found

routes = APIRouter(tags=["channels"])


class MappingBody(BaseModel):
    """What a channel's spelling means: a target, or an action alone."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    external: Code
    target: Code | None = None
    action: Action = Action.MAP

    @model_validator(mode="after")
    def _target_fits_action(self) -> Self:
        if (self.action is Action.MAP) != (self.target is not None):
            raise ValueError("send a target, or the action ignore or remove without one")
        return self


class MappingsBody(BaseModel):
    """Mappings to create, change or remove; those not named stay as they are."""

    model_config = ConfigDict(extra="forbid")

    items: list[MappingBody]


@routes.put("/v1/channels/{channel}/mappings")
async def put_mappings(
    parts: Given, channel: Code, body: MappingsBody, editor: Editor
) -> dict[str, int]:
    """Create, change or remove up to 1,000 mappings, and replay what waited for them.

    What was ignored for a code that is now mapped, or mapped no more, waits again. A mapping counts
    before aliases; the code of a SKU or warehouse itself takes none. All or nothing; sending the
    same again changes nothing.
    """
    check_size(body.items)
    mappings = [
        Mapping(channel, each.kind, each.external, each.action, each.target) for each in body.items
    ]
    errors = _repeated(mappings)
    if errors:
        raise refused(errors)
    put = await parts.database.write(configuration.put_mappings, channel, mappings, editor)
    if not put.channel_exists:
        raise not_found(f"channel {channel}")
    if put.missing or put.own:
        spelled = parts.known.codes().spelled
        raise refused([*_missing(mappings, put.missing, spelled), *_own(mappings, put.own)])
    codes = Filter(spellings=tuple(each.external for each in mappings))
    done = [await replay_waiting(parts, codes)]
    if put.waiting_again:
        done.append(await replay_waiting(parts, Filter(ids=put.waiting_again)))
    return {
        "mapped": len(mappings),
        "replayed": sum(each.replayed for each in done),
        "ignored": sum(each.ignored for each in done),
    }


@routes.get("/v1/channels/{channel}/mappings", dependencies=[MAY_READ])
async def get_mappings(
    parts: Given, channel: Code, limit: Limit = 100, cursor: Cursor = None
) -> Page[Row]:
    """List a channel's mappings by kind and spelling."""
    kind, external = ("", "") if cursor is None else decode_cursor(cursor, str, str)
    after = (str(kind), str(external))
    rows = await parts.database.read(configuration.mappings_of, channel, after, limit)
    if rows is None:
        raise not_found(f"channel {channel}")
    return page_of(rows, limit, lambda row: [str(row["kind"]), str(row["external"])], dict)


def _repeated(mappings: Sequence[Mapping]) -> list[dict[str, object]]:
    seen: set[tuple[Kind, str]] = set()
    errors: list[dict[str, object]] = []
    for index, each in enumerate(mappings):
        if (each.kind, each.external) in seen:
            message = f"{each.external} is in this request twice; send it once"
            errors.append(error(index, "external", "repeated", message))
        seen.add((each.kind, each.external))
    return errors


def _missing(
    mappings: Sequence[Mapping],
    missing: frozenset[tuple[Kind, str]],
    spelled: Callable[[str], str | None],
) -> list[dict[str, object]]:
    errors = []
    for index, each in enumerate(mappings):
        if each.target is None or (each.kind, each.target) not in missing:
            continue
        kind = each.kind.value
        message = f"there is no {kind} {each.target}; create it first"
        sku = spelled(each.target) if each.kind is Kind.SKU else None
        if sku is not None:
            message = f"{each.target} is another spelling of {sku}; name {sku}"
        errors.append(error(index, "target", f"unknown_{kind}", message))
    return errors


def _own(mappings: Sequence[Mapping], own: frozenset[tuple[Kind, str]]) -> list[dict[str, object]]:
    return [
        error(
            index,
            "external",
            f"is_{each.kind.value}",
            f"{each.external} is a {each.kind.value} itself, and counted as that whoever sends it: "
            "a mapping would never act; leave it out, or have the channel send another code",
        )
        for index, each in enumerate(mappings)
        if each.action is not Action.REMOVE and (each.kind, each.external) in own
    ]
