"""What is answered in front of the routes, and what is left to them."""

from typing import Annotated
from urllib.parse import quote

import httpx
import pytest
from fastapi import Body, Request, Response
from prometheus_client import REGISTRY

from shared.http.app import create_app
from shared.http.problems import not_found
from shared.http.short_way import ShortWay, add_short_ways


async def _short(request: Request) -> Response | None:
    if request.path_params["name"] == "gone":
        raise not_found("thing")
    said = await request.body()
    if said == b'"name it"':
        return Response(request.path_params["name"])
    return None if said == b'"leave it"' else Response(b"short")


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = create_app("test")

    @app.post("/v1/things/{name}")
    async def thing(name: str, said: Annotated[str, Body()]) -> str:
        return f"documented: {name} {said}"

    add_short_ways(app, ShortWay("POST", "/v1/things/{name}", _short))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_what_is_left_is_read_again_by_the_documented_route(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.post("/v1/things/a", json="take it")).content == b"short"
    assert (await client.post("/v1/things/a", json="leave it")).json() == "documented: a leave it"


async def test_errors_and_other_methods_are_the_applications(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/things/gone", json="take it")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:lowtide:problem:not_found")
    assert (await client.get("/v1/things/a")).status_code == 405


async def test_a_short_way_is_measured_under_the_name_of_its_route(
    client: httpx.AsyncClient,
) -> None:
    labels = {"method": "POST", "route": "/v1/things/{name}", "status": "200"}

    def counted() -> float:
        return REGISTRY.get_sample_value("lowtide_http_request_seconds_count", labels) or 0

    before = counted()
    await client.post("/v1/things/a", json="take it")
    assert counted() == before + 1


@pytest.mark.parametrize("name", ["A/B", "A%2FB", "50%"])
async def test_a_short_way_reads_a_name_as_the_documented_route_does(
    client: httpx.AsyncClient, name: str
) -> None:
    path = f"/v1/things/{quote(name, safe='')}"
    assert (await client.post(path, json="name it")).text == name
    assert (await client.post(path, json="leave it")).json() == f"documented: {name} leave it"
