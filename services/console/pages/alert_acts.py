"""What a viewer can do with an alert, by the act that its button names.

To add one: a method that asks alerting, a line in `ACTS`, and a button with that `data-act`
(fields of the same panel arrive in `fields`, by name).
"""

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from services.console.upstream.alerting import Alerting

SNOOZES = {"snooze.1": 60, "snooze.8": 8 * 60, "snooze.24": 24 * 60}
"""By act, in minutes."""

Fields = Mapping[str, str]
Act = Callable[[Alerting, UUID, Fields], Awaitable[None]]


async def _acknowledge(alerting: Alerting, alert_id: UUID, _: Fields) -> None:
    await alerting.acknowledge(alert_id)


async def _assign(alerting: Alerting, alert_id: UUID, fields: Fields) -> None:
    await alerting.assign(alert_id, fields.get("to", ""), fields.get("note", "").strip())


async def _resolve(alerting: Alerting, alert_id: UUID, fields: Fields) -> None:
    await alerting.resolve(alert_id, fields.get("note", "").strip())


def _snooze(minutes: int) -> Act:
    async def snooze(alerting: Alerting, alert_id: UUID, _: Fields) -> None:
        await alerting.snooze(alert_id, minutes)

    return snooze


async def _end_snooze(alerting: Alerting, alert_id: UUID, _: Fields) -> None:
    await alerting.end_snooze(alert_id)


REASONS = ("data_wrong", "short_lived", "known", "not_actionable", "limit_unsuitable")
"""Why an alert was none."""


def _feedback(reason: str) -> Act:
    async def feedback(alerting: Alerting, alert_id: UUID, _: Fields) -> None:
        await alerting.feedback(alert_id, reason)

    return feedback


ACTS: Mapping[str, Act] = {
    "acknowledge": _acknowledge,
    "assign": _assign,
    "resolve": _resolve,
    **{act: _snooze(minutes) for act, minutes in SNOOZES.items()},
    "snooze.end": _end_snooze,
    **{f"feedback.{reason}": _feedback(reason) for reason in ("useful", *REASONS)},
}
