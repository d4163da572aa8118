"""Whatever a client sends, what comes back is in the service's OpenAPI document, and never a 5xx.

Schemathesis makes requests from the document itself, fitting and not; some of them name things
that there are. The services run in this process on the real database and broker.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import schemathesis
from cryptography.fernet import Fernet
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Send
from starlette.types import Scope as ASGIScope

from services.alerting.settings import AlertingSettings
from services.alerting.wiring import serve as alerting_serve
from services.ingest.settings import IngestSettings
from services.ingest.wiring import serve as ingest_serve
from services.ledger.settings import LedgerSettings
from services.ledger.wiring import serve as ledger_serve
from services.notifier.settings import SecretSettings
from services.notifier.wiring import serve as notifier_serve
from shared.clock import WallClock
from shared.http.auth import Scope
from shared.http.problems import MEDIA_TYPE
from shared.http.tokens import ensure_keys, mint
from shared.testing.stack import Database, Stack
from shared.testing.waiting import until
from tests.depth import examples
from tests.integration.ledger.service import change, ledger_on

EVENTS = "text/event-stream"
CHECKED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
Operation = APIOperation[Any, Any, Any, Any]
ID = "00000000-0000-4000-8000-000000000001"
THERE = {
    "sku": "A",
    "warehouse": "W",
    "channel": "shop",
    "rule_id": "rule",
    "id_": "buyers",
    "alert_id": ID,
    "action_id": ID,
    "order_id": ID,
}
"""Names that there are, by the parameter that takes them."""

AN_ALERT = f"""
INSERT INTO known_level VALUES ('A', 'W', 0, 1, 5, 0, 5, 5, now(), 0, 20000, 0, '{{}}', 19000);
INSERT INTO alert (id, number, revision, rule_id, subject_kind, sku, warehouse, level, rule, labels,
                   facts, opened_at)
VALUES ('{ID}', 1, 1, 'low', 'level', 'A', 'W', 'watch',
        '{{"id": "low", "version": 1, "kind": "below", "name": {{"en": "Low"}}}}', '{{}}',
        '{{"available": 5, "on_hand": 5, "low_water": 5, "threshold": 20}}', now());
INSERT INTO purchase_order VALUES ('{ID}', nextval('purchase_order_number'), 'ACME', now());
INSERT INTO action (id, number, alert_id, kind, state, sku, warehouse, quantity, supplier, order_id,
                    line, needs_approval, requested_by, requested_at)
VALUES ('{ID}', nextval('action_number'), '{ID}', 'buy', 'proposed', 'A', 'W', 9, 'ACME', '{ID}', 1,
        true, 'buyer', now());
"""  # noqa: S608 - the id is ours
"""Rows of alerting under the ids that are asked for."""


@dataclass(frozen=True)
class Ground:
    """What a service is set up on."""

    stack: Stack
    database: Database
    topics: str
    keys: Path

    def settings(self, service: str) -> dict[str, object]:
        return {
            "kafka": self.stack.bootstrap,
            "topic_prefix": self.topics,
            "database_url": SecretStr(self.database.url(service)),
            "jwks_file": self.keys / "jwks.json",
        }

    def token(self) -> str:
        return mint(
            self.keys / "key.pem",
            subject="anyone",
            scopes=list(Scope),
            now=WallClock().now(),
            lifetime=timedelta(hours=1),
        )


@asynccontextmanager
async def of_ledger(ground: Ground) -> AsyncIterator[FastAPI]:
    chosen = LedgerSettings.model_validate(ground.settings("ledger"))
    async with (
        ledger_on(chosen, ground.database, ground.token()) as service,
        service.consuming(),
    ):
        await service.publish(
            change(id="1", type="receipt", quantity=9),
            change(id="1", type="receipt", quantity=9),
            change(id="2", type="order_placed", quantity=2, reference="7"),
            change(id="3", type="supply_expected", quantity=5, reference="PO 1"),
            change(id="4", type="transfer_shipped", quantity=3, counterparty="N"),
            change(id="5", type="count", quantity=2, bucket="unavailable"),
        )
        await service.until_tallied(movements=5, repeats=1)
    app = ledger_serve.application(chosen)

    async def nobody_follows() -> bool:
        return not any("LevelTail._follow" in repr(each) for each in asyncio.all_tasks())

    async with app.router.lifespan_context(app):
        yield app
        # Who hung up last is not waited for, but what was read for them is closed in its own time.
        await until(nobody_follows)


@asynccontextmanager
async def of_ingest(ground: Ground) -> AsyncIterator[FastAPI]:
    async with ingest_serve.serving(
        IngestSettings.model_validate(ground.settings("ingest")), WallClock()
    ) as serving:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(serving.app),
            base_url="http://ingest",
            headers={"Authorization": f"Bearer {ground.token()}"},
        ) as client:
            await client.put("/v1/channels/shop", json={"name": "Shop", "kind": "api"})
            await client.put("/v1/warehouses/W", json={"name": "W", "zone": "Europe/London"})
            await client.post("/v1/skus", json={"items": [{"sku": "A"}]})
        yield serving.app


@asynccontextmanager
async def of_alerting(ground: Ground) -> AsyncIterator[FastAPI]:
    connection = await asyncpg.connect(ground.database.url("alerting"))
    await connection.execute(AN_ALERT)
    await connection.close()
    app = alerting_serve.application(AlertingSettings.model_validate(ground.settings("alerting")))
    async with app.router.lifespan_context(app):
        await app.state.desk._reader.caught_up.wait()
        yield app


@asynccontextmanager
async def of_notifier(ground: Ground) -> AsyncIterator[FastAPI]:
    key = SecretStr(Fernet.generate_key().decode())
    app = notifier_serve.application(
        SecretSettings.model_validate(ground.settings("notifier") | {"secret_key": key})
    )
    async with app.router.lifespan_context(app):
        yield app


SERVICES: dict[str, Callable[[Ground], AbstractAsyncContextManager[FastAPI]]] = {
    "ledger": of_ledger,
    "ingest": of_ingest,
    "alerting": of_alerting,
    "notifier": of_notifier,
}


class FirstEvents:
    """Answers as an application does, to a client that hangs up after the first events."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        endless = over = False

        async def passed_on(message: Message) -> None:
            nonlocal endless, over
            if over:
                return
            if message["type"] == "http.response.start":
                endless = Headers(scope=message).get("content-type", "").startswith(EVENTS)
            elif endless:
                over = True
                message = {**message, "more_body": False}
            await send(message)

        await self._app(scope, receive, passed_on)


class Client:
    """Asks an application in its own loop, from code that has none."""

    def __init__(self, runner: asyncio.Runner, app: FastAPI, token: str) -> None:
        self._run = runner.get_loop().run_until_complete
        self._token = token
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(FirstEvents(app), raise_app_exceptions=False),
            base_url="http://service",
        )

    def ask(self, case: Case[Any]) -> httpx.Response:
        """Send what was made up, as it is."""
        told = case.as_transport_kwargs(
            base_url="http://service", headers={"Authorization": f"Bearer {self._token}"}
        )
        body = told.pop("data", None)
        kind = "content" if isinstance(body, bytes | str) else "data"
        asked = {name: told[name] for name in REQUEST & told.keys()}
        return self._run(self._client.request(**asked, **{kind: body}))


STREAM = "/v1/stream/levels"


def test_a_streams_first_events_and_its_refusals_are_documented(
    stack: Stack, database: Database, topics: str, tmp_path: Path
) -> None:
    ensure_keys(tmp_path / "key.pem", tmp_path / "jwks.json")
    ground = Ground(stack, database, topics, tmp_path)
    with asyncio.Runner() as runner, served(runner, of_ledger(ground)) as app:
        client = Client(runner, app, ground.token())
        (operation,) = (each for each in operations(app) if each.path == STREAM)

        def ask(
            query: dict[str, object] | None = None, headers: dict[str, str] | None = None
        ) -> httpx.Response:
            case = operation.Case(query=query or {}, headers=headers or {})
            answer = client.ask(case)
            case.validate_response(
                answer, checks=[each for each in CHECKED if each is not not_a_server_error]
            )
            return answer

        document = app.openapi()
        said = document["paths"][STREAM]["get"]["responses"]["200"]["content"][EVENTS]["itemSchema"]
        events = ask(query={"sku": ["A"], "snapshot": True}).text.split("\n\n")
        heard = [dict(line.split(": ", 1) for line in each.splitlines()) for each in events if each]
        assert {name for each in heard for name in each} == said["properties"].keys()
        levels = [json.loads(each["data"]) for each in heard if "data" in each]
        assert [each["event"] for each in heard if "data" in each] == ["level"] * 2
        fields = document["components"]["schemas"]["Level"]["properties"]
        assert all(each.keys() == fields.keys() for each in levels)

        last_id = heard[-1]["id"]
        assert ask(headers={"last-event-id": last_id}).status_code == 200
        assert ask(headers={"last-event-id": "nonsense"}).status_code == 422
        assert ask(query={"snapshot": True}).status_code == 422
        assert ask(query={"sku": ["A"] * 101}).status_code == 422
        app.state.tail._limit = 0
        full = ask()
        assert (full.status_code, full.headers["content-type"]) == (503, MEDIA_TYPE)


REQUEST = {"method", "url", "headers", "params", "json"}


def operations(app: FastAPI) -> Iterator[Operation]:
    """Yield what an application's document describes."""
    for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


def cases(operation: Operation) -> st.SearchStrategy[Case[Any]]:
    """Return requests that fit and that do not, some of them about what there is."""
    names = [each.name for each in operation.path_parameters]
    there = {name: THERE[name] for name in names if name in THERE}
    kinds = [operation.as_strategy()]
    if there:
        kinds.append(operation.as_strategy(path_parameters=there))
    if operation.body or operation.query or operation.path_parameters:
        kinds.append(operation.as_strategy(GenerationMode.NEGATIVE))
    return st.one_of(kinds)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", SERVICES)
def test_every_answer_is_documented(
    service: str, stack: Stack, database: Database, topics: str, tmp_path: Path
) -> None:
    ensure_keys(tmp_path / "key.pem", tmp_path / "jwks.json")
    ground = Ground(stack, database, topics, tmp_path)
    with asyncio.Runner() as runner, served(runner, SERVICES[service](ground)) as app:
        client = Client(runner, app, ground.token())
        for operation in operations(app):

            @settings(
                max_examples=examples(5),
                derandomize=True,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=cases(operation))
            def answers_are_documented(case: Case[Any]) -> None:
                answer = client.ask(case)
                case.validate_response(answer, checks=CHECKED)

            answers_are_documented()


@contextmanager
def served(
    runner: asyncio.Runner, application: AbstractAsyncContextManager[FastAPI]
) -> Iterator[FastAPI]:
    """Yield an application that lives in a task of its own; whoever asks has to run the loop."""
    loop = runner.get_loop()
    started: asyncio.Future[FastAPI] = loop.create_future()
    stop = asyncio.Event()

    async def live() -> None:
        async with application as app:
            started.set_result(app)
            await stop.wait()

    async def until_started(life: "asyncio.Task[None]") -> FastAPI:
        either: list[asyncio.Future[Any]] = [life, started]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            await life
        return started.result()

    life = loop.create_task(live())
    try:
        yield loop.run_until_complete(until_started(life))
    finally:
        stop.set()
        loop.run_until_complete(asyncio.wait({life}))
