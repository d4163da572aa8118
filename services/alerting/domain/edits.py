"""What one rule book has otherwise than the one before it, and which subjects that concerns.

An edit, a season of the calendar, a working calendar that rules name: all of them make another
book, and most of them concern few subjects, or none.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.alerting.domain.calendar import Occasion
from services.alerting.domain.parameters import ParameterBook
from services.alerting.domain.rule import Rule, Scope
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.subject import (
    Item,
    LevelSubject,
    PoolSubject,
    ProductSubject,
    Subject,
)
from shared.events.stock_alerts import SubjectKind

FEW = 5
"""To ask for one rule whether it is about 100,000 levels takes some 50 ms, during which no message
is heard. Where more rules are otherwise, all levels are looked at: 2,000 in a turn."""

FEW_OF_ONE_SKU = 2_000
"""Whom so many occasions concern, each about one SKU, takes some 200 ms to find by ten rules."""


class Turned(NamedTuple):
    """An occasion that is on in one of two books only, and the rules that it is about."""

    occasion: Occasion
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Edits:
    """Rules that are otherwise than before, as they were and as they are, if they were enabled.

    And the occasions that are on in one of the books only, by the SKU that they are about: None
    for those that ask every level.
    """

    rules: tuple[Rule, ...]
    occasions: Mapping[str | None, Sequence[Turned]]

    def __bool__(self) -> bool:
        return bool(self.rules or self.occasions)

    @property
    def are_many(self) -> bool:
        """Whether it takes longer to say whom they concern than to look at everybody."""
        of_any = self.occasions.get(None, ())
        of_one_sku = sum(map(len, self.occasions.values())) - len(of_any)
        asked_of_all = len(self.rules) + sum(len(each.rules) for each in of_any)
        return asked_of_all > FEW or of_one_sku > FEW_OF_ONE_SKU

    def concerned(
        self, subjects: Iterable[Subject], items: Mapping[str, Item], book: ParameterBook
    ) -> Iterator[Subject]:
        """Yield those who, or something that they are part of, may be judged otherwise.

        Whose parameters have changed besides is looked at for that (`Territory.follow`).
        """
        for subject in subjects:
            item = items.get(subject.sku)
            for rule in self.rules:
                if _watched(rule, subject, item, book) is not None:
                    yield subject
                    break
            else:
                if self.occasions and self._turned_for(subject, item, book):
                    yield subject

    def _turned_for(self, subject: Subject, item: Item | None, book: ParameterBook) -> bool:
        codes = {None, subject.sku, None if item is None else item.product}
        return any(
            (watched := _watched(rule, subject, item, book)) is not None
            and occasion.concerns(rule, watched)
            for code in codes
            for occasion, rules in self.occasions.get(code, ())
            for rule in rules
        )


def between(before: RuleBook, after: RuleBook) -> Edits:
    """Return what a book has otherwise than another, each as it is in its season."""
    found: list[Rule] = []
    for rule_id in sorted({rule.id for rule in (*before.rules, *after.rules)}):
        was, now = before.find(rule_id), after.find(rule_id)
        if was != now:
            enabled = [rule for rule in (was, now) if rule is not None and rule.enabled]
            # Seldom has an edit to do with whom a rule is about.
            found += {_of_whom(rule): rule for rule in enabled}.values()
    in_force = [rule for rule in after.rules if rule.enabled]
    turned: defaultdict[str | None, list[Turned]] = defaultdict(list)
    for occasion in _on_in_one(before.on, after.on):
        if rules := tuple(filter(occasion.is_about, in_force)):
            turned[occasion.sku].append(Turned(occasion, rules))
    return Edits(tuple(found), dict(turned))


def _on_in_one(before: Iterable[Occasion], after: Iterable[Occasion]) -> Iterator[Occasion]:
    """Yield the occasions that are in one of both only, or otherwise in the other."""
    was, now = ({each.id: each for each in on} for on in (before, after))
    for each in was | now:
        if was.get(each) != now.get(each):
            yield from (on[each] for on in (was, now) if each in on)


def _of_whom(rule: Rule) -> tuple[Scope, SubjectKind, str]:
    return rule.scope, rule.subject, rule.pool


def _watched(
    rule: Rule, subject: Subject, item: Item | None, book: ParameterBook
) -> Subject | None:
    """Return what a rule watches of a subject: it, or the pool or product that it is part of."""
    if not isinstance(subject, LevelSubject):
        return subject if subject.rule == rule.id else None
    if rule.subject is SubjectKind.LEVEL:
        return subject if rule.scope.contains(subject, item, book.of(subject)) else None
    if not rule.scope.has(subject.sku, item, book.of_sku(subject.sku)):
        return None
    if rule.subject is SubjectKind.POOL:
        pool = PoolSubject(subject.sku, rule.pool, rule.id)
        return pool if rule.pools(subject.warehouse) else None
    if item is None or item.product is None:
        return None
    return ProductSubject(item.product, rule.pool, rule.id)
