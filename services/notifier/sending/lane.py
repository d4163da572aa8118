"""The sender of one destination: decides, records, sends, records again.

One lane never waits for another. What is about to be sent is durable before the first byte
leaves, so whatever happens in between is found as an unknown outcome and resolved by its kind.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from jinja2 import TemplateError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.notifier.destinations.rendering import Renderer
from services.notifier.destinations.transport import Transport
from services.notifier.domain.contents import FailureNote
from services.notifier.domain.deliveries import Kind, Reason, State
from services.notifier.domain.destinations import Destination
from services.notifier.domain.limits import Candidate, Merge, Rest, Send, Window, next_step
from services.notifier.domain.outcomes import (
    GIVES_UP_AFTER,
    Outcome,
    Settlement,
    Verdict,
    interrupted,
    lane_pause,
    settle,
)
from services.notifier.store import configuration, digests, leases, queue
from services.notifier.store.leases import Held, Lease
from services.notifier.store.queue import Taken
from services.notifier.store.secrets import Unreadable, Vault
from shared.clock import Clock
from shared.database.engine import DATABASE_ERRORS, is_away, is_retryable
from shared.errors import Fenced
from shared.observability.logs import get_logger
from shared.observability.metrics import ALERT_TO_SENT_SECONDS, NOTICES_TOTAL

POLL_SECONDS = 10.0
"""Wake-ups come by NOTIFY; this is for those lost with a connection."""

_COALESCE_SECONDS = 0.2
"""While a limit holds, wake-ups come with every batch and change nothing: look at most so often."""

_RETRY_SECONDS = 0.5
_CONFUSED_SECONDS = 5.0

_log = get_logger("notifier.lane")


@dataclass(frozen=True, slots=True)
class Tools:
    """What all lanes of a process share."""

    engine: AsyncEngine
    vault: Vault
    renderer: Renderer
    tls: ssl.SSLContext
    transport_of: Callable[[Destination, ssl.SSLContext], Transport]
    clock: Clock
    jitter: Callable[[], float]
    """In [0, 1)."""


@dataclass(frozen=True, slots=True)
class _Break:
    """Nothing to do until an instant (None: until woken).

    `limited` says that the destination may take nothing before, whatever else comes.
    """

    until: datetime | None
    limited: bool = False


@dataclass(slots=True)
class _Open:
    """An attempt that is recorded as started and not yet as finished."""

    attempt: UUID
    taken: Taken
    outcome: Outcome | None = None


class Lane:
    """Serves one destination while its lease is ours."""

    def __init__(self, lease: Lease, tools: Tools) -> None:
        self.lease = lease
        self.trouble: str | None = None
        """What keeps it from sending at all, in words; None while all is well."""
        self._tools = tools
        self._woken = asyncio.Event()
        self._stopping = False
        self._recovered = False
        self._destination: Destination | None = None
        self._transport: Transport | None = None
        self._open: _Open | None = None

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
            while not self._stopping:
                await self._turn()
        except Fenced:
            _log.warning("lease lost", destination=self.lease.destination)
        finally:
            await self._close_transport()

    async def _turn(self) -> None:
        """Do one thing, or rest; no error of one destination may reach the others."""
        try:
            await self._settle_open()
            if not self._recovered:
                await self._recover()
            rest = await self._step()
            self.trouble = None
        except DATABASE_ERRORS as error:
            if not (is_away(error) or is_retryable(error)):
                raise
            await self._pause("the database cannot be reached", _RETRY_SECONDS)
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

    async def _pause(self, trouble: str, seconds: float) -> None:
        self.trouble = trouble
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
        async with self._tools.engine.connect() as connection:
            held = await self._hold(connection)
            if not held.enabled:
                return _Break(None)
            if held.paused_until is not None and held.paused_until > now:
                return _Break(held.paused_until, limited=True)
            destination = await self._configured(connection, held)
            waiting, window = await self._look(connection, destination, now)
            step = next_step(waiting, window, now)
            if isinstance(step, Rest):
                if step.until is not None:
                    return _Break(step.until, limited=True)
                return _Break(await queue.next_due(connection, destination.id, now))
        await self._send(step)
        return None

    async def _look(
        self, connection: AsyncConnection, destination: Destination, now: datetime
    ) -> tuple[list[Candidate], Window]:
        limit = destination.messages_per_minute
        waiting = await queue.waiting(connection, destination.id, now, limit + 1)
        if not waiting:
            return waiting, Window(limit, ())
        return waiting, await queue.window(connection, destination.lane, limit, now)

    async def _hold(self, connection: AsyncConnection) -> Held:
        held = await leases.hold(connection, self.lease)
        if held is None:
            raise Fenced(f"destination {self.lease.destination} is served by another sender")
        return held

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
        self._transport = self._tools.transport_of(found, self._tools.tls)
        return found

    async def _close_transport(self) -> None:
        transport, self._transport, self._destination = self._transport, None, None
        if transport is not None:
            await transport.close()

    async def _send(self, step: Send | Merge) -> None:
        rendered = await self._start(step)
        opened, transport = self._open, self._transport
        if rendered is None or opened is None or transport is None:
            return
        opened.outcome = await _attempt(transport, rendered, opened.taken)
        await self._settle_open()

    async def _start(self, step: Send | Merge) -> bytes | None:
        """Take the delivery up and make its attempt durable; returns the bytes to send."""
        now = self._tools.clock.now()
        try:
            async with self._tools.engine.begin() as connection:
                destination = await self._configured(connection, await self._hold(connection))
                id_ = await self._chosen(connection, step)
                taken = id_ and await queue.take(connection, id_, gives_up_at=now + GIVES_UP_AFTER)
                if not taken:
                    return None
                try:
                    rendered = await self._rendered(connection, taken, destination, now)
                except (TemplateError, ValueError) as error:
                    await self._bury(connection, taken, error, now)
                    return None
                self._open = _Open(uuid4(), taken)
                await queue.start_attempt(
                    connection,
                    self._open.attempt,
                    taken.delivery,
                    lane=destination.lane,
                    rendered=rendered,
                    now=now,
                )
        except Fenced:
            self._open = None
            raise
        return rendered

    async def _chosen(self, connection: AsyncConnection, step: Send | Merge) -> UUID | None:
        match step:
            case Send(id_):
                return id_
            case Merge():
                merged = await digests.merge(connection, self.lease.destination)
                if merged is None:
                    return None
                for kind, count in ((Kind.FIRST, merged.firsts), (Kind.CHANGE, merged.changes)):
                    NOTICES_TOTAL.labels(kind.value, State.MERGED.value).inc(count)
                return merged.digest

    async def _rendered(
        self, connection: AsyncConnection, taken: Taken, destination: Destination, now: datetime
    ) -> bytes:
        delivery = taken.delivery
        if delivery.attempts > 1:
            before = await queue.rendered_before(connection, delivery)
            if before is not None:
                return before
        return self._tools.renderer.render(delivery, destination, now)

    async def _bury(
        self, connection: AsyncConnection, taken: Taken, error: Exception, now: datetime
    ) -> None:
        delivery = taken.delivery
        _log.error("unrenderable", delivery=str(delivery.id), reason=repr(error)[:300])
        reason = f"{Reason.UNRENDERABLE}: {type(error).__name__}"
        settlement = Settlement(
            State.DEAD, delivery.duplicate_possible, delivery.recipients, reason
        )
        await queue.settle(connection, delivery.id, settlement, now)
        NOTICES_TOTAL.labels(delivery.kind.value, State.DEAD.value).inc()

    async def _settle_open(self) -> None:
        """Record what became of the last attempt; repeated until the database has taken it."""
        opened = self._open
        if opened is None:
            return
        now = self._tools.clock.now()
        async with self._tools.engine.begin() as connection:
            held = await self._hold(connection)
            outcome = opened.outcome
            if outcome is None:
                # Its record may or may not have been committed; it certainly was not sent.
                await queue.undo(connection, opened.attempt)
                settlement = None
            else:
                settlement = await self._record(
                    connection, opened.attempt, opened.taken, outcome, now
                )
                await self._mind_the_lane(connection, held, outcome, now)
        self._open = None
        if outcome is not None and settlement is not None:
            _tell(self.lease.destination, opened.taken, outcome, settlement, now)

    async def _record(
        self,
        connection: AsyncConnection,
        attempt: UUID | None,
        taken: Taken,
        outcome: Outcome,
        now: datetime,
    ) -> Settlement:
        delivery = taken.delivery
        settlement = settle(
            delivery,
            outcome,
            gives_up_at=taken.gives_up_at,
            now=now,
            jitter=self._tools.jitter(),
        )
        if attempt is not None:
            await queue.finish_attempt(connection, attempt, outcome, now)
        await queue.settle(connection, delivery.id, settlement, now)
        if settlement.state is State.DEAD and delivery.kind not in {Kind.META, Kind.TEST}:
            destination = self._destination
            note = FailureNote(
                destination=self.lease.destination,
                destination_name=destination.name if destination else self.lease.destination,
                detail=outcome.detail,
                alert_number=delivery.alert_number,
            )
            await digests.note_failure(connection, note, outcome.code, now)
        return settlement

    async def _mind_the_lane(
        self, connection: AsyncConnection, held: Held, outcome: Outcome, now: datetime
    ) -> None:
        if outcome.lane_wait is not None:
            failures = held.failures + 1
            wait = max(outcome.lane_wait, lane_pause(failures, self._tools.jitter()))
            await leases.pause(connection, self.lease, now + wait, failures)
        elif held.failures:
            await leases.pause(connection, self.lease, None, 0)

    async def _recover(self) -> None:
        """Resolve what the lease's former owner left between its two records."""
        now = self._tools.clock.now()
        async with self._tools.engine.begin() as connection:
            await self._configured(connection, await self._hold(connection))
            for found in await queue.interrupted(connection, self.lease.destination):
                outcome = interrupted(found.taken.delivery.recipients)
                settlement = await self._record(
                    connection, found.attempt, found.taken, outcome, now
                )
                _tell(self.lease.destination, found.taken, outcome, settlement, now)
        self._recovered = True


async def _attempt(transport: Transport, rendered: bytes, taken: Taken) -> Outcome:
    try:
        return await transport.send(rendered, taken.delivery.recipients)
    except Exception as error:  # noqa: BLE001 - a client's error may hold the secret: only its name
        name = type(error).__name__
        _log.error("unexpected error while sending", kind=name)
        return Outcome(Verdict.UNKNOWN, name, "unexpected error", lane_wait=timedelta(seconds=1))


def _tell(
    destination: str, taken: Taken, outcome: Outcome, settlement: Settlement, now: datetime
) -> None:
    delivery = taken.delivery
    NOTICES_TOTAL.labels(delivery.kind.value, settlement.state.value).inc()
    if settlement.state is State.SENT:
        seconds = (now - taken.recorded_at).total_seconds()
        ALERT_TO_SENT_SECONDS.labels(delivery.kind.value).observe(max(0.0, seconds))
    write = _log.info if settlement.state is State.SENT else _log.warning
    write(
        "attempt",
        destination=destination,
        delivery=str(delivery.id),
        kind=delivery.kind.value,
        alert=delivery.alert_number,
        number=delivery.attempts,
        verdict=outcome.verdict.value,
        code=outcome.code,
        detail=outcome.detail,
        state=settlement.state.value,
        traceparent=delivery.traceparent,
    )
