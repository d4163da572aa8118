"""Look into a database for a test, without a new connection for each look."""

from collections.abc import Sequence

import asyncpg


class Onlooker:
    """Asks tables; a connection that is idle is asked again. Use with `contextlib.aclosing`.

    A look while another one waits, for a lock for instance, has a connection of its own.
    """

    def __init__(self, url: str, **settings: str) -> None:
        """Look with the rights of the URL's user; `settings` are the server's, of the session."""
        self._url = url
        self._settings = settings
        self._idle: list[asyncpg.Connection] = []

    async def aclose(self) -> None:
        """Close what is open."""
        while self._idle:
            await self._idle.pop().close()

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Return what a query finds."""
        while self._idle:
            try:
                return await self._ask(self._idle.pop(), query, arguments)
            except (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, OSError):
                continue  # it was ended meanwhile
            except asyncpg.InterfaceError:
                continue  # and that is known already
        return await self._ask(await self._connected(), query, arguments)

    async def _ask(
        self, connection: asyncpg.Connection, query: str, arguments: Sequence[object]
    ) -> list[asyncpg.Record]:
        try:
            found: list[asyncpg.Record] = await connection.fetch(query, *arguments)
        except BaseException:
            connection.terminate()
            raise
        self._idle.append(connection)
        return found

    async def _connected(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            self._url,
            server_settings=self._settings,
            # Tables may change between two looks.
            statement_cache_size=0,
        )
