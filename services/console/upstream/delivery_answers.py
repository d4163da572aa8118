"""What the notifier answers, as far as pages show it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from services.console.upstream.answers import Answer
from shared.events.stock_alerts import AlertLevel


class Recipients(Answer):
    """How far a message has come, where people are told by name."""

    left: list[str] = Field(default_factory=list)
    reached: list[str] = Field(default_factory=list)
    in_doubt: list[str] = Field(default_factory=list)
    refused: list[str] = Field(default_factory=list)
    overtaken: list[str] = Field(default_factory=list)


class Delivery(Answer):
    """One message for one destination; `reason` says why it is where it is.

    What waits on purpose waits until `not_before`, and `held_for` says why.
    """

    id: UUID
    kind: str
    alert_id: UUID | None = None
    alert_number: int | None = None
    revision: int | None = None
    event: str | None = None
    level: AlertLevel | None = None
    destination: str | None = None
    state: str
    reason: str | None = None
    digest_id: UUID | None = None
    order_id: UUID | None = None
    duplicate_possible: bool = False
    recipients: Recipients | None = None
    next_at: datetime | None = None
    not_before: datetime | None = None
    held_for: str | None = None
    created_at: datetime
    sent_at: datetime | None = None

    def is_held(self, now: datetime) -> bool:
        """Return whether it waits on purpose."""
        return self.state == "waiting" and self.not_before is not None and now < self.not_before


class CountedDelivery(Delivery):
    """A delivery of a list, with the number of its attempts."""

    attempts: int = 0


class Attempt(Answer):
    """One try; `rendered` is what a person reads of it."""

    number: int
    started_at: datetime
    finished_at: datetime | None = None
    verdict: str | None = None
    code: str | None = None
    detail: str | None = None
    marked: bool = False
    rendered: str = ""


class DeliveryWithAttempts(Delivery):
    """A delivery with all its attempts, oldest first."""

    attempts: list[Attempt] = Field(default_factory=list)


class Replayed(Answer):
    """What becomes of the notices that died at a destination, or would become of them.

    `replayed` are sent again; `superseded` and `untold` are out of date and are not; `left` are for
    the next time.
    """

    found: int
    replayed: int
    superseded: int = 0
    untold: int = 0
    left: int = 0

    @property
    def out_of_date(self) -> int:
        """How many tell of what is past."""
        return self.superseded + self.untold


class DeliverySummary(Answer):
    """Deliveries by state, and how far behind the notices are.

    Of those that are over and done, the ones made `since` an instant.
    """

    since: datetime | None = None
    by_state: dict[str, int] = Field(default_factory=dict)
    behind_seconds: float | None = None
    lag_records: int | None = None


class Destination(Answer):
    """Where notices go; the part of its kind holds the address, secrets masked."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    kind: str
    name: str
    language: str = ""
    enabled: bool = True

    @property
    def address(self) -> str:
        """The part of the address that tells destinations of a kind apart."""
        part: dict[str, Any] = (self.model_extra or {}).get(self.kind) or {}
        shown = part.get("to") or part.get("channel") or part.get("key") or part.get("token")
        shown = shown or part.get("url") or ""
        return ", ".join(shown) if isinstance(shown, list) else str(shown)


class Match(Answer):
    """What an alert must be to go a way; what is empty is met by all."""

    levels: list[AlertLevel] = Field(default_factory=list)
    labels: dict[str, str] = Field(default_factory=dict)
    rules: list[str] = Field(default_factory=list)


class Route(Answer):
    """Which alerts go to a destination."""

    id: str
    destination: str
    match: Match = Match()
    enabled: bool = True
