"""What is answered in front of the routes, and what is left to them."""

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import quote

import httpx
import pytest
from fastapi import Body, Request, Response
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared.http.app import MAX_BODY_BYTES, create_app
from shared.http.problems import not_found
from shared.http.short_way import ShortWay


async def _short(request: Request) -> Response | None:
    if request.path_params["name"] == "gone":
        raise not_found("thing")
    if request.path_params["name"] == "broken":
        raise RuntimeError("the password is hunter2")
    said = await request.body()
    if said == b'"name it"':
        return Response(request.path_params["name"])
    return None if said == b'"leave it"' else Response(b"short")


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = create_app("test", short_ways=[ShortWay("POST", "/v1/things/{name}", _short)])

    @app.post("/v1/things/{name}")
    async def thing(name: str, said: Annotated[str, Body()]) -> str:
        return f"documented: {name} {said}"

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_what_is_left_is_read_again_by_the_documented_route(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.post("/v1/things/a", json="take it")).content == b"short"
    assert (await client.post("/v1/things/a", json="leave it")).json() == "documented: a leave it"


async def test_errors_and_other_methods_are_the_applications(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/things/gone", json="take it")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:lowtide:problem:not_found")
    assert (await client.get("/v1/things/a")).status_code == 405


async def test_what_fails_unexpectedly_is_answered_and_told(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        answer = await client.post("/v1/things/broken", json="take it")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:lowtide:problem:internal")
    assert "hunter2" not in answer.text
    assert "traceparent" in answer.headers
    assert [(each["event"], each.get("status")) for each in logs] == [
        ("request failed", None),
        ("request", 500),
    ]


async def test_a_body_over_the_limit_is_refused(client: httpx.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(MAX_BODY_BYTES // 2)

    answer = await client.post("/v1/things/a", content=parts())
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:lowtide:problem:too_large")


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
