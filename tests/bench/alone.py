"""A service by itself: its processes, and its API without one. The rest of the stack is away."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from fastapi import FastAPI

from deploy.local.instance import REPOSITORY, home
from shared.clock import WallClock
from shared.http.auth import Scope
from shared.http.tokens import ensure_keys, mint
from shared.testing.stack import Database


def surroundings(port: int) -> dict[str, str]:
    """Return what every process needs in its environment, and the port of its probes."""
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251 - handed on as it is
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONPYCACHEPREFIX": str(home() / "cache" / "pycache"),
        "LOWTIDE_PORT": str(port),
        "LOWTIDE_LOG_LEVEL": "warning",
        "LOWTIDE_LOG_FORMAT": "plain",
    }


def environment_of(service: str, database: Database, prefix: str, port: int) -> dict[str, str]:
    """Return the environment of a service's process."""
    return surroundings(port) | {
        "LOWTIDE_KAFKA": database.stack.bootstrap,
        "LOWTIDE_TOPIC_PREFIX": prefix,
        "LOWTIDE_DATABASE_URL": database.url(service),
    }


@contextmanager
def running(argv: Sequence[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process for the length of the block."""
    with subprocess.Popen(argv, env=environment, cwd=home()) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def keys() -> Iterator[Path]:
    """Yield a folder with a signing key, `key.pem`, and its public set, `jwks.json`."""
    with TemporaryDirectory() as named:
        folder = Path(named)
        ensure_keys(folder / "key.pem", folder / "jwks.json")
        yield folder


@asynccontextmanager
async def administrator(app: FastAPI, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of a service's API that may do everything; `folder` has the keys."""
    token = mint(
        folder / "key.pem",
        subject="bench",
        scopes=[Scope.ADMIN],
        now=WallClock().now(),
        lifetime=timedelta(hours=1),
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://alone",
            headers={"Authorization": f"Bearer {token}"},
        ) as client,
    ):
        yield client
