"""The frame of every service's HTTP: limits, problems, probes, traces."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI, Query, Request
from fastapi import Path as UrlPath
from pydantic import BaseModel
from structlog.testing import capture_logs

from shared.clock import WallClock
from shared.errors import Unavailable
from shared.http import auth
from shared.http.app import MAX_BODY_BYTES, create_app
from shared.http.auth import Keys, Verifier
from shared.http.problems import MEDIA_TYPE, Problem, not_found
from shared.testing.waiting import until


class Thing(BaseModel):
    name: str


def application(problem: str | None = None) -> FastAPI:
    async def check() -> str | None:
        return problem

    app = create_app("test", checks={"database": check})

    @app.post("/things")
    async def post(thing: Thing) -> Thing:
        return thing

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.get("/numbers")
    async def numbers(limit: Annotated[int, Query(ge=1, le=500)]) -> int:
        return limit

    @app.get("/missing")
    async def missing() -> None:
        raise not_found("thing of that name")

    @app.get("/away")
    async def away() -> None:
        raise Unavailable("the database", retry_after_seconds=7)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the password is hunter2")

    @app.get("/trace")
    async def trace(request: Request) -> str:
        return str(request.state.traceparent)

    return app


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as connected:
        yield connected


def problem_of(answer: httpx.Response) -> dict[str, object]:
    assert answer.headers["content-type"] == MEDIA_TYPE
    document: dict[str, object] = answer.json()
    assert document["status"] == answer.status_code
    assert document["instance"] == answer.request.url.path
    assert {"type", "title", "detail"} <= document.keys()
    return document


async def in_parts(size: int) -> AsyncIterator[bytes]:
    part = b"x" * 65_536
    for start in range(0, size, len(part)):
        yield part[: size - start]


@pytest.mark.parametrize("path", ["/raw", "/things"])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in parts"])
async def test_a_body_over_the_limit_is_too_large_whatever_its_headers_say(
    client: httpx.AsyncClient, path: str, declared: bool
) -> None:
    size = MAX_BODY_BYTES + 1
    content = b"x" * size if declared else in_parts(size)
    answer = await client.post(path, content=content)
    assert ("content-length" in answer.request.headers) == declared
    document = problem_of(answer)
    assert (answer.status_code, document["type"]) == (413, "urn:lowtide:problem:too_large")
    assert "5 MiB" in str(document["detail"])


async def test_a_body_of_a_false_length_is_measured(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/raw", content=in_parts(MAX_BODY_BYTES + 1), headers={"content-length": "10"}
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in parts"])
async def test_a_body_at_the_limit_is_taken(client: httpx.AsyncClient, declared: bool) -> None:
    content = b"x" * MAX_BODY_BYTES if declared else in_parts(MAX_BODY_BYTES)
    answer = await client.post("/raw", content=content)
    assert (answer.status_code, answer.json()) == (200, MAX_BODY_BYTES)


async def test_a_body_that_is_not_json_is_a_400(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/things", content=b"{", headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert problem_of(answer)["type"] == "urn:lowtide:problem:not_json"


async def test_wrong_fields_are_named(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things", json={"name": 7})
    assert answer.status_code == 422
    (error,) = json.loads(answer.content)["errors"]
    assert (error["field"], error["code"]) == ("name", "string_type")
    assert (await client.get("/numbers?limit=501")).status_code == 422


async def test_what_is_missing_and_what_is_not_allowed_are_problems(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/missing")
    assert problem_of(answer)["detail"] == "There is no thing of that name."
    assert problem_of(await client.get("/nowhere"))["type"] == "urn:lowtide:problem:not_found"
    answer = await client.delete("/missing")
    assert answer.status_code == 405
    assert problem_of(answer)["type"] == "urn:lowtide:problem:method_not_allowed"
    assert answer.headers["allow"] == "GET"


async def test_what_is_away_says_when_to_come_back(client: httpx.AsyncClient) -> None:
    answer = await client.get("/away")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "7"
    assert "the database cannot be reached" in str(problem_of(answer)["detail"])


async def test_a_mistake_of_ours_tells_nothing_of_the_inside(client: httpx.AsyncClient) -> None:
    answer = await client.get("/broken")
    assert answer.status_code == 500
    assert problem_of(answer)["type"] == "urn:lowtide:problem:internal"
    assert "hunter2" not in answer.text


async def test_a_problem_carries_members_of_its_own() -> None:
    problem = Problem(422, "invalid", "Wrong.", errors=[1])  # type: ignore[arg-type] # as 422 reads
    assert problem.extra == {"errors": [1]}


async def test_a_trace_goes_on_and_comes_back(client: httpx.AsyncClient) -> None:
    given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = await client.get("/trace", headers={"traceparent": given})
    assert answer.headers["traceparent"] == answer.json()
    assert answer.json().split("-")[1] == given.split("-")[1]
    assert answer.json() != given


TOLD = {"/numbers?limit=1": "debug", "/missing": "info", "/away": "warning", "/broken": "warning"}


@pytest.mark.parametrize(("path", "level"), TOLD.items(), ids=TOLD)
async def test_a_request_that_was_refused_or_failed_is_told_by_default(
    client: httpx.AsyncClient, path: str, level: str
) -> None:
    with capture_logs() as lines:
        answer = await client.get(path)
    (line,) = (each for each in lines if each["event"] == "request")
    assert (line["log_level"], line["status"]) == (level, answer.status_code)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/doors/hunter2", 200),
        ("HEAD", "/doors/hunter2", 405),
        ("GET", "/doors/hunter2%3E", 422),
        ("GET", "/doors%2Fhunter2", 404),
        ("GET", "/lowtide/doors/hunter2", 404),
        ("GET", "/doors/awayhunter2", 503),
        ("GET", "/doors/brokenhunter2", 500),
    ],
)
async def test_what_lets_its_bearer_in_is_not_in_the_log_whatever_is_answered(
    method: str, path: str, status: int
) -> None:
    app = create_app("test", secret_below=("/doors/",))

    @app.get("/doors/{key}")
    async def door(key: Annotated[str, UrlPath(pattern="^[a-z0-9]+$")]) -> None:
        if key.startswith("away"):
            raise Unavailable("the database")
        if key.startswith("broken"):
            raise RuntimeError("it is broken")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with capture_logs() as lines:
            answer = await client.request(method, path)
    assert answer.status_code == status
    (line,) = (each for each in lines if each["event"] == "request")
    assert line["path"].endswith("/doors/****")
    assert "hunter2" not in str(lines)


async def test_probes_say_what_is_wrong() -> None:
    for problem, status in ((None, 200), ("the database cannot be reached", 503)):
        transport = httpx.ASGITransport(application(problem))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            assert (await client.get("/healthz")).status_code == 200
            ready = await client.get("/readyz")
            assert ready.status_code == status
            assert ready.json()["problems"] == ({"database": problem} if problem else {})
            assert b"lowtide_" in (await client.get("/metrics")).content


async def test_without_keys_a_service_is_not_ready() -> None:
    app = create_app("test", verifier=Verifier(Keys(), WallClock()))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        ready = await client.get("/readyz")
    assert ready.status_code == 503
    assert "LOWTIDE_JWKS_FILE" in ready.json()["problems"]["keys"]


async def has_read(keys: Keys, edition: int) -> bool:
    return keys.edition == edition


async def test_a_service_reads_its_keys_again_while_it_runs(
    key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "_FRESH_SECONDS", 0.01)
    monkeypatch.setattr(auth, "_REREAD_SECONDS", 0)
    file = key.parent / "jwks.json"
    keys = Keys(file=file)
    told = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        told.append("begins")
        yield
        told.append("ends")

    app = create_app("test", verifier=Verifier(keys, WallClock()), lifespan=lifespan)
    async with app.router.lifespan_context(app):
        await until(partial(has_read, keys, 1))
        document = json.loads(file.read_text(encoding="ascii"))
        document["keys"][0]["kid"] = "another"
        file.write_text(json.dumps(document), encoding="ascii")
        await until(partial(has_read, keys, 2))
    assert told == ["begins", "ends"]
