"""`stock.alerts`: what became of an episode, one message per revision, in order.

Key: the alert id. `revision` counts from 1 within an alert without gaps; a reader that has
handled a revision drops older ones.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from shared.events.base import Code, Event, Instant

TOPIC = "stock.alerts"
VERSION = 1


KINDS_IN_DAYS = frozenset(
    {"days_of_cover", "overstock", "inbound_overdue", "run_out_before_inbound"}
)
"""Kinds of rule whose threshold is in days; see `AlertFacts.threshold` for the others."""

SHORTAGES = frozenset(
    {
        "stock_out",
        "below",
        "below_safety_stock",
        "below_reorder_point",
        "days_of_cover",
        "run_out_before_inbound",
    }
)
"""Kinds of rule that more stock puts an end to. What a custom condition is about nobody knows."""


class SubjectKind(StrEnum):
    """The sorts of subject that a rule can watch."""

    LEVEL = "level"
    """One SKU in one warehouse."""
    POOL = "pool"
    """One SKU over a pool: several warehouses that sell as one."""
    PRODUCT = "product"
    """All SKUs of a product (its options: colours, sizes) over a pool."""


class AlertLevel(StrEnum):
    """How bad it is: 关注, 紧急, 断货."""

    WATCH = "watch"
    URGENT = "urgent"
    OUT = "out"


SEVERITY: Final = {AlertLevel.WATCH: 1, AlertLevel.URGENT: 2, AlertLevel.OUT: 3}
"""How bad each level is; more is worse."""


class AlertEvent(StrEnum):
    """What happened to the episode."""

    OPENED = "opened"
    LEVEL_CHANGED = "level_changed"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    SNOOZED = "snoozed"
    REMINDED = "reminded"
    """It still holds, and what kept it from people has ended, or a step of its playbook is late."""
    ESCALATED = "escalated"
    """Nobody did what was expected in time: others are told."""
    ACTED = "acted"
    """Something is done about it; `action` says what, and how far it is."""
    FEEDBACK = "feedback"
    """Somebody said whether the alert was right."""
    REFUSED = "refused"
    """What somebody tried is not theirs to do: nothing changed, and only they are told."""
    RETRACTED = "retracted"
    """What came to light late shows that there never was a shortage: the end of the episode."""
    RESOLVED = "resolved"
    """It is over; where there is an `actor`, that person has ended it, whatever the stock, and the
    note says why."""


ENDINGS = frozenset({AlertEvent.RESOLVED, AlertEvent.RETRACTED})
"""After these an episode has no more revisions."""


class AlertRule(Event):
    """The rule as it was when it fired."""

    id: Code
    version: int
    kind: str
    name: dict[str, str]
    """By language tag: `zh-CN`, `en`."""


class Option(Event):
    """A SKU of a product; `name` as the catalogue has it."""

    sku: Code
    name: str | None = None


class Options(Event):
    """How many options of a product are in stock; `out` names those that are not, some at most."""

    in_stock: Annotated[int, Field(ge=0)]
    all: Annotated[int, Field(ge=0)]
    out: tuple[Option, ...] = ()


class DoubtReasons(Event):
    """Why a level's numbers are in doubt."""

    flags: tuple[str, ...] = ()
    """Those of the level, as `stock.levels` has them."""
    count_days: int | None = None
    """UTC days since the last count, where those are too many."""
    silent: tuple[Code, ...] = ()
    """Channels that were not heard for too long: together one reason; some at most."""


class Arrival(Event):
    """An incoming line with the day that it is due."""

    quantity: int
    due_at: Instant
    reference: str


class AlertFacts(Event):
    """The numbers a person needs, as they were at this revision; units and days.

    Those of a product are what all its options have together.
    """

    available: int
    on_hand: int
    low_water: int
    threshold: float | None = None
    """The enter limit that held: units, days for KINDS_IN_DAYS, the share of options in stock (0
    to 1) where there are `options`; None where it is none of these."""
    daily_sales: float | None = None
    """Mean units a day over the last 28 days, where known."""
    days_of_cover: float | None = None
    incoming: int = 0
    proposed: int | None = None
    """Units to buy that would bring it to where it should be, beside what is on order; None for
    what is not bought any more. As of when it opened, got worse, was told again, or something was
    done."""
    options: Options | None = None
    """Of a product."""
    is_bought: bool = True
    """False for a SKU that is being phased out or has ended: nobody is to buy it."""
    doubts: DoubtReasons | None = None
    """Of data_doubt: what it doubts the numbers for."""
    runs_out_at: Instant | None = None
    """When what is available will be sold at mean daily sales; None where it is out, where nobody
    can say, or in more than a year. Incoming lines are not counted."""
    next_arrival: Arrival | None = None
    """The incoming line that is due next; of a product none."""
    overdue: Arrival | None = None
    """The incoming line that has been overdue for the longest; of a product none."""


class HushKind(StrEnum):
    """What keeps a revision from people."""

    SILENCE = "silence"
    """Somebody asked for silence over its kind."""
    SNOOZE = "snooze"
    """Somebody put the alert off."""
    COVERED = "covered"
    """What has been done about it covers the shortage."""
    BUDGET = "budget"
    """Its owner has been interrupted often enough today; it stands in the list."""
    ENDED = "ended"
    """The alert had ended; programs hear of what is still ordered for it."""


class Hush(Event):
    """Why and until when (None: until something changes) people are not told of a revision.

    The record has it all the same.
    """

    by: HushKind
    until: Instant | None = None
    silence: UUID | None = None


class Recipient(Event):
    """A person whom a revision is for, and what vendors of chat know them by.

    `id` is None for somebody who is not known.
    """

    id: Code | None = None
    name: str
    language: str
    email: str | None = None
    wecom_userid: str | None = None
    dingtalk_userid: str | None = None
    feishu_open_id: str | None = None
    """As the application of the group's bot knows them: `ou_…`."""
    slack_user_id: str | None = None


class AtRisk(Event):
    """What is lost until stock can arrive; money in the currency of the prices, where known.

    Of a product it is what its options lose that are out, all together.
    """

    units: float
    money: Decimal | None = None
    left_out: Annotated[int, Field(ge=0)] = 0
    """Options whose loss is missing from the units, or from the money: nobody knows what they sell,
    or their price. What is lost is more than this then."""


class GatherReason(StrEnum):
    """Why a revision is told together with others.

    All but the last: it was so before anybody looked, which is *known*, and one summary says it.
    """

    FIRST_IMPORT = "first_import"
    """The level was heard of for the first time, and was low by then."""
    CHANGED_RULE = "changed_rule"
    """The rule is new, or another than before."""
    CHANGED_PARAMETERS = "changed_parameters"
    CHANGED_CATALOGUE = "changed_catalogue"
    """The SKU has come into the rule's scope."""
    SAME_OWNER = "same_owner"
    """Episodes of one owner and supplier are one interruption."""


class Gather(Event):
    """Tell it together with others of the same key, in one message, at `by` at the latest.

    A key is that of one message: a later one has another.
    """

    key: Annotated[str, Field(max_length=300)]
    by: Instant
    why: GatherReason


class Expected(StrEnum):
    """What a step of a playbook asks of people."""

    ACKNOWLEDGE = "acknowledge"
    ACT = "act"
    APPROVE = "approve"
    CONFIRM = "confirm"


class Step(Event):
    """Where an episode is in its playbook: what is expected, and by when."""

    number: Annotated[int, Field(ge=1)]
    expects: Expected
    by: Instant


class ActionKind(StrEnum):
    """What can be done about a shortage or a surplus."""

    BUY = "buy"
    EXPEDITE = "expedite"
    TRANSFER = "transfer"
    SUBSTITUTE = "substitute"
    COUNT = "count"
    STOP_SELLING = "stop_selling"
    LOWER_SHARE = "lower_share"
    NONE = "none"


class ActionState(StrEnum):
    """How far an action is."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    ORDERED = "ordered"
    RECEIVED = "received"
    DONE = "done"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class OrderLine(Event):
    """Which line of which purchase order an action is.

    `reference` and `line` name it at ingest too: the receipt that says both takes it off what is
    incoming. `lines` is where alerting's HTTP interface has the whole order.
    """

    id: UUID
    number: Annotated[int, Field(ge=1)]
    reference: str
    line: str
    supplier: Code | None = None
    lines: str


class Action(Event):
    """What is done about an episode, at this revision."""

    id: UUID
    kind: ActionKind
    state: ActionState
    quantity: int | None = None
    due_at: Instant | None = None
    """When what was ordered is expected."""
    reason: str | None = None
    source: Code | None = None
    """The warehouse that a transfer comes from."""
    order: OrderLine | None = None
    """Set from when it is collected into an order."""


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
    subject: SubjectKind = SubjectKind.LEVEL
    sku: Code
    """Of a product its code, which is no SKU."""
    sku_name: str | None = None
    warehouse: Code
    """The name of the pool where the subject is no level."""
    labels: dict[str, str] = Field(default_factory=dict)
    facts: AlertFacts
    opened_at: Instant
    occurred_at: Instant
    recorded_at: Instant
    acknowledged_by: str | None = None
    owner: str | None = None
    """Who sees to it."""
    actor: str | None = None
    """Who did this; None where nobody did."""
    names: dict[str, str] = Field(default_factory=dict)
    """What those of them are called who are people that alerting knows, by id."""
    to: tuple[Recipient, ...] = ()
    """Whom this revision is for; destinations of a group tell the group."""
    stock_class: str | None = None
    supplier: str | None = None
    at_risk: AtRisk | None = None
    gather: Gather | None = None
    """Set where it may wait to be told with others."""
    step: Step | None = None
    action: Action | None = None
    snoozed_until: Instant | None = None
    hush: Hush | None = None
    """Set where people are not to be told of this revision."""
    note: str | None = None

    def called(self, person: str) -> str:
        """Return what somebody whom this names is called, or else the id."""
        return self.names.get(person, person)

    @property
    def asks_for_approval(self) -> bool:
        """Whether something was asked for at this revision that somebody else has to approve."""
        return (
            self.event is AlertEvent.ACTED
            and self.action is not None
            and self.action.state is ActionState.PROPOSED
        )

    @property
    def rose(self) -> bool:
        """Whether it is worse than at the revision before."""
        before = self.previous_level
        return before is not None and SEVERITY[self.level] > SEVERITY[before]
