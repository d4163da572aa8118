"""`alert.responses`: what people did about an alert in a chat or by a link in a mail.

Key: the alert id. A response may come more than once; its id is the same then, and it acts once.
"""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.events.base import MAX_QUANTITY, Event, Instant

TOPIC = "alert.responses"
VERSION = 1

MAX_SNOOZE_MINUTES = 30 * 24 * 60


class ResponseKind(StrEnum):
    """What somebody did: 接单, 误报, 已下单, 暂缓."""

    ACKNOWLEDGE = "acknowledge"
    FALSE_ALARM = "false_alarm"
    ORDERED = "ordered"
    SNOOZE = "snooze"


class FeedbackReason(StrEnum):
    """What somebody thinks of an alert."""

    USEFUL = "useful"
    DATA_WRONG = "data_wrong"
    SHORT_LIVED = "short_lived"
    KNOWN = "known"
    """Stock is on the way, and that was known."""
    NOT_ACTIONABLE = "not_actionable"
    LIMIT_UNSUITABLE = "limit_unsuitable"


class Via(StrEnum):
    """Where it was done, and with it what `who` is."""

    WECOM_APP = "wecom_app"
    SLACK = "slack"
    EMAIL = "email"


class AlertResponse(Event):
    """One act of one person.

    `who` is what the vendor calls the person: a WeCom or Slack user id, or an e-mail address; whose
    it is, and whether the alert is theirs to act on, is for the reader to find out.
    """

    v: Literal[1] = 1
    response_id: UUID
    """The same whenever the vendor tells of the same act."""
    alert_id: UUID
    kind: ResponseKind
    reason: FeedbackReason | None = None
    """With a false alarm, where one was chosen."""
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)] | None = None
    """Units ordered, where they were said."""
    minutes: Annotated[int, Field(ge=1, le=MAX_SNOOZE_MINUTES)] | None = None
    """For how long it is put off; None leaves that to the reader."""
    via: Via
    who: Annotated[str, Field(min_length=1, max_length=254)]
    responded_at: Instant
    """By the vendor's clock."""
    received_at: Instant
