"""`/v1/routes`: which alerts go where."""

from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.notifier.api.desk import AtDesk, Writer, refusal_of
from services.notifier.api.destinations import Id, Reader
from services.notifier.domain.routes import Route
from services.notifier.store import configuration
from services.notifier.store.audit import What
from services.notifier.store.configuration import NoDestination
from shared.database import audit
from shared.database.audit import Done
from shared.database.engine import Connection
from shared.events.base import Code
from shared.events.stock_alerts import AlertLevel
from shared.http.audit import doer_of
from shared.http.pages import Page

router = APIRouter(prefix="/v1/routes", tags=["routes"])


_Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
"""What a rule's label may be, name or value."""


class Match(BaseModel):
    """What an alert must be; what is left out or empty is met by all."""

    model_config = ConfigDict(extra="forbid")

    levels: Annotated[list[AlertLevel], Field(max_length=3)] = []
    labels: Annotated[dict[_Text, _Text], Field(max_length=50)] = {}
    rules: Annotated[list[Code], Field(max_length=500)] = []


class RouteBody(BaseModel):
    """A route as it is put."""

    model_config = ConfigDict(extra="forbid")

    destination: Code
    match: Match = Match()
    enabled: bool = True


class RouteAnswer(RouteBody):
    """A route."""

    id: str

    @classmethod
    def of(cls, route: Route) -> Self:
        """Return a stored route as it is answered."""
        # What is stored may be older than the bounds of what is put.
        match = Match.model_construct(
            levels=[level for level in AlertLevel if level in route.levels],
            labels=dict(route.labels),
            rules=sorted(route.rules),
        )
        return cls(id=route.id, destination=route.destination, match=match, enabled=route.enabled)


@router.put(
    "/{id_}", responses={HTTPStatus.CREATED: {"description": "A new route", "model": RouteAnswer}}
)
async def put_route(
    desk: AtDesk, id_: Id, body: RouteBody, request: Request, response: Response, caller: Writer
) -> RouteAnswer:
    """Create or change a route."""
    route = Route(
        id=id_,
        destination=body.destination,
        levels=frozenset(body.match.levels),
        labels=body.match.labels,
        rules=frozenset(body.match.rules),
        enabled=body.enabled,
    )
    doer = doer_of(request, caller, desk.clock.now())

    async def put(connection: Connection) -> bool:
        before = await configuration.route_to_change(connection, id_)
        created = await configuration.put_route(connection, route)
        if before != route:
            was = None if before is None else RouteAnswer.of(before).model_dump(mode="json")
            now = RouteAnswer.of(route).model_dump(mode="json")
            await audit.add(connection, doer, Done(What.ROUTE_PUT, id_, was, now))
        return created

    try:
        created = await desk.asked(put)
    except NoDestination as error:
        unknown = f"There is no destination {body.destination}; put it first."
        raise refusal_of("destination", "unknown", unknown) from error
    response.status_code = HTTPStatus.CREATED if created else HTTPStatus.OK
    return RouteAnswer.of(route)


@router.get("", dependencies=[Reader])
async def list_routes(desk: AtDesk) -> Page[RouteAnswer]:
    """Return all routes; there are few enough for one page."""
    found = await desk.asked(configuration.routes)
    return Page(items=[RouteAnswer.of(route) for route in found])
