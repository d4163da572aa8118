"""All rules as of one revision, and which of them watch a subject."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Self

from services.alerting.domain.calendar import Calendar, Occasion, by_sku
from services.alerting.domain.channels import Channels
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.parameters import Parameters
from services.alerting.domain.rule import Rule
from services.alerting.domain.subject import Item, LevelSubject, PoolSubject, Subject
from services.alerting.domain.unusual import UNUSUAL
from shared.events.stock_alerts import AlertLevel, SubjectKind

SEASONS = 2
"""Books kept at a time, each with what it watches: the one that ends and the one that begins."""

EVERYWHERE = ""
"""No warehouse has no code."""


class Gathered(NamedTuple):
    """What a level is part of: pools that rules watch, and a product that other rules watch."""

    pools: tuple[PoolSubject, ...]
    products: tuple[Rule, ...]


class _Asked(NamedTuple):
    """What decides besides a subject itself which scopes it is in."""

    item: Item | None
    stock_class: str | None
    supplier: str | None

    @classmethod
    def of(cls, item: Item | None, given: Parameters) -> Self:
        return cls(item, given.stock_class, given.supplier)

    def is_so(self, item: Item | None, given: Parameters) -> bool:
        # Asked for each message: of the catalogue it is the same object, of parameters the text.
        return (
            self.item is item
            and self.stock_class == given.stock_class
            and self.supplier == given.supplier
        )


class RuleBook:
    """The rules in force and the disabled ones, at one revision of the configuration.

    Never changed: an edit makes a new book, so a batch sees one set of rules throughout.
    """

    def __init__(
        self,
        revision: int = 0,
        rules: Iterable[Rule] = (),
        calendar: Calendar | None = None,
    ) -> None:
        self.revision = revision
        self.calendar = calendar or Calendar()
        self._on: Sequence[Occasion] = ()
        # Promotions are many, most of them of one SKU, and each level asks for all its rules.
        self._on_by_sku: Mapping[str | None, Sequence[Occasion]] = {}
        self._seasons: dict[int, RuleBook] = {}
        self._rules = {rule.id: rule for rule in rules}
        self._enabled = tuple(
            sorted((rule for rule in self._rules.values() if rule.enabled), key=_turn)
        )
        self.asks_catalogue = any(rule.asks_catalogue for rule in self._enabled)
        """Whether a change of the catalogue can change what is watched."""
        self.asks_parameters = any(rule.asks_parameters for rule in self._enabled)
        """Whether a changed parameter can change an evaluation, or what is watched."""
        self.asks_day = any(rule.asks_day for rule in self._enabled)
        """Whether a new day can change an evaluation."""
        self.listening = [rule for rule in self._enabled if rule.doubts.silence is not None]
        self.doubting = [rule.id for rule in self._enabled if UNUSUAL in rule.doubts.flags]
        """The rules that tell people of an unusual change."""
        self.pooling = [rule for rule in self._enabled if rule.subject is SubjectKind.POOL]
        self.sizing = [rule for rule in self._enabled if rule.subject is SubjectKind.PRODUCT]
        self.gathering = bool(self.pooling or self.sizing)
        """Whether levels are looked at together, too."""
        self.covering = any(rule.covers_levels for rule in self.pooling)
        """Whether a pool can keep the levels in it quiet."""
        # Asked once per message, answered from here: the scope of a subject hardly ever changes.
        self._watching: dict[Subject, tuple[_Asked, tuple[Rule, ...]]] = {}
        self._gathered: dict[LevelSubject, tuple[_Asked, Gathered | None]] = {}

    @property
    def rules(self) -> Collection[Rule]:
        """All rules, enabled or not."""
        return self._rules.values()

    @property
    def on(self) -> Sequence[Occasion]:
        """The occasions that are worked into this book: those of its season."""
        return self._on

    def at(self, now: datetime) -> "RuleBook":
        """Return the book as it is at a moment: with the occasions of the calendar that are on."""
        if not self.calendar:
            return self
        season = self.calendar.season(now)
        book = self._seasons.get(season)
        if book is None:
            if len(self._seasons) == SEASONS:
                del self._seasons[min(self._seasons)]
            book = self._seasons[season] = RuleBook(self.revision, self._rules.values())
            book._on = self.calendar.on(now)
            book._on_by_sku = by_sku(book._on)
        return book

    def in_season(self, rule: Rule, subject: Subject) -> Rule:
        """Return a rule as the occasions that are on have it for a subject."""
        for sku in (None, subject.sku):
            for occasion in self._on_by_sku.get(sku, ()):
                if occasion.concerns(rule, subject):
                    rule = occasion.applied(rule)
        return rule

    def now(self, rule_id: str, subject: Subject, now: datetime) -> Rule | None:
        """Return a rule as it is for a subject at a moment, enabled or not."""
        rule = self.find(rule_id)
        return None if rule is None else self.at(now).in_season(rule, subject)

    def silence(self, channels: Channels, now: datetime) -> frozenset[tuple[str, str]]:
        """Return (rule, warehouse) where a channel is silent that the rule listens to.

        A rule that names its channels listens to them for all warehouses: EVERYWHERE.
        """
        told_of = frozenset[str]().union(*channels.warehouses.values())
        return frozenset(
            (rule.id, warehouse)
            for rule in self.listening
            for warehouse in ((EVERYWHERE,) if rule.doubts.channels else told_of)
            if rule.doubts.silent(channels, warehouse, now)
        )

    def find(self, rule_id: str) -> Rule | None:
        """Return a rule, enabled or not."""
        return self._rules.get(rule_id)

    def watching(self, subject: Subject, item: Item | None, given: Parameters) -> tuple[Rule, ...]:
        """Return the enabled rules that have a subject in scope, in the order to evaluate them.

        `given` are the subject's parameters.
        """
        known = self._watching.get(subject)
        if known is not None and known[0].is_so(item, given):
            return known[1]
        rules = tuple(rule for rule in self._enabled if rule.watches(subject, item, given))
        if self._on:
            rules = tuple(self.in_season(rule, subject) for rule in rules)
        self._watching[subject] = (_Asked.of(item, given), rules)
        return rules

    def gathered(
        self, level: LevelSubject, item: Item | None, given: Parameters
    ) -> Gathered | None:
        """Return what a level is part of; None for most.

        `given` are the parameters of its SKU, whatever the warehouse: a pool has no others.
        """
        known = self._gathered.get(level)
        if known is not None and known[0].is_so(item, given):
            return known[1]
        pools = tuple(
            PoolSubject(level.sku, rule.pool, rule.id)
            for rule in self.pooling
            if rule.pools(level.warehouse) and rule.scope.has(level.sku, item, given)
        )
        products = tuple(
            rule
            for rule in self.sizing
            if item is not None and item.product is not None and rule.scope.has(level.sku, item)
        )
        gathered = Gathered(pools, products) if pools or products else None
        self._gathered[level] = (_Asked.of(item, given), gathered)
        return gathered


def _turn(rule: Rule) -> tuple[bool, bool, bool]:
    """Order rules so that who tells of a doubt, or of 断货 (out), comes before what that hides."""
    says_out = any(limit.level is AlertLevel.OUT for limit in rule.limits)
    return rule.filters.inhibited_by_out, rule.kind is not RuleKind.DATA_DOUBT, not says_out
