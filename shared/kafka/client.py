"""Start and stop the library's clients so that none leaves a connection open behind it."""

import asyncio
from collections.abc import Coroutine
from typing import Protocol

from aiokafka.errors import KafkaError

from shared.observability.logs import get_logger

STOP_SECONDS = 10
"""What a client may take to leave its group and send what it holds."""

_START_SECONDS = 5

_log = get_logger("kafka.client")
_leaving = set[asyncio.Future[None]]()  # the loop keeps no reference of its own


class Client(Protocol):
    """The library's consumer or producer."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Leave, and close every connection."""


async def start(client: Client) -> None:
    """Connect a client; one that does not start is stopped. Raises KafkaError or OSError then.

    While it starts, the library holds a connection in a variable of its own, which stays open when
    it is interrupted there: whoever is cancelled waits for a moment until the client has started.
    """
    starting = asyncio.ensure_future(client.start())  # noqa: TID251 - outlives a cancellation
    try:
        await asyncio.shield(starting)
    except BaseException:
        await _in_its_own_time(_undone(starting, client), _START_SECONDS + STOP_SECONDS)
        raise


async def stop(client: Client, *, seconds: float = STOP_SECONDS) -> None:
    """Let a client leave and close its connections, waiting for it as long as told.

    One that takes longer goes on by itself, also when whoever waits is cancelled: cut off, it would
    keep its tasks and connections.
    """
    await _in_its_own_time(_stopped(client), seconds)


async def _in_its_own_time(end: Coroutine[None, None, None], seconds: float) -> None:
    leaving = asyncio.ensure_future(end)  # noqa: TID251 - may outlive its caller
    _leaving.add(leaving)
    leaving.add_done_callback(_leaving.discard)
    if not (await asyncio.wait([leaving], timeout=seconds))[0]:
        _log.warning("a client is slow to stop", seconds=seconds)


async def _undone(starting: asyncio.Future[None], client: Client) -> None:
    await asyncio.wait([starting], timeout=_START_SECONDS)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await _stopped(client)


async def _stopped(client: Client) -> None:
    try:
        await client.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        _log.warning("a client did not stop cleanly", reason=repr(error))
