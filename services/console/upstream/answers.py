"""What the other services answer, as far as pages show it. Unknown fields are left alone."""

from datetime import datetime
from decimal import Decimal
from typing import Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.events.stock_alerts import SHORTAGES, AlertEvent, AlertLevel, Hush, SubjectKind

T = TypeVar("T")


class Answer(BaseModel):
    """A part of an answer; a newer service may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Page(Answer, Generic[T]):
    """A part of a list, and where the next part starts."""

    items: list[T]
    next_cursor: str | None = None


class Level(Answer):
    """A SKU in a warehouse; units. `version` 0 means the ledger has never heard of it."""

    sku: str
    warehouse: str
    on_hand: int
    reserved: int
    unavailable: int
    incoming: int
    available: int
    version: int
    counted_at: datetime | None = None
    last_change_at: datetime | None = None
    sold_total: int = 0
    returned_total: int = 0
    received_total: int = 0


class Repeat(Answer):
    """The same change, sent once more."""

    received_at: datetime


class StatementLine(Answer):
    """A movement with the balance after it; `change` is its effect on on hand, units."""

    type: str
    channel: str
    id: str
    line: str = "0"
    quantity: int
    change: int
    balance: int
    occurred_at: datetime
    received_at: datetime
    late: bool = False
    masked: bool = False
    unusual: bool = False
    repeats: list[Repeat] = Field(default_factory=list)
    reason: str | None = None
    reference: str | None = None


class LedgerSummary(Answer):
    """How much the ledger has recorded, and how far behind it is."""

    movements: int
    repeats: int = 0
    levels: int = 0
    behind_seconds: float | None = None
    lag_records: int | None = None


class Sku(Answer):
    """A SKU's master data."""

    sku: str
    name: str | None = None
    category: str | None = None
    brand: str | None = None
    barcodes: list[str] = Field(default_factory=list)


class Warehouse(Answer):
    """A warehouse and its IANA time zone."""

    id: str
    name: str
    zone: str = "UTC"


class Channel(Answer):
    """Where changes come from."""

    id: str
    name: str


class Rule(Answer):
    """The rule of an episode; `name` by language tag."""

    id: str
    kind: str
    name: dict[str, str] = Field(default_factory=dict)


class Option(Answer):
    """A SKU of a product."""

    sku: str
    name: str | None = None


class Options(Answer):
    """How many options of a product are in stock, and some that are not."""

    in_stock: int
    all: int
    out: list[Option] = Field(default_factory=list)


class DoubtReasons(Answer):
    """Why a level's numbers are in doubt."""

    flags: list[str] = Field(default_factory=list)
    count_days: int | None = None
    silent: list[str] = Field(default_factory=list)


class Arrival(Answer):
    """An incoming line with the day that it is due."""

    quantity: int
    due_at: datetime
    reference: str


class Facts(Answer):
    """The numbers of an episode at a revision; units and days."""

    available: int | None = None
    on_hand: int | None = None
    threshold: float | None = None
    daily_sales: float | None = None
    days_of_cover: float | None = None
    incoming: int | None = None
    options: Options | None = None
    doubts: DoubtReasons | None = None
    runs_out_at: datetime | None = None
    next_arrival: Arrival | None = None
    overdue: Arrival | None = None


class Revision(Answer):
    """A step in an episode's life."""

    revision: int
    event: AlertEvent
    level: AlertLevel
    previous_level: AlertLevel | None = None
    occurred_at: datetime
    facts: Facts = Facts()
    actor: str | None = None
    note: str | None = None
    hush: Hush | None = None


class AtRisk(Answer):
    """What is lost until stock can arrive; without the options that are `left_out`."""

    units: float
    money: Decimal | None = None
    left_out: int = 0


class Expectation(Answer):
    """What a step of a playbook expects, within how many minutes."""

    expects: str
    within_minutes: int


class PresentStep(Answer):
    """The step that an episode is at: what is expected, and by when."""

    number: int
    expects: str
    by: datetime


class Playbook(Answer):
    """What an episode follows; without a `step` nothing is expected any more."""

    name: dict[str, str] = Field(default_factory=dict)
    steps: list[Expectation]
    step: PresentStep | None = None
    due_at: datetime | None = None
    stands_until: datetime | None = None
    escalated: bool = False
    told: list[str] = Field(default_factory=list)


class Alert(Answer):
    """An episode. `history`, oldest first, only where one alert was asked for."""

    id: UUID
    number: int
    state: str
    level: AlertLevel
    rule: Rule
    subject: SubjectKind = SubjectKind.LEVEL
    sku: str
    sku_name: str | None = None
    warehouse: str
    opened_at: datetime
    resolved_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    owner: str | None = None
    snoozed_until: datetime | None = None
    facts: Facts = Facts()
    stock_class: str | None = None
    supplier: str | None = None
    at_risk: AtRisk | None = None
    held_back: bool = False
    playbook: Playbook | None = None
    history: list[Revision] = Field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether something can still be done about it."""
        return self.state not in {"resolved", "retracted"}

    @property
    def runs_out_at(self) -> datetime | None:
        """When it runs out, of what still warns of a shortage; as messages have it."""
        tells = self.is_open and self.rule.kind in SHORTAGES
        return self.facts.runs_out_at if tells else None

    @property
    def next_arrival(self) -> Arrival | None:
        """What was still to come when the facts were taken."""
        coming = self.facts.next_arrival
        taken_at = self.history[-1].occurred_at if self.history else self.opened_at
        return coming if coming is not None and coming.due_at > taken_at else None

    @property
    def overdue(self) -> Arrival | None:
        """What is late, where the rule asks for that."""
        return self.facts.overdue if self.rule.kind == "inbound_overdue" else None


class AlertSummary(Answer):
    """Open episodes by level, and how far behind alerting is."""

    open: dict[AlertLevel, int] = Field(default_factory=dict)
    behind_seconds: float | None = None
    lag_records: int | None = None


class Message(Answer):
    """A message that the demonstration's stand-ins received; `type` says how `text` is written."""

    id: str
    kind: Literal["wecom", "mail"]
    received_at: datetime
    to: str = ""
    type: str = "text"
    subject: str = ""
    text: str = ""
