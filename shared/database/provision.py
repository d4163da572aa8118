"""Create the database, and for each service a schema and a login user that sees nothing else."""

from collections.abc import Mapping

import asyncpg

SERVICES = ("ingest", "ledger", "alerting", "notifier")
"""The services that own data; the schema and the user carry the service's name."""


async def create_database(admin_url: str, database: str) -> None:
    """Create an empty database unless it exists."""
    connection = await asyncpg.connect(admin_url)
    try:
        exists = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname=$1", database)
        if not exists:
            await connection.execute(f"CREATE DATABASE {_quoted(database)}")
    finally:
        await connection.close()


async def provision(database_admin_url: str, passwords: Mapping[str, str]) -> None:
    """Create schemas and users in one database; safe to repeat (passwords are set anew).

    `database_admin_url` names the database itself with a superuser; `passwords` has one entry
    per service of `SERVICES`.
    """
    connection = await asyncpg.connect(database_admin_url)
    try:
        async with connection.transaction():
            # Users belong to the whole server: databases provisioned side by side take turns. An
            # advisory lock would be one database's own, while the table of users is everybody's.
            await connection.execute("LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE")
            await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            for service in SERVICES:
                await _provision_service(connection, service, passwords[service])
    finally:
        await connection.close()


async def _provision_service(connection: asyncpg.Connection, service: str, password: str) -> None:
    user = _quoted(service)
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", service):
        await connection.execute(f"CREATE ROLE {user} LOGIN")
    await connection.execute(f"ALTER ROLE {user} PASSWORD {_literal(password)}")
    await connection.execute(f"ALTER ROLE {user} SET search_path = {user}")
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {user} AUTHORIZATION {user}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
