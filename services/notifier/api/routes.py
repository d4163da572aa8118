"""`/v1/routes`: which alerts go where."""

from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from services.notifier.api.desk import AtDesk, Writer
from services.notifier.api.destinations import Id, Reader
from services.notifier.domain.routes import Route
from services.notifier.store import configuration
from services.notifier.store.configuration import NoDestination
from shared.events.stock_alerts import AlertLevel
from shared.http.pages import Page
from shared.http.problems import Problem

router = APIRouter(prefix="/v1/routes", tags=["routes"])


class Match(BaseModel):
    """What an alert must be; what is left out or empty is met by all."""

    model_config = ConfigDict(extra="forbid")

    levels: Annotated[list[AlertLevel], Field(max_length=3)] = []
    labels: Annotated[dict[str, str], Field(max_length=50)] = {}
    rules: Annotated[list[str], Field(max_length=500)] = []


class RouteBody(BaseModel):
    """A route as it is put."""

    model_config = ConfigDict(extra="forbid")

    destination: str
    match: Match = Match()
    enabled: bool = True


class RouteAnswer(RouteBody):
    """A route."""

    id: str

    @classmethod
    def of(cls, route: Route) -> Self:
        """Return a stored route as it is answered."""
        match = Match(
            levels=[level for level in AlertLevel if level in route.levels],
            labels=dict(route.labels),
            rules=sorted(route.rules),
        )
        return cls(id=route.id, destination=route.destination, match=match, enabled=route.enabled)


@router.put("/{id_}")
async def put_route(
    desk: AtDesk, id_: Id, body: RouteBody, response: Response, _: Writer
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
    try:
        created = await desk.asked(lambda connection: configuration.put_route(connection, route))
    except NoDestination as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid",
            "Some fields are missing or wrong; see errors.",
            errors=[
                {
                    "field": "destination",
                    "code": "unknown",
                    "message": f"There is no destination {body.destination}; put it first.",
                }
            ],
        ) from error
    response.status_code = HTTPStatus.CREATED if created else HTTPStatus.OK
    return RouteAnswer.of(route)


@router.get("", dependencies=[Reader])
async def list_routes(desk: AtDesk) -> Page[RouteAnswer]:
    """Return all routes; there are few enough for one page."""
    found = await desk.asked(configuration.routes)
    return Page(items=[RouteAnswer.of(route) for route in found])
