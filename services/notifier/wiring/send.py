"""The role `send`: what waits goes to its destinations."""

import asyncio
import random
import secrets
import socket
import ssl

from services.notifier.destinations.kinds import Renderer, transport_of
from services.notifier.destinations.links import Links
from services.notifier.destinations.transport import Means
from services.notifier.sending.forgetting import Forgetting
from services.notifier.sending.sender import Sender
from services.notifier.sending.tools import Tools
from services.notifier.settings import SecretSettings
from services.notifier.store.access_tokens import AccessTokens
from services.notifier.store.secrets import Vault
from shared.clock import Clock, WallClock
from shared.database.engine import ANSWER_SECONDS, create_engine
from shared.roles import with_probes


async def run(settings: SecretSettings, stop: asyncio.Event, clock: Clock | None = None) -> None:
    """Send what waits until told to stop."""
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=settings.database_pool,
        application="notifier send",
        answer_seconds=ANSWER_SECONDS,
    )
    clock = clock or WallClock()
    vault = Vault(settings.secret_key)
    tools = Tools(
        engine=engine,
        vault=vault,
        renderer=Renderer(settings.console_url, settings.public_url),
        means=Means(
            tls=ssl.create_default_context(),
            tokens=AccessTokens(engine, vault),
            links=Links(vault, settings.public_url),
        ),
        transport_of=transport_of,
        clock=clock,
        jitter=random.random,
    )
    sender = Sender(_name(settings), tools)
    forgetting = Forgetting(engine, clock, settings.notifier_keep_days)

    async def work(stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            upkeep = []
            if settings.notifier_forget_daily:
                upkeep.append(group.create_task(forgetting.run()))
            await sender.run(stop)
            for each in upkeep:
                each.cancel()

    try:
        checks = {"sender": sender.check}
        await with_probes(settings, checks, work, stop)
    finally:
        await engine.dispose()


def _name(settings: SecretSettings) -> str:
    """Return a name that a restart of the same instance has again, and no other process."""
    if settings.instance is not None:
        return f"instance-{settings.instance}"
    return f"{socket.gethostname()}-{secrets.token_hex(8)}"
