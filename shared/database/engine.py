"""Connections to PostgreSQL: SQLAlchemy's asyncio engine on asyncpg, with bounds on everything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

import asyncpg
from asyncpg.protocol import protocol
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.errors import Unavailable

Connection: TypeAlias = AsyncConnection
Engine: TypeAlias = AsyncEngine
"""What code outside stores names when it passes a connection or engine on."""

Driver: TypeAlias = asyncpg.Connection
"""asyncpg's own connection."""

STATEMENT_TIMEOUT_MS = 30_000
ANSWER_SECONDS = 35.0
"""What a role waits for an answer to one command that the server itself ends after thirty seconds:
without one by then the server is gone, or silent, and a network may never tell."""

LOCK_TIMEOUT_MS = 10_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 15_000
"""A process that hangs inside a transaction holds its locks no longer, so that whoever takes its
partitions over may go on; longer than a delivery to the broker, the slowest thing done in one."""


_TROUBLE_SECONDS = 2.0

# By these the driver asks each element of an array whether it is one itself. Its own, two abstract
# classes, take half a microsecond: an eighth of what a change costs ledger and alerting.
protocol.IterableABC = protocol.SizedABC = (list, tuple)


def create_engine(
    url: str,
    *,
    pool: int = 8,
    application: str = "lowtide",
    answer_seconds: float | None = None,
) -> AsyncEngine:
    """Return an engine for `postgresql://user:password@host:port/database`.

    `answer_seconds` is for who sets no statement_timeout of its own: ANSWER_SECONDS. A command
    without an answer by then is a TimeoutError; without it, one waits for ever.
    """
    return create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=pool,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=False,
        connect_args={
            "timeout": 5,
            "command_timeout": answer_seconds,
            "server_settings": {
                "application_name": application,
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
                "timezone": "UTC",
                "jit": "off",
            },
        },
    )


async def driver(connection: AsyncConnection) -> Driver:
    """Return asyncpg's own connection beneath one of SQLAlchemy's: for COPY, arrays and `Direct`.

    In a transaction that has been begun, it is in it: SQLAlchemy begins with its first statement.
    """
    sync = connection.sync_connection
    if sync is None or connection.invalidated:
        raw = await connection.get_raw_connection()
    else:
        raw = sync.connection  # the same, without a change of greenlets
    found: Driver = raw.driver_connection
    adapted: Any = raw.dbapi_connection
    if connection.in_transaction() and adapted._transaction is None:  # noqa: SLF001 - nobody else says
        try:
            await adapted._start_transaction()  # noqa: SLF001 - as above
        except BaseException as error:
            # Whether it has begun is not known, and it would be handed out to others as it is.
            await _let_go(connection, found, error)
            if isinstance(error, adapted.dbapi.Error):
                raise error.__cause__ or error from None  # what SQLAlchemy itself would catch only
            raise
    return found


async def mind(connection: AsyncConnection, used: Driver, error: BaseException) -> None:
    """Let a connection go that has ended, or is in the middle of something.

    SQLAlchemy hears only of what it does itself.
    """
    if used.is_closed() or isinstance(error, TimeoutError) or not isinstance(error, Exception):
        await _let_go(connection, used, error)


async def _let_go(connection: AsyncConnection, used: Driver, error: BaseException) -> None:
    sync = connection.sync_connection
    if used.is_closed() and sync is not None and not sync.invalidated:
        # What has ended this one has most likely ended all that were made before.
        sync.engine.pool._invalidate(sync.connection, error, _checkin=False)  # noqa: SLF001 - as it does
    await connection.invalidate()


def hang_up(connection: AsyncConnection) -> None:
    """Break a connection where it is: whoever waits for an answer on it gets an error at once.

    For a server that does not answer any more. Cancelling the wait would only begin another one,
    for the server to say that it has cancelled.
    """
    if connection.sync_connection is not None and not connection.invalidated:
        found: Driver | None = connection.sync_connection.connection.driver_connection
        if found is not None:
            found.terminate()


@asynccontextmanager
async def snapshot(
    engine: Engine, *, holding: str | None = None, bounded: bool = False
) -> AsyncIterator[Connection]:
    """Yield a connection that sees the database as it is now, whatever is committed meanwhile.

    What is read in it takes as long as it takes, unless it is `bounded`: then each command has the
    time that it has anywhere else, and so has what passes between two. Tables are not part of what
    is seen: `holding` names one that must keep its partitions.
    """
    async with engine.connect() as connection:
        reading = await connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        async with reading.begin():
            if holding is not None:
                await reading.execute(text(f"LOCK TABLE ONLY {holding} IN ACCESS SHARE MODE"))
            if not bounded:
                await reading.execute(text("SET LOCAL statement_timeout = 0"))
                await reading.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            await reading.execute(text("SELECT 1"))  # only now it is taken
            yield reading


_RETRY_STATES = {"40001", "40P01", "55P03"}
"""serialization_failure, deadlock_detected, lock_not_available: nothing was done, try again."""

_TOO_SLOW_STATE = "57014"
"""query_canceled, by statement_timeout."""

_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,  # "cannot switch to state": hung up in the middle of an answer
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    PoolTimeout,
    OSError,  # with ConnectionError and TimeoutError below it
)
_AWAY_STATES = {"57P01", "57P02", "57P03", "53300", "53100", "25006"}
"""admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections, and of one that takes
nothing: disk_full, read_only_sql_transaction."""


def causes(error: BaseException) -> list[BaseException]:
    """Return an error with all that it was raised from, outermost first."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = getattr(current, "orig", None) or current.__cause__ or current.__context__
    return chain


def is_retryable(error: BaseException) -> bool:
    """Return whether the transaction was rolled back for a reason that a repeat may not meet."""
    return any(getattr(cause, "sqlstate", None) in _RETRY_STATES for cause in causes(error))


def is_away(error: BaseException) -> bool:
    """Return whether the database could not be reached, hung up, or takes nothing.

    The outcome may be unknown.
    """
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return any(_hung_up(cause) for cause in causes(error))


def is_too_slow(error: BaseException) -> bool:
    """Return whether the server gave a command up for its time; what it was part of is undone."""
    return any(getattr(cause, "sqlstate", None) == _TOO_SLOW_STATE for cause in causes(error))


def passing(error: BaseException) -> str | None:
    """Return why the database cannot be asked just now, in words; None for what no wait mends.

    For who works on for ever: one slow command must not end what runs beside it.
    """
    if is_too_slow(error):
        return "the database takes too long"
    return "the database cannot be reached" if is_away(error) or is_retryable(error) else None


def _hung_up(error: BaseException) -> bool:
    if isinstance(error, asyncpg.InterfaceError):
        # Its other meanings, such as a value that fits no column, no repeat can mend.
        return "closed" in str(error)
    return isinstance(error, _AWAY) or getattr(error, "sqlstate", None) in _AWAY_STATES


DATABASE_ERRORS = (
    DBAPIError,
    PoolTimeout,
    OSError,
    # The driver's own, unwrapped, from what is done with it directly (COPY, arrays).
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


T = TypeVar("T")


async def asking(question: Callable[[], Awaitable[T]]) -> T:
    """Run a query for a caller.

    A database that is away, and others that were in the way, become `Unavailable` (503).
    """
    try:
        return await question()
    except DATABASE_ERRORS as error:
        if is_away(error) or is_retryable(error):
            raise Unavailable("the database") from error
        raise


async def trouble(engine: Engine) -> str | None:
    """Return why the database cannot be asked, or None; for readiness."""

    async def question() -> None:
        async with asyncio.timeout(_TROUBLE_SECONDS), engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    try:
        await asking(question)
    except Unavailable:
        return "the database cannot be reached"
    return None
