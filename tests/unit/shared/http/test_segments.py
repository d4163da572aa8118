"""What a path says of codes that hold what paths are made of."""

from typing import Annotated
from urllib.parse import quote

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared.http.app import create_app
from shared.http.problems import not_found

CODES = [
    "A/B",
    "A%2FB",
    "A%252FB",
    "/",
    "//",
    "50%",
    "%",
    "a?b#c",
    "a b+c",
    "a\\b",
    "货/架 %",
    "..",
]


def _named(request: Request) -> str:
    return str(request.path_params["sku"])


@pytest.fixture
def app() -> FastAPI:
    app = create_app("test")
    # A dependency of the router, which runs before those of its routes.
    router = APIRouter(prefix="/v1/levels", dependencies=[Depends(_named)])

    @router.get("/{sku}")
    async def of_sku(sku: str) -> list[str]:
        return [sku]

    @router.get("/{sku}/{warehouse}")
    async def level(
        sku: str, warehouse: str, named: Annotated[str, Depends(_named)]
    ) -> tuple[str, str, str]:
        return sku, warehouse, named

    @router.get("/{sku}/{warehouse}/statement")
    async def statement(sku: str, warehouse: str) -> None:
        raise not_found(f"level {sku} {warehouse}")

    app.include_router(router)
    return app


@pytest.fixture
def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def escaped(code: str) -> str:
    # HTTP clients take dots alone out of a path.
    return "%2E%2E" if code == ".." else quote(code, safe="")


@pytest.mark.parametrize("code", CODES)
async def test_a_code_is_one_segment_whatever_it_holds(
    client: httpx.AsyncClient, code: str
) -> None:
    path = f"/v1/levels/{escaped(code)}"
    assert (await client.get(path)).json() == [code]
    assert (await client.get(f"{path}/W")).json() == [code, "W", code]
    assert (await client.get(f"/v1/levels/A/{escaped(code)}")).json() == ["A", code, "A"]


@pytest.mark.parametrize("spelt", ["A%2fB", "%41%2FB"])
async def test_however_a_code_is_escaped_it_is_the_same(
    client: httpx.AsyncClient, spelt: str
) -> None:
    assert (await client.get(f"/v1/levels/{spelt}")).json() == ["A/B"]


async def test_the_log_says_the_path_as_it_reads_and_the_problem_as_it_was_sent(
    client: httpx.AsyncClient,
) -> None:
    path = "/v1/levels/A%2FB/50%25/statement"
    with capture_logs() as lines:
        answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["instance"] == path
    (line,) = (each for each in lines if each["event"] == "request")
    assert line["path"] == "/v1/levels/A/B/50%/statement"


async def test_a_request_is_measured_under_its_route(client: httpx.AsyncClient) -> None:
    labels = {"method": "GET", "route": "/v1/levels/{sku}/{warehouse}", "status": "200"}

    def counted() -> float:
        return REGISTRY.get_sample_value("lowtide_http_request_seconds_count", labels) or 0

    before = counted()
    await client.get("/v1/levels/A%2FB/W")
    assert counted() == before + 1
