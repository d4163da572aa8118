"""`stock.alerts`: what became of an episode, one message per revision, in order.

Key: the alert id. `revision` counts from 1 within an alert without gaps; a reader that has
handled a revision drops older ones.
"""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.events.base import Code, Event, Instant

TOPIC = "stock.alerts"
VERSION = 1


KINDS_IN_DAYS = frozenset(
    {"days_of_cover", "overstock", "inbound_overdue", "run_out_before_inbound"}
)
"""Kinds of rule whose threshold is in days; those of the others are units."""


class AlertLevel(StrEnum):
    """How bad it is: 关注, 紧急, 断货."""

    WATCH = "watch"
    URGENT = "urgent"
    OUT = "out"


class AlertEvent(StrEnum):
    """What happened to the episode."""

    OPENED = "opened"
    LEVEL_CHANGED = "level_changed"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    SNOOZED = "snoozed"
    REMINDED = "reminded"
    """It still holds, and what kept it from people (a silence, a snooze) has ended."""
    RESOLVED = "resolved"


class AlertRule(Event):
    """The rule as it was when it fired."""

    id: Code
    version: int
    kind: str
    name: dict[str, str]
    """By language tag: `zh-CN`, `en`."""


class AlertFacts(Event):
    """The numbers a person needs, as they were at this revision; units and days."""

    available: int
    on_hand: int
    low_water: int
    threshold: float | None = None
    """The enter limit that held: units, or days for KINDS_IN_DAYS; None where it is neither."""
    daily_sales: float | None = None
    """Mean units a day over the last 28 days, where known."""
    days_of_cover: float | None = None
    incoming: int = 0


class HushKind(StrEnum):
    """What keeps a revision from people: a silence over its kind, or a snooze of the alert."""

    SILENCE = "silence"
    SNOOZE = "snooze"


class Hush(Event):
    """Why and until when people are not told of a revision; the record has it all the same."""

    by: HushKind
    until: Instant
    silence: UUID | None = None


class StockAlert(Event):
    """An episode at one revision.

    Times: `opened_at`, `occurred_at` are on alerting's evaluation clock (event time in a
    replay), `recorded_at` is wall clock.
    """

    v: Literal[1] = 1
    alert_id: UUID
    number: Annotated[int, Field(ge=1)]
    """Short running number that people say aloud."""
    revision: Annotated[int, Field(ge=1)]
    event: AlertEvent
    level: AlertLevel
    previous_level: AlertLevel | None = None
    rule: AlertRule
    sku: Code
    sku_name: str | None = None
    warehouse: Code
    labels: dict[str, str] = Field(default_factory=dict)
    facts: AlertFacts
    opened_at: Instant
    occurred_at: Instant
    recorded_at: Instant
    acknowledged_by: str | None = None
    owner: str | None = None
    """Who sees to it."""
    snoozed_until: Instant | None = None
    hush: Hush | None = None
    """Set where people are not to be told of this revision."""
    note: str | None = None
