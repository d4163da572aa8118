"""Attention is a budget: what is told at once, what is gathered, and what waits in the list.

Single messages are for what cannot wait: a stock-out of a class that matters, or much money at
risk. What concerns one owner and supplier is one message, soon when it is urgent and in the morning
of a working day when it is not. A person is interrupted so many times a day and no more. What was
so before anybody looked is one summary.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from services.alerting.domain.stock_class import is_of
from services.alerting.domain.working_time import WorkingCalendar
from shared.events.stock_alerts import AlertLevel, AtRisk, Gather, GatherReason

LONGEST_KEY: Final = 280
"""Characters of a window's key; a notice says it with its time, in 300 at the most."""


@dataclass(frozen=True, slots=True)
class AttentionPolicy:
    """What people are told at once, and how often they are interrupted.

    `classes`: a stock-out of these is told at once; "A" stands for "AX" to "AZ" too. `money`: so is
    what has more at risk (None: no amount is). `watch_at` is on the clock of `zone`, on
    `working_days` (1 is Monday), or on those on which people work by the calendar of the id
    `calendar`, which is `days` then. Not `enabled`: everything is told at once, nothing counted.
    """

    enabled: bool = True
    classes: frozenset[str] = frozenset({"A"})
    money: Decimal | None = None
    urgent_minutes: int = 5
    watch_at: time = time(9)
    zone: str = "Asia/Shanghai"
    working_days: frozenset[int] = frozenset(range(1, 6))
    interruptions_a_day: int = 10
    known_minutes: int = 5
    calendar: str | None = None
    days: WorkingCalendar | None = field(default=None, compare=False)

    def day_of(self, instant: datetime) -> date:
        """Return the calendar day of an instant where people work."""
        return instant.astimezone(ZoneInfo(self.zone)).date()

    def next_morning(self, now: datetime) -> datetime:
        """Return the next moment at which what can wait is told; later than now."""
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        for ahead in range(_LONGEST_WAIT_DAYS + 1):
            day = today + timedelta(days=ahead)
            moment = datetime.combine(day, self.watch_at, zone).astimezone(now.tzinfo)
            if moment > now and self._is_worked(day):
                return moment
        if self.days is not None:  # nobody works for so long: tell it on a weekday all the same
            return replace(self, days=None).next_morning(now)
        raise ValueError("a policy without a working day has no morning")

    def _is_worked(self, day: date) -> bool:
        if self.days is None:
            return day.isoweekday() in self.working_days
        return bool(self.days.hours_of(day))

    def matters(self, stock_class: str) -> bool:
        """Return whether a class is one of those told of at once."""
        return is_of(stock_class, self.classes)


ON_ITS_WAY = timedelta(seconds=2)
"""What a notice may take from here to those who send it: who comes later than so long before a
message is due joins the next one, which is better than a straggler of the same."""

_LONGEST_WAIT_DAYS = 31
"""Longer than any holidays."""


class News(NamedTuple):
    """What should be told: an opening, or a level that rose.

    `owner` is None for what is nobody's. `known`: why it was so before anybody looked.
    """

    level: AlertLevel
    rule: str
    owner: str | None
    stock_class: str | None
    supplier: str | None
    at_risk: AtRisk | None
    known: GatherReason | None


class Way(StrEnum):
    """How news reaches people."""

    AT_ONCE = "at_once"
    GATHERED = "gathered"
    KNOWN = "known"
    BUDGET = "budget"
    """Not at all: it stands in the list."""


class Decision(NamedTuple):
    """How news is told; `gather` where it is told together with others."""

    way: Way
    gather: Gather | None = None


class Window(NamedTuple):
    """A message that is being gathered: for whom it counts (None: nobody), and until when."""

    key: str
    why: GatherReason
    by: datetime
    person: str | None

    def gather(self) -> Gather:
        """Return what a notice says of it."""
        return Gather(key=f"{self.key}|{self.by:%Y%m%dT%H%M%S}", by=self.by, why=self.why)


def window_of(news: News, policy: AttentionPolicy, now: datetime) -> Window | None:
    """Return the window that news would open; None for what is told at once.

    What nobody has given a class is taken for more pressing than it may be: a stock-out is told at
    once, and what is to be watched as soon as what is urgent.
    """
    if news.known is not None:
        by = now + timedelta(minutes=policy.known_minutes)
        return Window(_known_key(news.known, news.rule), news.known, by, None)
    classed = news.stock_class is not None
    if news.level is AlertLevel.OUT and (
        news.stock_class is None or policy.matters(news.stock_class)
    ):
        return None
    money = None if news.at_risk is None else news.at_risk.money
    if policy.money is not None and money is not None and money > policy.money:
        return None
    can_wait = news.level is AlertLevel.WATCH and classed
    soon = now + timedelta(minutes=policy.urgent_minutes)
    pressing = "watch" if can_wait else "urgent"
    return Window(
        _short("|".join((news.owner or "", news.supplier or "", pressing))),
        GatherReason.SAME_OWNER,
        policy.next_morning(now) if can_wait else soon,
        news.owner,
    )


def _short(key: str) -> str:
    """Return a key that fits what it is stored in and sent in: who owns an alert may be any text.

    Whoever acknowledges one with a program's token owns it by the token's subject.
    """
    if len(key) <= LONGEST_KEY:
        return key
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _known_key(why: GatherReason, rule: str) -> str:
    return f"{why}|{rule}" if why is GatherReason.CHANGED_RULE else why.value


PersonDay = tuple[str, date]


@dataclass(slots=True)
class Spent:
    """What became of a person's news on a day.

    `interruptions` are the messages of that day besides those `at_once`; the others are episodes,
    on the day on which they were decided.
    """

    at_once: int = 0
    interruptions: int = 0
    gathered: int = 0
    held_back: int = 0


@dataclass(slots=True)
class Budget:
    """Decides about news one by one, and keeps the count.

    `open_until` are the windows open before, by key; `spent` what was spent before. Both follow
    what is decided; `opened` are the windows that decisions have opened.
    """

    policy: AttentionPolicy
    open_until: dict[str, datetime]
    spent: Mapping[PersonDay, Spent]
    opened: dict[str, Window] = field(default_factory=dict)

    def decide(self, news: News, now: datetime) -> Decision:
        """Return how news is told. Who joins an open window interrupts nobody once more."""
        if not self.policy.enabled:
            return Decision(Way.AT_ONCE)
        window = window_of(news, self.policy, now)
        if window is None:
            if news.owner is not None:
                self._today(news.owner, now).at_once += 1
            return Decision(Way.AT_ONCE)
        until = self.open_until.get(window.key)
        if until is not None and until - now > ON_ITS_WAY:
            window = window._replace(by=until)
        elif not self._open(window, now):
            return Decision(Way.BUDGET)
        if window.person is not None:
            self._today(window.person, now).gathered += 1
        way = Way.GATHERED if window.why is GatherReason.SAME_OWNER else Way.KNOWN
        return Decision(way, window.gather())

    def _open(self, window: Window, now: datetime) -> bool:
        if window.person is not None:
            spent = self.spent[window.person, self.policy.day_of(window.by)]
            if spent.interruptions >= self.policy.interruptions_a_day:
                self._today(window.person, now).held_back += 1
                return False
            spent.interruptions += 1
        self.open_until[window.key] = window.by
        self.opened[window.key] = window
        return True

    def _today(self, person: str, now: datetime) -> Spent:
        return self.spent[person, self.policy.day_of(now)]


def key_of(news: News, policy: AttentionPolicy, now: datetime) -> str | None:
    """Return the key of the window that news may be gathered in; None for what is told at once."""
    window = window_of(news, policy, now) if policy.enabled else None
    return None if window is None else window.key


def concerned(news: News, policy: AttentionPolicy, now: datetime) -> list[PersonDay]:
    """Return the people and days that a decision about news may count for."""
    if not policy.enabled or news.owner is None or news.known is not None:
        return []
    days = (now, now + timedelta(minutes=policy.urgent_minutes), policy.next_morning(now))
    return list(dict.fromkeys((news.owner, policy.day_of(day)) for day in days))
