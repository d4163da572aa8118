"""Alembic, run from code: each service's migrations in its own schema by its own user."""

import asyncio
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

_SERVICES = Path(__file__).resolve().parents[2] / "services"


def has_migrations(service: str) -> bool:
    """Return whether a service owns any tables."""
    return (_SERVICES / service / "store" / "migrations" / "versions").is_dir()


async def upgrade(url: str, service: str, revision: str = "head") -> None:
    """Bring a service's schema up to a revision; does nothing when it is there already.

    `url` is `postgresql://` with the service's own user.
    """
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool
    )
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, service, revision)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, service: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_SERVICES / service / "store" / "migrations"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    with EnvironmentContext(
        config,
        script,
        fn=lambda current, _context: script._upgrade_revs(revision, current),  # noqa: SLF001 - Alembic's own command does the same
    ) as environment:
        environment.configure(
            connection=connection,
            target_metadata=None,
            version_table="schema_version",
            version_table_schema=service,
            transaction_per_migration=False,
        )
        with environment.begin_transaction():
            environment.run_migrations()


def upgrade_blocking(url: str, service: str) -> None:
    """Do the same from a command line."""
    asyncio.run(upgrade(url, service))
