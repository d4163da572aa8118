"""The sender of one destination. One lane never waits for another.

A turn is one transaction and one message: record what became of the last message, look at what
waits, decide, record the next attempt; commit; send. What is about to be sent is durable before
its first byte leaves, so whatever happens in between is found as an unknown outcome and resolved
by its kind.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.destinations.order_views import sealed_link
from services.notifier.destinations.transport import Message, Transport
from services.notifier.domain.destinations import Destination
from services.notifier.domain.limits import Rest, next_step, widest
from services.notifier.domain.outcomes import Outcome, Verdict
from services.notifier.sending.attempts import Attempt, Attempts
from services.notifier.sending.tools import Tools
from services.notifier.store import configuration, leases, queue
from services.notifier.store.leases import Held, Lease
from services.notifier.store.secrets import Unreadable
from shared.database.engine import DATABASE_ERRORS, is_retryable, passing
from shared.errors import Fenced
from shared.observability.logs import get_logger

POLL_SECONDS = 10.0
"""Wake-ups come by NOTIFY; this is for those lost with a connection."""

_COALESCE_SECONDS = 0.2
"""While a limit holds, wake-ups come with every batch and change nothing: look at most so often."""

_RETRY_SECONDS = 0.5
_CONFUSED_SECONDS = 5.0

_log = get_logger("notifier.lane")


@dataclass(frozen=True, slots=True)
class _Break:
    """Nothing to do until an instant (None: until woken).

    `limited` says that the destination may take nothing before, whatever else comes.
    """

    until: datetime | None
    limited: bool = False


class Lane:
    """Serves one destination while its lease is ours."""

    def __init__(self, lease: Lease, tools: Tools) -> None:
        self.lease = lease
        self.trouble: str | None = None
        """What keeps it from sending at all, in words; None while all is well."""
        self._tools = tools
        self._attempts = Attempts(lease, tools)
        self._woken = asyncio.Event()
        self._stopping = False
        self._failed = False
        self._destination: Destination | None = None
        self._transport: Transport | None = None

    def wake(self) -> None:
        """Look at the queue now."""
        self._woken.set()

    def stop(self) -> None:
        """End after the message under way."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Serve until stopped or until somebody else has the lease."""
        try:
            while not self._stopping or self._attempts.unsettled:
                await self._turn()
        except Fenced:
            _log.warning("lease lost", destination=self.lease.destination)
        finally:
            await self._close_transport()

    async def _turn(self) -> None:
        """Do one thing, or rest; no error of one destination may reach the others."""
        try:
            rest = await self._step()
            self.trouble, self._failed = None, False
        except DATABASE_ERRORS as error:
            trouble = passing(error)
            if trouble is None:
                raise
            await self._pause(None if is_retryable(error) else trouble, _RETRY_SECONDS)
        except Unreadable as error:
            await self._pause(str(error), POLL_SECONDS)
        except Fenced:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the other destinations go on
            _log.exception("lane in confusion", destination=self.lease.destination)
            await self._pause("an unexpected error; see the log", _CONFUSED_SECONDS)
        else:
            if rest is not None:
                await self._rest(rest)

    async def _pause(self, trouble: str | None, seconds: float) -> None:
        self.trouble, self._failed = trouble, True
        await asyncio.sleep(seconds)

    async def _rest(self, rest: _Break) -> None:
        seconds = POLL_SECONDS
        if rest.until is not None:
            remaining = (rest.until - self._tools.clock.now()).total_seconds()
            seconds = min(seconds, max(0.001, remaining))
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
                if rest.limited:
                    await asyncio.sleep(_COALESCE_SECONDS)
        except TimeoutError:
            pass

    async def _step(self) -> _Break | None:
        # Cleared before looking: what comes while we look wakes us again.
        self._woken.clear()
        now = self._tools.clock.now()
        rest: _Break | None = None
        async with self._tools.engine.begin() as connection:
            held = await leases.hold(connection, self.lease)
            if held is None:
                raise Fenced(f"destination {self.lease.destination} has another sender")
            destination = await self._configured(connection, held)
            held = await self._attempts.settle(connection, destination, held, now)
            # After a failure nothing new is begun before the old is settled for certain.
            if not (self._failed or self._stopping):
                rest = await self._begin(connection, destination, held, now)
        attempt = self._attempts.committed(now)
        if attempt is not None and self._transport is not None:
            attempt.outcome = await _send(self._transport, attempt, self._tools.clock.now())
        return rest

    async def _begin(
        self, connection: AsyncConnection, destination: Destination, held: Held, now: datetime
    ) -> _Break | None:
        """Start the next attempt, or say how long to rest."""
        if not held.enabled:
            return _Break(None)
        if held.paused_until is not None and held.paused_until > now:
            return _Break(held.paused_until, limited=True)
        limits = destination.address.limits
        most = widest(limits).count + 1 if limits else 1
        found = await queue.look(connection, destination.id, now, most)
        if not found.waiting:
            return _Break(found.next_at)
        window = await queue.window(connection, destination.lane, limits, now)
        step = next_step(found.waiting, window, now)
        if isinstance(step, Rest):
            return _Break(step.until, limited=True)
        await self._attempts.start(connection, destination, step, now)
        return None

    async def _configured(self, connection: AsyncConnection, held: Held) -> Destination:
        if self._destination is not None and self._destination.version == held.version:
            return self._destination
        await self._close_transport()
        found = await configuration.destination(
            connection, self.lease.destination, self._tools.vault
        )
        if found is None:
            raise Fenced(f"destination {self.lease.destination} is gone")
        self._destination = found
        self._transport = self._tools.transport_of(found, self._tools.means)
        return found

    async def _close_transport(self) -> None:
        transport, self._transport, self._destination = self._transport, None, None
        if transport is not None:
            await transport.close()


async def _send(transport: Transport, attempt: Attempt, now: datetime) -> Outcome:
    delivery = attempt.taken.delivery
    try:
        return await transport.send(
            Message(delivery.id, attempt.rendered, now, delivery.recipients, sealed_link(delivery))
        )
    except Exception as error:  # noqa: BLE001 - a client's error may hold the secret: only its name
        name = type(error).__name__
        _log.error("unexpected error while sending", kind=name)
        return Outcome(Verdict.UNKNOWN, name, "unexpected error", lane_wait=timedelta(seconds=1))
