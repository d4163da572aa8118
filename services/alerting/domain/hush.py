"""Whether people are told of what became of an episode. The record has it in any case."""

from datetime import datetime

from shared.events.stock_alerts import (
    ENDINGS,
    SEVERITY,
    AlertEvent,
    AlertLevel,
    Hush,
    HushKind,
)

NEWS = frozenset({AlertEvent.OPENED, AlertEvent.LEVEL_CHANGED})
"""What people must learn of in the end: kept from them, it is made up for."""


def hush_of(
    event: AlertEvent,
    *,
    rose: bool,
    silence: Hush | None,
    snoozed_until: datetime | None,
    now: datetime,
) -> Hush | None:
    """Return why people are not told, or None.

    A silence keeps everything back but the end of what was announced; whoever was never told of
    the beginning is not told of the end, which those who send know. A snooze keeps changes back
    that make nothing worse (`rose`: it became more severe).
    """
    if event in ENDINGS:
        return None
    if silence is not None:
        return silence
    eased = event is AlertEvent.LEVEL_CHANGED and not rose
    if eased and snoozed_until is not None and snoozed_until > now:
        return Hush(by=HushKind.SNOOZE, until=snoozed_until)
    return None


def has_eased(level: AlertLevel, told: AlertLevel | None) -> bool:
    """Return whether people take an episode for worse than it is.

    `told` is the level at which they last heard of it; None: they never did.
    """
    return told is not None and SEVERITY[level] < SEVERITY[told]
