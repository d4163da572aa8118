"""What the consumer writes: one delivery row per revision, destination and episode."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.announcements import Known
from services.notifier.domain.cards import asks_somebody
from services.notifier.domain.deliveries import (
    Kind,
    NewDelivery,
    Reason,
    Recipients,
    State,
    priority,
)
from services.notifier.domain.holding import Hold, HoldReason
from shared.database.direct import Direct
from shared.events.alert_reports import AlertReport
from shared.events.stock_alerts import ENDINGS, AlertEvent, StockAlert

_KNOWN = Direct("""
SELECT alert_id, destination, max(revision) AS newest, bool_or(kind = 'first') AS announced,
       bool_or(kind = 'escalation') AS asked
FROM delivery
WHERE alert_id = ANY(CAST(:alert_ids AS uuid[]))
GROUP BY alert_id, destination
""")

# Locked, so that no sender takes one up while something else is decided to come in its place. What
# is sent again waits on purpose no more: it may have arrived, or something newer been told. And a
# request for an approval, by which some hear of the episode first, gives way to nothing for others.
_HELD = Direct("""
SELECT alert_id, destination, gather_key, not_before, held_for
FROM delivery
WHERE alert_id = ANY(CAST(:alert_ids AS uuid[])) AND kind = 'first' AND gather_key IS NOT NULL
  AND (event = 'acted' AND content::jsonb #>> '{action,state}' = 'proposed') IS NOT TRUE
  AND (state = 'waiting' AND attempts = 0 AND replayed_at IS NULL) IS TRUE
ORDER BY id
FOR UPDATE
""")

_RECORD = Direct("""
INSERT INTO delivery (kind, alert_id, alert_number, revision, event, level, available,
                      at_risk_money, at_risk_units, destination, state, reason, gather_key,
                      held_for, not_before, priority, content, recorded_at, traceparent)
SELECT *
FROM unnest(CAST(:kind AS text[]), CAST(:alert_id AS uuid[]), CAST(:alert_number AS bigint[]),
            CAST(:revision AS int[]), CAST(:event AS text[]), CAST(:level AS text[]),
            CAST(:available AS bigint[]), CAST(:at_risk_money AS numeric[]),
            CAST(:at_risk_units AS float8[]), CAST(:destination AS text[]),
            CAST(:state AS text[]), CAST(:reason AS text[]), CAST(:gather_key AS text[]),
            CAST(:held_for AS text[]), CAST(:not_before AS timestamptz[]),
            CAST(:priority AS smallint[]), CAST(:content AS text[]),
            CAST(:recorded_at AS timestamptz[]), CAST(:traceparent AS text[]))
ON CONFLICT (alert_id, revision, destination) WHERE alert_id IS NOT NULL DO NOTHING
""")

# What asks somebody (a rise of the level, a reminder) gives way only to what is as loud.
_GIVES_WAY_TO = "CASE WHEN d.event IN ('level_changed', 'reminded') THEN n.loud ELSE n.revision END"

# A first notice is never dropped for a newer revision: it is what announces the episode. Neither is
# an escalation: those whom it is for may hear of the episode by it for the first time.
# IS TRUE keeps the planner from the queue's index: before the table's first statistics it takes
# the queue for short, and walks all that waits once for every row (seconds for a few thousand).
_SUPERSEDE = Direct(f"""
UPDATE delivery AS d
SET state = 'superseded', next_at = NULL,
    reason = '{Reason.NEWER_REVISION}: ' || {_GIVES_WAY_TO}
FROM (SELECT alert_id, destination, max(revision) AS revision,
             max(revision) FILTER (WHERE is_loud) AS loud
      FROM unnest(CAST(:alert_id AS uuid[]), CAST(:destination AS text[]),
                  CAST(:revision AS int[]), CAST(:is_loud AS bool[]))
           AS u (alert_id, destination, revision, is_loud)
      GROUP BY alert_id, destination) AS n
WHERE d.alert_id = n.alert_id AND d.destination = n.destination
  AND d.revision < {_GIVES_WAY_TO}
  AND d.kind = 'change' AND d.event <> 'refused' AND (d.state IN ('waiting', 'failed')) IS TRUE
""")  # noqa: S608 - the reason is ours

# What waits longer than something newer of its episode would hold that up: it goes with it.
_RELEASE = Direct("""
UPDATE delivery AS d
SET gather_key = n.gather_key, held_for = n.held_for, not_before = n.not_before
FROM (SELECT DISTINCT ON (alert_id, destination) *
      FROM unnest(CAST(:alert_id AS uuid[]), CAST(:destination AS text[]),
                  CAST(:revision AS int[]), CAST(:gather_key AS text[]),
                  CAST(:held_for AS text[]), CAST(:not_before AS timestamptz[]))
           AS u (alert_id, destination, revision, gather_key, held_for, not_before)
      ORDER BY alert_id, destination, not_before NULLS FIRST, revision DESC) AS n
WHERE d.alert_id = n.alert_id AND d.destination = n.destination AND d.revision < n.revision
  AND d.not_before > coalesce(n.not_before, :now) AND (d.state = 'waiting') IS TRUE
""")

# Something newer of the episode comes in its place, or nothing does: it is over already.
_WITHDRAW = Direct("""
UPDATE delivery AS d
SET state = n.state, reason = n.reason
FROM unnest(CAST(:alert_id AS uuid[]), CAST(:destination AS text[]), CAST(:revision AS int[]),
            CAST(:state AS text[]), CAST(:reason AS text[]))
     AS n (alert_id, destination, revision, state, reason)
WHERE d.alert_id = n.alert_id AND d.destination = n.destination AND d.revision < n.revision
  AND d.kind = 'first' AND d.gather_key IS NOT NULL AND (d.state = 'waiting') IS TRUE
""")


# The same report comes again after a crash of its sender, under the same id.
_REPORT = Direct("""
INSERT INTO delivery (kind, destination, state, reason, priority, content, recorded_at,
                      traceparent, request_key, order_id, recipients)
SELECT :kind, n.destination, n.state, n.reason, :priority, :content, :recorded_at,
       :traceparent, n.request_key, :order_id, CAST(:recipients AS jsonb)
FROM unnest(CAST(:destination AS text[]), CAST(:state AS text[]), CAST(:reason AS text[]),
            CAST(:request_key AS text[])) AS n (destination, state, reason, request_key)
ON CONFLICT (request_key) DO NOTHING
""")


class Recorded(NamedTuple):
    """A new delivery and the trace of the message it comes from."""

    delivery: NewDelivery
    traceparent: str | None


KnownByAlert = dict[UUID, dict[str | None, Known]]
"""What is recorded of episodes, by destination (None: no route)."""


async def known(connection: AsyncConnection, alert_ids: Collection[UUID]) -> KnownByAlert:
    """Return what is recorded of some episodes; first notices that wait on purpose are locked."""
    found: KnownByAlert = {}
    ids = list(alert_ids)
    held = {
        (alert_id, destination): Hold(gather_key, not_before, HoldReason(held_for))
        for alert_id, destination, gather_key, not_before, held_for in await _HELD.rows(
            connection, alert_ids=ids
        )
    }
    for alert_id, destination, *told in await _KNOWN.rows(connection, alert_ids=ids):
        newest, announced, asked = told
        waits = held.get((alert_id, destination))
        found.setdefault(alert_id, {})[destination] = Known(newest, announced, waits, asked)
    return found


async def record(connection: AsyncConnection, rows: Sequence[Recorded]) -> None:
    """Record deliveries, in the order given; those that exist are left as they are."""
    if not rows:
        return
    alerts = [row.delivery.alert for row in rows]
    deliveries = [row.delivery for row in rows]
    await _RECORD.rows(
        connection,
        kind=[each.kind.value for each in deliveries],
        alert_id=[alert.alert_id for alert in alerts],
        alert_number=[alert.number for alert in alerts],
        revision=[alert.revision for alert in alerts],
        event=[alert.event.value for alert in alerts],
        level=[alert.level.value for alert in alerts],
        available=[alert.facts.available for alert in alerts],
        at_risk_money=[alert.at_risk and alert.at_risk.money for alert in alerts],
        at_risk_units=[alert.at_risk and alert.at_risk.units for alert in alerts],
        destination=[each.destination for each in deliveries],
        gather_key=[each.hold and each.hold.key for each in deliveries],
        held_for=[each.hold and each.hold.why for each in deliveries],
        not_before=[each.hold and each.hold.until for each in deliveries],
        state=[each.state.value for each in deliveries],
        reason=[each.reason for each in deliveries],
        priority=[priority(each.kind, each.alert.level) for each in deliveries],
        content=[alert.model_dump_json() for alert in alerts],
        recorded_at=[alert.recorded_at for alert in alerts],
        traceparent=[row.traceparent for row in rows],
    )


async def record_report(
    connection: AsyncConnection,
    report: AlertReport,
    there: Collection[str],
    traceparent: str | None,
) -> list[str]:
    """Record a report's deliveries; returns the destinations, of those `there`, that wait for it.

    For one that is not there, the delivery says so. An order is for its supplier, whatever
    mailboxes the destination has.
    """
    order = report.order
    kind = Kind.REPORT if order is None else Kind.ORDER
    recipients = None if order is None else json.dumps(asdict(Recipients(left=(order.to,))))
    wanted = {each: each in there for each in report.destinations}
    await _REPORT.rows(
        connection,
        destination=[each if known else None for each, known in wanted.items()],
        state=[(State.WAITING if known else State.SUPPRESSED).value for known in wanted.values()],
        reason=[
            None if known else f"{Reason.NO_DESTINATION}: {each}" for each, known in wanted.items()
        ],
        request_key=[f"report:{report.report_id}:{each}" for each in wanted],
        kind=kind.value,
        order_id=None if order is None else order.id,
        recipients=recipients,
        priority=priority(kind),
        content=report.model_dump_json(),
        recorded_at=report.recorded_at,
        traceparent=traceparent,
    )
    return [each for each, known in wanted.items() if known]


async def withdraw_held(connection: AsyncConnection, newer: Sequence[NewDelivery]) -> None:
    """Withdraw first notices that wait on purpose where something comes in their place."""
    instead = [(each, each.withdraws) for each in newer if each.withdraws is not None]
    if instead:
        await _WITHDRAW.rows(
            connection,
            alert_id=[each.alert.alert_id for each, _ in instead],
            destination=[each.destination for each, _ in instead],
            revision=[each.alert.revision for each, _ in instead],
            state=[state.value for _, state in instead],
            reason=[
                Reason.ENDED_UNTOLD.value
                if state is State.SUPPRESSED
                else f"{Reason.NEWER_REVISION}: {each.alert.revision}"
                for each, state in instead
            ],
        )


async def supersede_older(
    connection: AsyncConnection, newer: Sequence[NewDelivery], now: datetime
) -> None:
    """Withdraw changes that wait while a newer revision for the same destination is there.

    What is left of older ones, and waits on purpose for longer, goes when the newer one goes.
    """
    later = [
        each
        for each in newer
        if each.state is State.WAITING
        and each.replaces
        and each.alert.revision > 1
        and each.alert.event is not AlertEvent.REFUSED  # it tells one person, and nobody else
    ]
    # A first notice that comes in another's place has no changes before it, but maybe a request.
    changes = [each for each in later if each.kind in {Kind.CHANGE, Kind.ESCALATION}]
    if changes:
        is_loud = [_is_loud(each.alert) for each in changes]
        await _SUPERSEDE.rows(connection, **_places(changes), is_loud=is_loud)
    if later:
        await _RELEASE.rows(
            connection,
            **_places(later),
            gather_key=[each.hold and each.hold.key for each in later],
            held_for=[each.hold and each.hold.why.value for each in later],
            not_before=[each.hold and each.hold.until for each in later],
            now=now,
        )


def _places(deliveries: Sequence[NewDelivery]) -> dict[str, list[object]]:
    return {
        "alert_id": [each.alert.alert_id for each in deliveries],
        "destination": [each.destination for each in deliveries],
        "revision": [each.alert.revision for each in deliveries],
    }


def _is_loud(alert: StockAlert) -> bool:
    """Return whether a revision says again what an older one has asked, or that it is past.

    A request for an approval says neither, and is for others.
    """
    if alert.asks_for_approval:
        return False
    return asks_somebody(alert) or alert.event is AlertEvent.LEVEL_CHANGED or alert.event in ENDINGS
