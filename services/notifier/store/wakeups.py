"""How senders learn at once that something waits: LISTEN and NOTIFY.

A wake-up lost with a connection costs no more than the senders' own slow polling.
"""

import asyncio
from collections.abc import Callable, Collection

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database.direct import Direct
from shared.database.engine import DATABASE_ERRORS, Driver, driver, is_away
from shared.observability.logs import get_logger

CHANNEL = "notifier_waiting"
EVERYTHING = "*"
_PAYLOAD_BYTES = 7_900
"""PostgreSQL takes payloads of less than 8,000 bytes."""

_RECONNECT_SECONDS = 0.5
_PROBE_SECONDS = 10.0

_NOTIFY = Direct("SELECT pg_notify(:channel, :payload)")

_log = get_logger("notifier.wakeups")


async def wake_senders(
    connection: AsyncConnection, destinations: Collection[str] | None = None
) -> None:
    """Wake the senders of some destinations, or all, when this transaction commits."""
    if destinations is not None and not destinations:
        return
    payload = EVERYTHING if destinations is None else ",".join(sorted(destinations))
    if len(payload.encode()) > _PAYLOAD_BYTES:
        payload = EVERYTHING
    await _NOTIFY.rows(connection, channel=CHANNEL, payload=payload)


async def listen(engine: AsyncEngine, woken: Callable[[Collection[str] | None], None]) -> None:
    """Call `woken` with the destinations of each wake-up (None: all), until cancelled.

    It is called for all whenever a connection is made, since some may have been missed.
    """
    while True:
        try:
            async with engine.connect() as connection:
                await _listen(connection, woken)
        except DATABASE_ERRORS as error:
            if not is_away(error):
                raise
            _log.warning("not listening", reason=repr(error)[:300])
        await asyncio.sleep(_RECONNECT_SECONDS)


async def _listen(
    connection: AsyncConnection, woken: Callable[[Collection[str] | None], None]
) -> None:
    raw = await driver(connection)
    gone = asyncio.Event()
    try:
        await _hear(raw, gone, woken)
    finally:
        # It has listened, or is dead without the pool's knowledge: either way it must not be
        # handed out again. The server forgets the LISTEN with the connection.
        await connection.invalidate()


async def _hear(
    raw: Driver, gone: asyncio.Event, woken: Callable[[Collection[str] | None], None]
) -> None:

    def notified(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        woken(None if payload == EVERYTHING else str(payload).split(","))

    def terminated(_connection: object) -> None:
        gone.set()

    raw.add_termination_listener(terminated)
    await raw.add_listener(CHANNEL, notified)
    woken(None)
    while not gone.is_set():
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await gone.wait()
        except TimeoutError:
            # A half-open connection says nothing; a question finds out.
            await raw.execute("SELECT 1", timeout=_PROBE_SECONDS)
