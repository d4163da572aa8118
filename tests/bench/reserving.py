"""Reservations over HTTP beside a drain, as shops make them while events come in."""

import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import httpx

from deploy.local.ports import LOOPBACK, pick_free
from shared.clock import WallClock
from shared.http.auth import Scope
from shared.http.tokens import ensure_keys, mint
from shared.testing.stack import Database, Stack
from shared.testing.waiting import until
from tests.bench import messages
from tests.bench.alone import environment_of, running
from tests.bench.drain import make_levels
from tests.bench.plan import Place
from tests.bench.report import tell
from tests.bench.stage import traffic
from tests.bench.traffic import Phase
from tests.bench.workload import shelves

_AT_MOST_S = 3_600.0
_START_LIMIT_S = 60.0


@asynccontextmanager
async def reserving(
    stack: Stack, database: Database, prefix: str, per_s: float
) -> AsyncIterator[dict[str, int]]:
    """Reserve one unit so many times a second, of any level, for the length of the block.

    Yields the pids of the processes at it. The levels are made and filled before. Raises
    RuntimeError when none was reserved.
    """
    await _fill_levels(database)
    port = pick_free(1)[0]
    url = f"http://{LOOPBACK}:{port}"
    with TemporaryDirectory() as folder:
        key, jwks = Path(folder) / "key.pem", Path(folder) / "jwks.json"
        ensure_keys(key, jwks)
        token = mint(
            key,
            subject="bench",
            scopes=[Scope.RESERVATIONS_WRITE],
            now=WallClock().now(),
            lifetime=timedelta(days=1),
        )
        environment = environment_of("ledger", database, prefix, port)
        environment["LOWTIDE_JWKS_FILE"] = str(jwks)
        places = [Place(each.sku, each.warehouse) for each in shelves()]
        argv = [sys.executable, "-m", "services.ledger", "serve"]
        with running(argv, environment) as serving:
            await _ready(url)
            requests = messages.reservations(token, places, "mix")
            phase = Phase(seconds=_AT_MOST_S, requests_per_s=per_s)
            async with traffic(url, requests, [phase]) as under_way:
                yield {"serve": serving.pid, "load": under_way.process.pid}
                report = await under_way.stopped()
    answers = Counter(report.status)
    tell(f"  reservations: {dict(answers)}, {per_s:,.0f}/s asked for")
    if not answers[HTTPStatus.CREATED.value]:
        raise RuntimeError("nothing was reserved: this mix is not what it says")


async def _fill_levels(database: Database) -> None:
    await make_levels(database)
    connection = await asyncpg.connect(database.administrator_url)
    await connection.execute("UPDATE ledger.level SET on_hand = 1000000")
    await connection.execute("VACUUM ANALYZE ledger.level")
    await connection.close()


async def _ready(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:

        async def answers() -> bool:
            try:
                return (await client.get("/readyz")).is_success
            except httpx.TransportError:
                return False

        await until(answers, seconds=_START_LIMIT_S)
