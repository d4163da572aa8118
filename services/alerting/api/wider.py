"""What a level is part of, its pools and its product, as `/v1/explain` looks at them."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from services.alerting.domain.condition import Condition
from services.alerting.domain.ended_by_hand import EndedByHand
from services.alerting.domain.explanation import Explanation, explain
from services.alerting.domain.measure import holding
from services.alerting.domain.memory import Known
from services.alerting.domain.outcome import Reason
from services.alerting.domain.parameters import NOTHING_SET, Parameters
from services.alerting.domain.pool import sold_together, summed
from services.alerting.domain.rule import Rule
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.sales import day_of
from services.alerting.domain.sizing import Product, options
from services.alerting.domain.standing import Standing
from services.alerting.domain.subject import (
    Item,
    LevelSubject,
    PoolSubject,
    ProductSubject,
    Subject,
)
from services.alerting.domain.unusual import is_told_of
from services.alerting.inbound.catalog_items import Catalogue
from services.alerting.store import alerts, ended_by_hand, memory, parameters, products
from services.alerting.store.alerts import Filter, StoredAlert
from services.alerting.store.memory import StoredKnown
from services.alerting.store.rule_watch import read_book
from shared.database.engine import Connection
from shared.events.stock_alerts import SubjectKind


class Stored(NamedTuple):
    """A level and what it is part of, as they were stored; alerts by rule."""

    known: Known | None
    siblings: Mapping[Subject, StoredKnown]
    book: RuleBook
    values: Parameters
    general: Parameters
    """Those of the SKU, whatever the warehouse."""
    alerts: Mapping[str, StoredAlert]
    wider_alerts: Mapping[str, StoredAlert]
    ended: Mapping[str, EndedByHand]
    """What people have ended of both while it goes on."""
    conditions: Mapping[Subject, Condition]
    """Of pools and of the product."""
    outs: Mapping[Product, set[str]]
    doubted: Collection[Subject] = ()
    """The levels of the SKU that people were told are in doubt."""


async def read(
    connection: Connection, subject: LevelSubject, product: str | None, now: datetime | None
) -> Stored:
    """Return what is known of a level, its pools and the product that it is an option of.

    `now` is that of the wall clock, None where evaluations have another.
    """
    book = await read_book(connection, 0, now)
    rules = [each.id for each in book.rules]
    sku, warehouse = subject
    of_level = Filter(is_open=True, sku=sku, warehouse=warehouse, subject=SubjectKind.LEVEL)
    found = await alerts.page(connection, of_level, None, len(book.rules))
    ended = await ended_by_hand.of_subject(connection, SubjectKind.LEVEL, sku, warehouse, rules)
    wider: dict[str, StoredAlert] = {}
    conditions: dict[Subject, Condition] = {}
    for kind, code in ((SubjectKind.POOL, sku), (SubjectKind.PRODUCT, product)):
        if code is not None:
            of_kind = Filter(is_open=True, sku=code, subject=kind)
            open_ones = await alerts.page(connection, of_kind, None, len(book.rules))
            wider |= {each.rule.id: each for each in open_ones}
            ended |= await ended_by_hand.of_subject(connection, kind, code, None, rules)
            conditions |= await memory.conditions_of(connection, kind, [code], rules)
    siblings = await memory.of_skus(connection, [sku]) if book.pooling else {}
    doubted: set[Subject] = set()
    for rule in book.doubting if siblings else ():
        of_rule = await memory.conditions_of(connection, SubjectKind.LEVEL, [sku], [rule])
        doubted |= {
            each
            for each, condition in of_rule.items()
            if each in siblings and is_told_of(siblings[each].level, {rule: condition}, [rule])
        }
    asked = [] if product is None else [Product(each.id, product) for each in book.sizing]
    return Stored(
        known=await memory.one(connection, subject, rules),
        siblings=siblings,
        book=book,
        values=await parameters.of_level(connection, sku, warehouse),
        general=await parameters.of_level(connection, sku, ""),
        alerts={each.rule.id: each for each in found},
        wider_alerts=wider,
        ended=ended,
        conditions=conditions,
        outs=await products.outs_of(connection, asked) if asked else {},
        doubted=doubted,
    )


class Wider:
    """The pools and the product of a level at a moment, as rules see them."""

    def __init__(
        self,
        stored: Stored,
        level: LevelSubject,
        item: Item | None,
        catalogue: Catalogue,
        now: datetime,
    ) -> None:
        self._stored, self._book, self._level = stored, stored.book, level
        self._item, self._catalogue, self._now = item, catalogue, now

    def pool(self, rule: Rule) -> Explanation:
        """Return what a rule makes of its pool; it is out of scope where the level is not in it."""
        pool = PoolSubject(self._level.sku, rule.pool, rule.id)
        return self._explained(rule, pool, self._item, self._standing(rule, pool))

    def product(self, rule: Rule) -> Explanation:
        """Return what a rule makes of the product that the SKU is an option of, if it is one."""
        item = self._item
        code = None if item is None or not item.is_bought else item.product
        product = Product(rule.id, code or "")
        skus = self._catalogue.products.get(product.code, ())
        out = self._stored.outs.get(product, set())
        at = Standing(
            summed(product.code, rule.pool, ()),
            sold_together((), 0),
            self._now,
            NOTHING_SET,
            run=options(rule, skus, self._catalogue.items, out),
        )
        subject = ProductSubject(product.code, rule.pool, rule.id)
        is_option = code is not None and rule.scope.has(self._level.sku, item)
        return self._explained(rule, subject, item, at, is_part=is_option)

    def have_enough(self) -> bool:
        """Return whether a pool of the level keeps its 关注 (watch) quiet."""
        part_of = self._book.gathered(self._level, self._item, self._stored.general)
        return part_of is not None and any(
            holding(rule, at, at.level.available, None) is None
            for pool in part_of.pools
            if (rule := self._book.now(pool.rule, pool, self._now)) is not None
            and rule.covers_levels
            for at in (self._standing(rule, pool),)
        )

    def _explained(
        self,
        rule: Rule,
        subject: PoolSubject | ProductSubject,
        item: Item | None,
        at: Standing,
        *,
        is_part: bool = True,
    ) -> Explanation:
        said = explain(
            self._book.at(self._now).in_season(rule, subject),
            subject,
            item,
            at,
            self._stored.conditions.get(subject),
        )
        if said.in_scope and not (is_part and rule.pools(self._level.warehouse)):
            return replace(said, in_scope=False, reason=Reason.OUT_OF_SCOPE)
        return said

    def _standing(self, rule: Rule, pool: PoolSubject) -> Standing:
        members = {
            subject: known
            for subject, known in self._stored.siblings.items()
            if rule.pools(subject.warehouse)
        }
        level = summed(pool.sku, pool.warehouse, [each.level for each in members.values()])
        sales = sold_together((each.sales for each in members.values()), day_of(self._now))
        doubted = any(each in self._stored.doubted for each in members)
        return Standing(level, sales, self._now, self._stored.general, is_doubted=lambda: doubted)
