"""Two processes of each role of alerting and notifier, and all who talk with them."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import asyncpg
import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr

from deploy.local.ports import LOOPBACK, pick_free
from services.alerting.settings import AlertingSettings
from services.notifier.settings import SecretSettings
from shared.http.tokens import ensure_keys
from shared.testing import webhook
from shared.testing.ingest import FakeIngest
from shared.testing.stack import Database, Stack
from shared.testing.webhook import FakeReceiver
from shared.testing.wecom_app import FakeWecomApp
from tests.faults.between import Between, between
from tests.faults.response_traffic import (
    PLAYBOOK,
    RULE,
    USER,
    WAREHOUSE,
    Outside,
    Traffic,
    some_time,
)
from tests.integration.alerting.service import Alerting, alerting_on
from tests.integration.notifier.service import Notifier, running

ROLES = (
    ("alerting", "consume"),
    ("alerting", "tick"),
    ("notifier", "consume"),
    ("notifier", "send"),
)
NAMES = [f"{service} {role}" for service, role in ROLES]
TOKEN = "ingest lets this one in"
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
PEOPLE = (USER, "boss")

Go = Callable[[Traffic], Awaitable[None]]
"""Something that makes traffic."""


@dataclass(frozen=True)
class Scene:
    """The processes by role, and what goes on around them."""

    ways: Mapping[str, tuple[Between, ...]]
    traffic: Traffic
    prefix: str

    async def troubles(self) -> dict[str, str]:
        """Return what each process says of itself, for whoever has waited in vain."""
        found = {}
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            for name, ways in self.ways.items():
                for number, way in enumerate(ways):
                    url = f"http://{LOOPBACK}:{way.environment['LOWTIDE_PORT']}/readyz"
                    try:
                        found[f"{name} {number}"] = (await client.get(url)).text
                    except httpx.TransportError as error:
                        found[f"{name} {number}"] = repr(error)
        return found

    async def goes_on(self, go: Go, *, seconds: float) -> None:
        """Let traffic flow for a while."""
        until_at = time.monotonic() + seconds
        while time.monotonic() < until_at:
            await go(self.traffic)
            await some_time(seconds=min(1, seconds))


@asynccontextmanager
async def processes(
    database: Database, environment: Mapping[str, str], folder: Path
) -> AsyncIterator[Mapping[str, tuple[Between, ...]]]:
    """Yield two processes of each role, kept alive."""
    ways: dict[str, tuple[Between, ...]] = {}
    async with AsyncExitStack() as held:
        for service, role in ROLES:
            ways[f"{service} {role}"] = tuple(
                [
                    await held.enter_async_context(
                        between(
                            (f"services.{service}", role),
                            database.url(service),
                            {
                                **environment,
                                "LOWTIDE_INSTANCE": str(number),
                                "LOWTIDE_PORT": str(port),
                            },
                            folder / f"{service}-{role}-{number}.log",
                        )
                    )
                    for number, port in enumerate(pick_free(2))
                ]
            )
        async with asyncio.TaskGroup() as group:
            everybody = [way for some in ways.values() for way in some]
            keeping = [group.create_task(way.kept_alive()) for way in everybody]
            yield ways
            for task in keeping:
                task.cancel()


@asynccontextmanager
async def opened(
    stack: Stack, database: Database, topics: str, seed: int, folder: Path
) -> AsyncIterator[Scene]:
    """Yield everything furnished, with the processes on their way."""
    key, jwks = folder / "key.pem", folder / "jwks.json"
    ensure_keys(key, jwks)
    secret_key = Fernet.generate_key().decode()
    app, receiver, ingest = FakeWecomApp(PEOPLE), FakeReceiver(SECRET), FakeIngest(TOKEN)
    of_alerting = AlertingSettings(
        kafka=stack.bootstrap,
        topic_prefix=topics,
        database_url=SecretStr(database.url("alerting")),
        jwks_file=jwks,
    )
    of_notifier = SecretSettings(
        kafka=stack.bootstrap,
        topic_prefix=topics,
        database_url=SecretStr(database.url("notifier")),
        jwks_file=jwks,
        secret_key=SecretStr(secret_key),
    )
    async with AsyncExitStack() as held:
        alerting = await held.enter_async_context(alerting_on(of_alerting, database, key))
        notifier = await held.enter_async_context(running(of_notifier, database, key))
        ingest_url = await held.enter_async_context(ingest.serving())
        tables = await asyncpg.connect(database.administrator_url)
        held.push_async_callback(tables.close)
        outside = Outside(notifier.wecom, app, notifier.mailbox, receiver, ingest)
        app_url = await held.enter_async_context(app.serving())
        hook = await held.enter_async_context(receiver.serving()) + webhook.PATH
        await furnish_notifier(notifier, app, app_url, hook)
        await furnish_alerting(alerting)
        callback = await held.enter_async_context(notifier.answering())
        environment = {
            "LOWTIDE_KAFKA": stack.bootstrap,
            "LOWTIDE_TOPIC_PREFIX": topics,
            "LOWTIDE_SECRET_KEY": secret_key,
            "LOWTIDE_INGEST_URL": ingest_url,
            "LOWTIDE_SERVICE_TOKEN": TOKEN,
        }
        ways = await held.enter_async_context(processes(database, environment, folder))
        chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
        traffic = Traffic(alerting, outside, f"{callback}/callbacks/wecom/app", tables, chance)
        yield Scene(ways, traffic, topics)


async def furnish_notifier(notifier: Notifier, app: FakeWecomApp, app_url: str, hook: str) -> None:
    """Put the four destinations; each is told everything."""
    await notifier.bot("bot")
    await notifier.application(app, app_url, to=[USER])
    await notifier.mail()
    await notifier.put("hook", "webhook", {"url": hook, "secret": SECRET})


async def furnish_alerting(alerting: Alerting) -> None:
    """Put people, a rule and its playbook; everything is told at once."""
    for person in PEOPLE:
        body = {"name": person, "wecom_userid": person}
        await alerting.client.put(f"/v1/people/{person}", json=body)
    row = {"warehouse": WAREHOUSE, "owner": USER, "manager": "boss"}
    await alerting.ask("PUT", "/v1/responsibilities", {"items": [row]})
    await alerting.ask("PUT", "/v1/attention-policy", {"enabled": False})
    await alerting.ask("PUT", "/v1/playbooks/quick", PLAYBOOK, HTTPStatus.CREATED)
    await alerting.put_rule("low", **RULE)
