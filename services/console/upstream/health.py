"""How a destination is, by what became of the newest notices to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.console.upstream.delivery_answers import CountedDelivery, Destination
from services.console.upstream.notifier import Notifier, Sought

# So many of the newest tell how a destination is.
_NEWEST = 20
_TROUBLE = frozenset({"failed", "dead"})


class Condition(StrEnum):
    """What a person would say of a destination."""

    OFF = "off"
    FAILING = "failing"
    WELL = "well"
    UNUSED = "unused"


@dataclass(frozen=True, slots=True)
class Health:
    """How a destination is.

    `since` is when the present failures began, or when the last notice arrived; `reason` is that
    of the newest failure; `again_at` is when the next try is due; `waiting` counts what waits, and
    where `or_more` is said there may be more.
    """

    condition: Condition
    since: datetime | None = None
    reason: str | None = None
    again_at: datetime | None = None
    waiting: int = 0
    or_more: bool = False


async def health_of(notifier: Notifier, destination: Destination) -> Health:
    """Return how a destination is, by its newest deliveries. Raises Unavailable or Refused."""

    async def newest(state: str, limit: int) -> list[CountedDelivery]:
        sought = Sought(destination=destination.id, state=state)
        return (await notifier.deliveries(sought, limit=limit)).items

    found = await newest("", _NEWEST)
    known = health(destination, found)
    if len(found) < _NEWEST:
        return known
    if not any(one.state == "sent" for one in found):
        # In a flood, what was tried is further back than what waits.
        tried = [await newest("sent", 1)]
        tried += [await newest(state, _NEWEST) for state in sorted(_TROUBLE)]
        every = {one.id: one for part in (found, *tried) for one in part}
        ordered = sorted(every.values(), key=lambda one: one.created_at, reverse=True)
        known = health(destination, ordered)
    return replace(known, or_more=known.waiting > 0)


def health(destination: Destination, newest: Sequence[CountedDelivery]) -> Health:
    """Return how a destination is; `newest` are its deliveries, newest first."""
    waiting = [one for one in newest if one.state in {"waiting", "sending", "failed"}]
    if not destination.enabled:
        return Health(Condition.OFF, waiting=len(waiting))
    tried = [one for one in newest if one.state in _TROUBLE or one.state == "sent"]
    if not tried:
        return Health(Condition.UNUSED, waiting=len(waiting))
    failures = []
    for one in tried:
        if one.state == "sent":
            break
        failures.append(one)
    if not failures:
        return Health(Condition.WELL, since=tried[0].sent_at, waiting=len(waiting))
    due = [one.next_at for one in failures if one.next_at is not None]
    return Health(
        Condition.FAILING,
        since=failures[-1].created_at,
        reason=failures[0].reason,
        again_at=min(due, default=None),
        waiting=len(waiting),
    )
