"""Applications' access tokens: one each, shared by all senders, fetched by one at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.notifier.store.secrets import Unreadable, Vault

_COLUMNS = "sealed, secret_digest, fetched_at, expires_at"

_ONE = text(f"SELECT {_COLUMNS} FROM access_token WHERE lane = :lane")  # noqa: S608 - the columns are ours

_MAKE = text("INSERT INTO access_token (lane) VALUES (:lane) ON CONFLICT (lane) DO NOTHING")

_LOCKED = text(f"SELECT {_COLUMNS} FROM access_token WHERE lane = :lane FOR UPDATE")  # noqa: S608 - the columns are ours

_PUT = text("""
UPDATE access_token
SET sealed = :sealed, secret_digest = :secret_digest, fetched_at = :fetched_at,
    expires_at = :expires_at
WHERE lane = :lane
""")


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token, when it was last asked for, and until when it should be good.

    `secret_digest` is that of the application's secret it was asked for with; None: not known.
    """

    value: SecretStr
    secret_digest: str | None
    fetched_at: datetime
    expires_at: datetime


class Turn:
    """The right to fetch an application's token: nobody else does meanwhile."""

    def __init__(
        self, connection: AsyncConnection, vault: Vault, lane: str, current: AccessToken | None
    ) -> None:
        self.current = current
        self._connection = connection
        self._vault = vault
        self._lane = lane

    async def put(self, token: AccessToken) -> None:
        """Store a token that was fetched."""
        await self._connection.execute(
            _PUT,
            {
                "lane": self._lane,
                "sealed": self._vault.seal(token.value),
                "secret_digest": token.secret_digest,
                "fetched_at": token.fetched_at,
                "expires_at": token.expires_at,
            },
        )


class AccessTokens:
    """The tokens as stored: sealed, like all that opens something."""

    def __init__(self, engine: AsyncEngine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault

    async def current(self, lane: str) -> AccessToken | None:
        """Return an application's token, if there is one."""
        async with self._engine.connect() as connection:
            return await self._read(connection, lane, locked=False)

    @asynccontextmanager
    async def turn(self, lane: str) -> AsyncIterator[Turn]:
        """Yield the right to fetch a token; whoever waits for it finds what the other fetched."""
        async with self._engine.begin() as connection:
            await connection.execute(_MAKE, {"lane": lane})
            current = await self._read(connection, lane, locked=True)
            yield Turn(connection, self._vault, lane, current)

    async def _read(
        self, connection: AsyncConnection, lane: str, *, locked: bool
    ) -> AccessToken | None:
        row = (await connection.execute(_LOCKED if locked else _ONE, {"lane": lane})).one_or_none()
        if row is None or row.sealed is None:
            return None
        try:
            value = self._vault.open(row.sealed)
        except Unreadable:  # another one is to be had
            return None
        return AccessToken(value, row.secret_digest, row.fetched_at, row.expires_at)
