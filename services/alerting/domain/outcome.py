"""How an evaluation ends: the condition from now on, what to announce, and always a reason."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.alerting.domain.condition import Condition
from shared.events.stock_alerts import AlertEvent, AlertFacts, AlertLevel


class Reason(StrEnum):
    """Why an evaluation ended as it did."""

    CLEAR = "clear"
    """No limit holds."""
    PENDING = "pending"
    """A limit holds, but not yet for the pending time."""
    PENDING_ENDED = "pending_ended"
    """The limit no longer holds; the pending time had not passed."""
    FIRED = "fired"
    """A limit holds (for the pending time): an episode opens."""
    DIPPED = "dipped"
    """A limit held for a moment between two messages: an episode opens."""
    FIRING = "firing"
    """An episode is open already, at this level."""
    LEVEL_ROSE = "level_rose"
    """A more severe limit holds now."""
    LEVEL_FELL = "level_fell"
    """The exit limit of the present level is reached, that of a milder one is not."""
    RECOVERING = "recovering"
    """The exit limit is reached, but not yet for the recovery time."""
    RECOVERY_BROKEN = "recovery_broken"
    """The exit limit was left again before the recovery time had passed."""
    RECOVERED = "recovered"
    """The exit limit was held for the recovery time: the episode is resolved."""
    NEVER_WAS = "never_was"
    """What came to light late shows that no limit was ever reached: the episode is retracted."""
    TOO_LITTLE_HISTORY = "too_little_history"
    """Not evaluated: mean daily sales need seven complete days."""
    NO_PARAMETER = "no_parameter"
    """Not evaluated: a parameter that the rule compares with is not set. What is open resolves."""
    ARRIVAL_UNKNOWN = "arrival_unknown"
    """Not evaluated: what is incoming is late or has no date, and no lead time is set. What is open
    goes on: this is the worst moment to end it."""
    CHANNELS_UNHEARD = "channels_unheard"
    """Not evaluated: channels seem silent, but nobody has listened for long enough since a start or
    an outage. What is open goes on."""
    TOO_NEW = "too_new"
    """A limit holds, but the level is heard of for fewer days than the rule's grace."""
    BELOW_MINIMUM_DEMAND = "below_minimum_demand"
    """A limit holds, but fewer are sold than the rule is about."""
    DEMAND_FALLS = "demand_falls"
    """A limit holds, but of late less is sold than the rule asks for."""
    COVERED_BY_INBOUND = "covered_by_inbound"
    """A limit holds, but would not if what is incoming were here."""
    INHIBITED = "inhibited"
    """A limit holds, but another rule has the level as out of stock already."""
    COVERED_BY_POOL = "covered_by_pool"
    """A limit holds, but a pool that the level is in has enough."""
    DATA_IN_DOUBT = "data_in_doubt"
    """A limit holds, but people were told of an unusual change: until somebody has counted, or a
    day has passed, nobody is asked to buy."""
    MUTED = "muted"
    """A limit holds, but the calendar lets nothing open now."""
    OUTSIDE_HOURS = "outside_hours"
    """A limit holds, but the rule opens nothing before its hours begin."""
    STALE_VERSION = "stale_version"
    """Not evaluated: a message of this version or a newer one was seen before."""
    RULE_DISABLED = "rule_disabled"
    """The rule no longer watches anything: its episode is resolved."""
    OUT_OF_SCOPE = "out_of_scope"
    """The rule no longer watches this subject: its episode is resolved."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of an episode that is announced."""

    event: AlertEvent
    level: AlertLevel
    previous_level: AlertLevel | None
    facts: AlertFacts
    occurred_at: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What follows: the condition from now on, what to announce, and why."""

    condition: Condition | None
    transition: Transition | None
    reason: Reason
