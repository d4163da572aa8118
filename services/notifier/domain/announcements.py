"""What each destination is to be told of an alert message."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notifier.domain.deliveries import Kind, NewDelivery, Reason, State
from services.notifier.domain.routes import RoutingTable
from shared.events.stock_alerts import AlertEvent, Hush, HushKind, StockAlert


@dataclass(frozen=True, slots=True)
class Known:
    """What a destination (or None: no route) has already been meant to hear of an episode."""

    newest: int
    """The newest revision handled."""
    announced: bool
    """Whether there was a first notice."""


_ANNOUNCING = {
    AlertEvent.OPENED,
    AlertEvent.LEVEL_CHANGED,
    AlertEvent.REMINDED,
    AlertEvent.ESCALATED,
}
_HUSHED = {
    HushKind.SILENCE: Reason.SILENCED,
    HushKind.SNOOZE: Reason.SNOOZED,
    HushKind.KNOWN: Reason.KNOWN,
    HushKind.COVERED: Reason.COVERED,
    HushKind.BUDGET: Reason.BUDGET,
}


def deliveries_of(
    alert: StockAlert, table: RoutingTable, known: Mapping[str | None, Known]
) -> list[NewDelivery]:
    """Return what to record for one alert message; nothing for a message seen before.

    What was announced to a destination goes on there whatever its routes say by now, so that
    everybody who was warned learns of the end.
    """
    wanted = table.wanted_by(alert)
    found: list[NewDelivery] = []
    seen_before = False
    for destination in table.destinations:
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
            found.append(_change(alert, destination, table))
        elif destination in wanted:
            found.append(_first(alert, destination))
    if not found and not seen_before:
        nowhere = known.get(None)
        if nowhere is None or alert.revision > nowhere.newest:
            found.append(NewDelivery(alert, None, Kind.CHANGE, State.SUPPRESSED, Reason.NO_ROUTE))
    return found


def _change(alert: StockAlert, destination: str, table: RoutingTable) -> NewDelivery:
    if alert.event is AlertEvent.REFUSED and not table.reaches_alone(destination, alert):
        return NewDelivery(alert, destination, Kind.CHANGE, State.SUPPRESSED, Reason.FOR_ONE_PERSON)
    if alert.hush is not None:
        return _hushed(alert, destination, alert.hush)
    kind = Kind.ESCALATION if alert.event is AlertEvent.ESCALATED else Kind.CHANGE
    return NewDelivery(alert, destination, kind, State.WAITING)


def _first(alert: StockAlert, destination: str) -> NewDelivery:
    if alert.hush is not None:
        return _hushed(alert, destination, alert.hush)
    if alert.event in _ANNOUNCING:
        return NewDelivery(alert, destination, Kind.FIRST, State.WAITING)
    return NewDelivery(alert, destination, Kind.CHANGE, State.SUPPRESSED, Reason.NEVER_ANNOUNCED)


def _hushed(alert: StockAlert, destination: str, hush: Hush) -> NewDelivery:
    until = "" if hush.until is None else f": until {hush.until:%Y-%m-%d %H:%M} UTC"
    reason = f"{_HUSHED[hush.by]}{until}"
    return NewDelivery(alert, destination, Kind.CHANGE, State.SUPPRESSED, reason)
