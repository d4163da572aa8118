"""The records of one destination's attempts: started before the message, settled after it.

Everything here happens inside a transaction that the lane begins and commits. What a transaction
has changed counts as done only after `committed`; until then it is done again by the next one.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.destinations.kinds import again
from services.notifier.domain.cards import changes_card
from services.notifier.domain.deliveries import Delivery, Kind, Posted, Reason, State
from services.notifier.domain.destinations import Destination
from services.notifier.domain.limits import Merge, Send
from services.notifier.domain.outcomes import (
    GIVES_UP_AFTER,
    Outcome,
    Settlement,
    Verdict,
    interrupted,
    lane_pause,
    settle,
)
from services.notifier.sending import outages
from services.notifier.sending.deaths import tell_elsewhere
from services.notifier.sending.tools import Tools
from services.notifier.store import (
    card_codes,
    configuration,
    digests,
    leases,
    overtaking,
    posted,
    queue,
)
from services.notifier.store.leases import Held, Lease
from services.notifier.store.queue import Taken
from shared.database.engine import DATABASE_ERRORS
from shared.events.stock_alerts import StockAlert
from shared.observability.logs import get_logger
from shared.observability.metrics import ALERT_TO_SENT_SECONDS, NOTICES_TOTAL

_log = get_logger("notifier.attempts")


@dataclass(slots=True)
class Attempt:
    """An attempt recorded as started; `outcome` is None until the message was sent.

    `version` is that of the destination it is sent to.
    """

    id: UUID
    taken: Taken
    rendered: bytes
    version: int
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """What is logged and counted once it is durable."""

    taken: Taken
    outcome: Outcome
    settlement: Settlement


@dataclass(slots=True)
class _Staged:
    told: list[_Told] = field(default_factory=list)
    merged: dict[Kind, int] = field(default_factory=dict)
    started: Attempt | None = None


class Attempts:
    """Starts and settles the attempts of the lease's destination."""

    def __init__(self, lease: Lease, tools: Tools) -> None:
        self._lease = lease
        self._tools = tools
        self._recovered = False
        self._unsettled: list[Attempt] = []
        self._staged = _Staged()

    @property
    def unsettled(self) -> bool:
        """Whether something is recorded as started and not as settled."""
        return bool(self._unsettled)

    async def settle(
        self, connection: AsyncConnection, destination: Destination, held: Held, now: datetime
    ) -> Held:
        """Record what became of the attempts made, and take back those not made.

        The first time, what the lease's former owner left between its records is settled as
        unknown. Returns the lease with the pause that follows.
        """
        self._staged = _Staged()
        # Before anything of others is locked, which whoever edits destinations may wait for.
        for attempt in reversed(self._unsettled):
            is_gone = attempt.outcome is not None and attempt.outcome.gone
            if is_gone and await configuration.disable(
                connection, destination.id, attempt.version, now
            ):
                held = replace(held, enabled=False)
        # The newest first: it may be another attempt of the same delivery.
        for attempt in reversed(self._unsettled):
            if attempt.outcome is None:
                # Its record may or may not have been committed; it certainly was not sent.
                await queue.undo(connection, attempt.id)
            else:
                settled = await self._record(
                    connection, destination, attempt.id, attempt.taken, attempt.outcome, now
                )
                held = await self._mind_the_lane(
                    connection, destination, held, attempt.outcome, settled, now
                )
        if not self._recovered:
            for found in await queue.interrupted(connection, destination.id):
                outcome = interrupted(found.taken.delivery.recipients)
                await self._record(
                    connection, destination, found.attempt, found.taken, outcome, now
                )
        return held

    async def start(
        self,
        connection: AsyncConnection,
        destination: Destination,
        step: Send | Merge,
        now: datetime,
    ) -> None:
        """Take a delivery up and record that it is about to be sent, with its very bytes."""
        id_ = await self._chosen(connection, step, now)
        if id_ is None:
            return
        taken = await queue.take(connection, id_, gives_up_at=now + GIVES_UP_AFTER)
        if taken is None:
            return
        try:
            rendered = await self._rendered(connection, taken, destination, now)
        except DATABASE_ERRORS:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, only this message has it
            await self._bury(connection, destination, taken, error, now)
            return
        attempt = Attempt(uuid4(), taken, rendered, destination.version)
        self._unsettled.append(attempt)
        self._staged.started = attempt
        await queue.start_attempt(
            connection, attempt.id, taken.delivery, destination, rendered, now
        )

    def committed(self, now: datetime) -> Attempt | None:
        """Take the transaction for done; returns the attempt to be made, if one was started."""
        staged, self._staged = self._staged, _Staged()
        self._recovered = True
        self._unsettled = [] if staged.started is None else [staged.started]
        for kind, count in staged.merged.items():
            NOTICES_TOTAL.labels(kind.value, State.MERGED.value).inc(count)
        for told in staged.told:
            _tell(self._lease.destination, told, now)
        return staged.started

    async def _chosen(
        self, connection: AsyncConnection, step: Send | Merge, now: datetime
    ) -> UUID | None:
        match step:
            case Send(id_):
                return id_
            case Merge(key):
                merged = await digests.merge(connection, self._lease.destination, now, key)
                if merged is None:
                    return None
                self._staged.merged = {Kind.FIRST: merged.firsts, Kind.CHANGE: merged.changes}
                return merged.digest

    async def _rendered(
        self, connection: AsyncConnection, taken: Taken, destination: Destination, now: datetime
    ) -> bytes:
        delivery = taken.delivery
        if delivery.attempts > 1:
            before = await queue.rendered_before(connection, delivery, destination)
            if before is not None:
                return again(destination.address.kind, *before)
        if (
            destination.address.threads
            and delivery.kind in {Kind.CHANGE, Kind.ESCALATION}
            and delivery.alert_id is not None
        ):
            thread = await queue.thread(connection, delivery.alert_id, destination)
            there = await _posted(connection, delivery, destination)
            delivery = replace(delivery, thread=thread, posted=there)
        if destination.address.updates and delivery.kind in {Kind.CHANGE, Kind.ESCALATION}:
            delivery = await self._with_cards(connection, delivery, destination, now)
        return self._tools.renderer.render(delivery, destination, now)

    async def _with_cards(
        self,
        connection: AsyncConnection,
        delivery: Delivery,
        destination: Destination,
        now: datetime,
    ) -> Delivery:
        """Return a delivery with the cards that it changes.

        A request for an approval is a card of its own for those who may give it; on those of others
        it shows what became of their press.
        """
        alert = StockAlert.model_validate_json(delivery.content)
        if not (changes_card(alert) or alert.asks_for_approval):
            return delivery
        cards = await card_codes.take(connection, destination.id, alert.alert_id, delivery.id, now)
        asked = set()
        if alert.asks_for_approval:
            asked = {each.wecom_userid.lower() for each in alert.to if each.wecom_userid}
        others = tuple(each for each in cards if asked.isdisjoint(each.users))
        return replace(delivery, cards=others)

    async def _bury(
        self,
        connection: AsyncConnection,
        destination: Destination,
        taken: Taken,
        error: Exception,
        now: datetime,
    ) -> None:
        delivery = taken.delivery
        reason = f"{Reason.UNRENDERABLE}: {type(error).__name__}"
        outcome = Outcome(Verdict.PERMANENT, Reason.UNRENDERABLE, reason)
        settlement = Settlement(
            State.DEAD, delivery.duplicate_possible, delivery.recipients, reason
        )
        await queue.settle(connection, delivery.id, settlement, now)
        await tell_elsewhere(connection, destination, delivery, outcome, now)
        self._staged.told.append(_Told(taken, outcome, settlement))

    async def _record(
        self,
        connection: AsyncConnection,
        destination: Destination,
        attempt: UUID | None,
        taken: Taken,
        outcome: Outcome,
        now: datetime,
    ) -> State:
        """Record what became of an attempt; returns where that leaves the delivery."""
        delivery = taken.delivery
        unknown = outcome.verdict is Verdict.UNKNOWN
        there = await _posted(connection, delivery, destination) if unknown else ()
        settlement = settle(
            delivery,
            outcome,
            recognises_repeats=destination.address.recognises_repeats,
            changes_posted=bool(there),
            gives_up_at=taken.gives_up_at,
            now=now,
            jitter=self._tools.jitter(),
        )
        if destination.address.updates and outcome.receipt is not None and delivery.alert_id:
            await card_codes.add(
                connection, outcome.receipt, destination.id, delivery.alert_id, delivery.id, now
            )
        await queue.settle(
            connection, delivery.id, settlement, now, attempt=attempt, outcome=outcome
        )
        recipients = settlement.recipients
        if recipients is not None and recipients.reached and delivery.kind in overtaking.BY:
            await overtaking.record(connection, delivery.id, recipients.reached, now)
        if settlement.state is State.DEAD:
            await tell_elsewhere(connection, destination, delivery, outcome, now)
        self._staged.told.append(_Told(taken, outcome, settlement))
        return settlement.state

    async def _mind_the_lane(
        self,
        connection: AsyncConnection,
        destination: Destination,
        held: Held,
        outcome: Outcome,
        settled: State,
        now: datetime,
    ) -> Held:
        since = held.failing_since
        if outcome.lane_wait is not None:
            # What is not tried again is followed by nothing that could show how long it lasts.
            if since is None and settled is State.FAILED:
                since = now
            failures = held.failures + 1
            wait = max(outcome.lane_wait, lane_pause(failures, self._tools.jitter()))
            minded = replace(held, paused_until=now + wait, failures=failures, failing_since=since)
            if since is not None:
                await outages.tell_elsewhere(connection, destination, outcome, since, now)
        elif held.failures:
            minded = replace(held, paused_until=None, failures=0, failing_since=None)
            if since is not None:
                await outages.tell_of_end(connection, destination, since, now)
        else:
            return held
        await leases.pause(connection, self._lease, minded)
        return minded


async def _posted(
    connection: AsyncConnection, delivery: Delivery, destination: Destination
) -> tuple[Posted, ...]:
    """Return the messages with buttons on which a delivery's change is shown as well."""
    if not destination.address.threads or delivery.alert_id is None:
        return ()
    if delivery.kind is not Kind.CHANGE or not changes_card(
        StockAlert.model_validate_json(delivery.content)
    ):
        return ()
    return await posted.with_buttons(connection, delivery.alert_id, destination)


def _tell(destination: str, told: _Told, now: datetime) -> None:
    delivery, outcome, state = told.taken.delivery, told.outcome, told.settlement.state
    NOTICES_TOTAL.labels(delivery.kind.value, state.value).inc()
    if state is State.SENT:
        seconds = (now - told.taken.due_at).total_seconds()
        ALERT_TO_SENT_SECONDS.labels(delivery.kind.value).observe(max(0.0, seconds))
    write = _log.info if state is State.SENT else _log.warning
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
        state=state.value,
        traceparent=delivery.traceparent,
    )
