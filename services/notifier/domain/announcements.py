"""What each destination is to be told of an alert message."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from services.notifier.domain.deliveries import Kind, NewDelivery, Reason, State
from services.notifier.domain.holding import Hold, hold_of
from services.notifier.domain.manners import Manners
from services.notifier.domain.routes import RoutingTable
from shared.events.stock_alerts import (
    ENDINGS,
    AlertEvent,
    Hush,
    HushKind,
    StockAlert,
)


@dataclass(frozen=True, slots=True)
class Known:
    """What a destination (or None: no route) has already been meant to hear of an episode."""

    newest: int
    """The newest revision handled."""
    announced: bool
    """Whether there was a first notice."""
    held: Hold | None = None
    """The first notice waits on purpose: nothing has been said yet."""
    asked: bool = False
    """But a request for an approval has passed it, so that somebody there knows of the episode."""


ANNOUNCING = frozenset(
    {AlertEvent.OPENED, AlertEvent.LEVEL_CHANGED, AlertEvent.REMINDED, AlertEvent.ESCALATED}
)
"""What a destination may hear of an episode by for the first time: there is something to do. So may
it by a request for an approval."""

_HUSHED = {
    HushKind.SILENCE: Reason.SILENCED,
    HushKind.SNOOZE: Reason.SNOOZED,
    HushKind.COVERED: Reason.COVERED,
    HushKind.BUDGET: Reason.BUDGET,
    HushKind.ENDED: Reason.ENDED,
}


def deliveries_of(
    alert: StockAlert, table: RoutingTable, known: Mapping[str | None, Known], now: datetime
) -> list[NewDelivery]:
    """Return what to record for one alert message; nothing for a message seen before.

    What was announced to a destination goes on there whatever its routes say by now, and waits
    there while it is disabled, so that everybody who was warned learns of the end. `now` is the
    wall clock's, for what waits on purpose.
    """
    wanted = table.wanted_by(alert)
    found: list[NewDelivery] = []
    seen_before = False
    for destination in (*table.destinations, *table.disabled):
        before = known.get(destination)
        if before is not None and alert.revision <= before.newest:
            seen_before = True
            if alert.revision < before.newest and destination in wanted:
                found.append(
                    NewDelivery(
                        alert,
                        destination,
                        Kind.CHANGE,
                        State.SUPERSEDED,
                        f"{Reason.NEWER_REVISION}: {before.newest}",
                    )
                )
        elif before is not None and before.announced:
            found.append(_next(alert, destination, before, table, now))
        elif destination in wanted:
            found.append(_first(alert, destination, table.manners(destination), now))
    if not found and not seen_before:
        nowhere = known.get(None)
        if nowhere is None or alert.revision > nowhere.newest:
            found.append(NewDelivery(alert, None, Kind.CHANGE, State.SUPPRESSED, Reason.NO_ROUTE))
    return found


def _next(
    alert: StockAlert, destination: str, before: Known, table: RoutingTable, now: datetime
) -> NewDelivery:
    """Return what a destination is told that knows of the episode."""
    manners = table.manners(destination)
    if alert.event is AlertEvent.REFUSED:
        return _refused(alert, destination, table)
    if manners.of_programs:
        return _for_program(alert, destination, _kind(alert))
    if before.held is not None and alert.hush is None:
        if alert.asks_for_approval:
            return _beside(alert, destination, manners, now)
        if before.asked and alert.event in ENDINGS:
            return _end(alert, destination, manners, now)
        return _instead(alert, destination, before.held, manners, now)
    return _change(alert, destination, manners, now)


def _beside(alert: StockAlert, destination: str, manners: Manners, now: datetime) -> NewDelivery:
    """Return a request for an approval that passes a first notice which waits: it is for others."""
    hold = hold_of(alert, manners, now)
    return NewDelivery(
        alert, destination, Kind.ESCALATION, State.WAITING, hold=hold, replaces=False
    )


def _end(alert: StockAlert, destination: str, manners: Manners, now: datetime) -> NewDelivery:
    """Return an end that whoever was asked is told, and the first notice is not needed for."""
    return replace(_change(alert, destination, manners, now), withdraws=State.SUPPRESSED)


def _refused(alert: StockAlert, destination: str, table: RoutingTable) -> NewDelivery:
    """Return what one person alone is told, at once; a group is not."""
    if table.reaches_alone(destination, alert):
        return NewDelivery(alert, destination, Kind.CHANGE, State.WAITING)
    return NewDelivery(alert, destination, Kind.CHANGE, State.SUPPRESSED, Reason.FOR_ONE_PERSON)


def _for_program(alert: StockAlert, destination: str, kind: Kind) -> NewDelivery:
    """Return what a program is told: everything, what people are kept from as well.

    Whoever keeps books of what is ordered cannot do without the revision that says so.
    """
    return NewDelivery(alert, destination, kind, State.WAITING, replaces=False)


def _kind(alert: StockAlert) -> Kind:
    """Return what a revision is to who has heard of its episode."""
    calls = alert.event is AlertEvent.ESCALATED or alert.asks_for_approval
    return Kind.ESCALATION if calls else Kind.CHANGE


def _change(alert: StockAlert, destination: str, manners: Manners, now: datetime) -> NewDelivery:
    if alert.hush is not None:
        return _hushed(alert, destination, alert.hush)
    hold = hold_of(alert, manners, now)
    return NewDelivery(alert, destination, _kind(alert), State.WAITING, hold=hold)


def _first(alert: StockAlert, destination: str, manners: Manners, now: datetime) -> NewDelivery:
    if manners.of_programs and alert.event is not AlertEvent.REFUSED:
        return _for_program(alert, destination, Kind.FIRST)
    if alert.hush is not None:
        return _hushed(alert, destination, alert.hush)
    if alert.event in ANNOUNCING or alert.asks_for_approval:
        hold = hold_of(alert, manners, now)
        return NewDelivery(alert, destination, Kind.FIRST, State.WAITING, hold=hold)
    return NewDelivery(alert, destination, Kind.CHANGE, State.SUPPRESSED, Reason.NEVER_ANNOUNCED)


def _instead(
    alert: StockAlert, destination: str, held: Hold, manners: Manners, now: datetime
) -> NewDelivery:
    """Return what takes the place of a first notice that still waits.

    An end leaves nothing to tell. What makes it worse waits as long as it does by itself, which
    may be not at all; what does not, for as long as what it replaces.
    """
    if alert.event in ENDINGS:
        return NewDelivery(
            alert,
            destination,
            Kind.CHANGE,
            State.SUPPRESSED,
            Reason.ENDED_UNTOLD,
            withdraws=State.SUPPRESSED,
        )
    hold = hold_of(alert, manners, now) if _worse(alert) else held
    return NewDelivery(
        alert, destination, Kind.FIRST, State.WAITING, hold=hold, withdraws=State.SUPERSEDED
    )


def _worse(alert: StockAlert) -> bool:
    return alert.rose or alert.event in {AlertEvent.REMINDED, AlertEvent.ESCALATED}


def _hushed(alert: StockAlert, destination: str, hush: Hush) -> NewDelivery:
    until = "" if hush.until is None else f": until {hush.until:%Y-%m-%d %H:%M} UTC"
    reason = f"{_HUSHED[hush.by]}{until}"
    return NewDelivery(alert, destination, Kind.CHANGE, State.SUPPRESSED, reason)
