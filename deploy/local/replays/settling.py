"""Wait until every consumer has caught up, and until every notice has gone out."""

import asyncio
import time
from collections.abc import Callable, Mapping

from deploy.local.replays.lowtide import Lowtide

LOOK_S = 0.25
QUIET_LOOKS = 8
"""A consumer at lag 0 may still be about to publish what the next one reads, and on the events'
clock alerting lets what is due fire half a second after the last message: all must be at 0, and
nothing may have changed, for two seconds. They do not count as time of the run."""

LIMIT_S = 600.0
NOTICE_LIMIT_S = 300.0
"""Five windows of the group's limit: whatever waits fits into one digest."""

OUTSTANDING = ("waiting", "sending", "failed")
"""States of a delivery that something is still to become of."""


class NeverSettledError(RuntimeError):
    """Something still waits after the longest time that it may take."""


async def caught_up(lowtide: Lowtide, announce: Callable[[str], None]) -> float:
    """Wait for lag 0 everywhere; return the monotonic time of the first look that found it.

    Raises NeverSettledError after LIMIT_S.
    """
    began = time.monotonic()
    told, quiet_since, quiet_looks = began, began, 0
    state: Mapping[str, object] = {}
    while True:
        looked = time.monotonic()
        before, state = state, await _state(lowtide)
        lag = {name: records for name, records in state.items() if name.endswith("lag")}
        if any(records != 0 for records in lag.values()) or state != before:
            quiet_looks = 0
        if quiet_looks == 0:
            quiet_since = looked
        quiet_looks += all(records == 0 for records in lag.values())
        if quiet_looks >= QUIET_LOOKS:
            return quiet_since
        if looked - told > 5:
            told = looked
            announce("waiting for the consumers: " + _worded(lag))
        if looked - began > LIMIT_S:
            raise NeverSettledError(f"not caught up after {LIMIT_S:.0f} s: {_worded(lag)}")
        await asyncio.sleep(LOOK_S)


async def notices_out(lowtide: Lowtide, announce: Callable[[str], None]) -> None:
    """Wait until no delivery is outstanding; raises NeverSettledError after NOTICE_LIMIT_S."""
    began = told = time.monotonic()
    while True:
        summary = await lowtide.get("notifier", "/v1/deliveries/summary")
        waiting = {state: summary["by_state"].get(state, 0) for state in OUTSTANDING}
        if not any(waiting.values()):
            return
        now = time.monotonic()
        if now - told > 15:
            told = now
            announce("waiting for notices: " + _worded(waiting))
        if now - began > NOTICE_LIMIT_S:
            raise NeverSettledError(
                f"notices outstanding after {NOTICE_LIMIT_S:.0f} s: {_worded(waiting)}"
            )
        await asyncio.sleep(LOOK_S)


async def _state(lowtide: Lowtide) -> dict[str, object]:
    """Return how far behind each consumer is (records, None if unknown), and what it has done."""
    ledger = await lowtide.get("ledger", "/v1/summary")
    alerting = await lowtide.get("alerting", "/v1/alerts/summary")
    notifier = await lowtide.get("notifier", "/v1/deliveries/summary")
    return {
        "ledger lag": ledger["lag_records"],
        "alerting lag": alerting["lag_records"],
        "outbox lag": alerting["outbox"],
        "notifier lag": notifier["lag_records"],
        "quarantine lag": await lowtide.metric("ingest-consume", "lowtide_lag_records"),
        "movements": ledger["movements"],
        "repeats": ledger["repeats"],
        "alerts": await lowtide.get("alerting", "/v1/alerts/totals"),
    }


def _worded(counts: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
