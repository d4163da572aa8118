"""The pools that a draft has to look at, and what they have in the draft's view of the memory."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from services.alerting.domain.memory import Known, Staged, Territory
from services.alerting.domain.pool import sold_together, summed
from services.alerting.domain.rulebook import Gathered, RuleBook
from services.alerting.domain.sales import day_of
from services.alerting.domain.subject import LevelSubject, PoolSubject, Subject


class Asked(NamedTuple):
    """When and because of what a pool is to be looked at; `heard`: of a message."""

    partition: int
    now: datetime
    trace: str | None = None
    heard: bool = False


class Pooling:
    """Collects pools while levels are heard; each is looked at once, after all of them.

    All warehouses of a SKU are in one partition, so a pool is where its levels are.
    """

    def __init__(
        self,
        rules: RuleBook,
        territories: Mapping[int, Territory],
        staged: Mapping[Subject, Staged],
    ) -> None:
        self._rules = rules
        self._territories = territories
        self._staged = staged
        self._newcomers: dict[str, set[str]] = {}
        self.asked: dict[PoolSubject, Asked] = {}
        self.skus: dict[str, Asked] = {}
        """The options of products of which levels were heard or looked at."""

    def hear(self, level: LevelSubject, part_of: Gathered, asked: Asked, *, is_new: bool) -> None:
        """Note that a level was told of; `is_new`: for the first time."""
        if is_new:
            self._newcomers.setdefault(level.sku, set()).add(level.warehouse)
        self._ask(level, part_of, asked)

    def look(self, level: LevelSubject, part_of: Gathered | None, asked: Asked) -> None:
        """Note that something besides a level may have changed what it is part of."""
        if part_of is not None:
            self._ask(level, part_of, asked)
        if level.sku in self._territories[asked.partition].outs:
            self.skus[level.sku] = asked

    def _ask(self, level: LevelSubject, part_of: Gathered, asked: Asked) -> None:
        for pool in part_of.pools:
            self.asked[pool] = asked
        if part_of.products:
            self.skus[level.sku] = asked

    def members(self, partition: int, pool: PoolSubject) -> Iterator[LevelSubject]:
        """Yield the levels that add up to a pool."""
        rule = self._rules.find(pool.rule)
        known = self._territories[partition].siblings(pool.sku)
        for warehouse in {*known, *self._newcomers.get(pool.sku, ())}:
            # Of a rule that watches no pools any more all are taken: it only ends.
            if rule is None or rule.pools(warehouse):
                yield LevelSubject(pool.sku, warehouse)

    def has_levels(self, partition: int, pool: PoolSubject) -> bool:
        """Return whether any level is in a pool; the rule may name other warehouses by now."""
        return any(True for _ in self.members(partition, pool))

    def present(
        self, partition: int, pool: PoolSubject, now: datetime, own: Known | None = None
    ) -> Known:
        """Return a pool as its levels are in the draft; `own` is one that is not in it yet."""
        subjects = self._territories[partition].subjects
        levels = {
            each: staged.known if (staged := self._staged.get(each)) is not None else subjects[each]
            for each in self.members(partition, pool)
        }
        if own is not None:
            levels[LevelSubject(own.level.sku, own.level.warehouse)] = own
        return _together(pool, levels.values(), now)

    def available(self, partition: int, pool: PoolSubject, *, before: bool = False) -> int | None:
        """Return what a pool has, or had before the draft; None where no level of it is known."""
        subjects, staged = self._territories[partition].subjects, self._staged
        found = None
        for each in self.members(partition, pool):
            known = subjects.get(each)
            if not before and each in staged:
                known = staged[each].known
            if known is not None:
                found = (found or 0) + known.level.available
        return found

    def before(self, partition: int, pool: PoolSubject, now: datetime) -> Known | None:
        """Return a pool as it was before the draft; None where no level of it was known."""
        subjects = self._territories[partition].subjects
        levels = [subjects[each] for each in self.members(partition, pool) if each in subjects]
        return _together(pool, levels, now) if levels else None


def _together(pool: PoolSubject, levels: Collection[Known], now: datetime) -> Known:
    return Known(
        summed(pool.sku, pool.warehouse, [each.level for each in levels]),
        sold_together((each.sales for each in levels), day_of(now)),
        {},
    )
