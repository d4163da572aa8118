"""The options that run out or come back in a draft, and the products to judge because of it.

The SKUs of a product lie in several partitions, with several workers: each knows of its own options
which are out, and tells the tables when that changes. Who tells judges the product in the same
transaction, by what all have told.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from services.alerting.domain import evaluation
from services.alerting.domain.condition import Condition
from services.alerting.domain.memory import Settled, Territory
from services.alerting.domain.outcome import Evaluation, Reason
from services.alerting.domain.parameters import Parameters
from services.alerting.domain.pool import sold_together, summed
from services.alerting.domain.pooling import Asked, Pooling
from services.alerting.domain.product_name import shared_name
from services.alerting.domain.rule import Rule
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.size_run import SizeRun
from services.alerting.domain.standing import Standing
from services.alerting.domain.subject import Item, Level, PoolSubject, ProductSubject, Subject
from shared.events.stock_alerts import GatherReason, Option


class Product(NamedTuple):
    """A product as a rule watches it."""

    rule: str
    code: str


class Told(NamedTuple):
    """Because of what a product is judged; `known`: why it was so before anybody looked."""

    now: datetime
    trace: str | None
    known: GatherReason | None


class Sizing:
    """Collects, while levels are heard or looked at, what became of options."""

    def __init__(
        self,
        territories: Mapping[int, Territory],
        pooling: Pooling,
        items: Mapping[str, Item],
        products: Mapping[str, Collection[str]],
        by: Settled,
    ) -> None:
        self._territories = territories
        self._pooling = pooling
        self._items = items
        self._products = products
        self._by = by
        self.outs: dict[str, tuple[int, Mapping[str, str]]] = {}
        """By SKU that ran out or came back: its partition, and by rule the product it is out of."""
        self.told: dict[Product, Told] = {}
        """The products to judge."""

    def judge(self, sku: str, asked: Asked) -> None:
        """Find what became of an option, now that all levels of it are as they will be."""
        partition = asked.partition
        before = self._territories[partition].outs.get(sku, {})
        after = dict(self._out_of(partition, sku))
        if after != before:
            self.outs[sku] = (partition, after)
        for rule_id in before.keys() | after.keys():
            old, new = before.get(rule_id), after.get(rule_id)
            if old == new and asked.heard:
                continue
            # Looked at for its own sake it may be judged otherwise, though nothing has flipped.
            known = self._known(partition, sku, rule_id, asked)
            for code in filter(None, {old, new}):
                product = Product(rule_id, code)
                told = self.told.get(product)
                reason = known if told is None or told.known is not None else None
                self.told[product] = Told(asked.now, asked.trace, reason)

    def adopt(self) -> None:
        """Make what became of options what is known of them."""
        for sku, (partition, out_of) in self.outs.items():
            outs = self._territories[partition].outs
            if out_of:
                outs[sku] = out_of
            else:
                outs.pop(sku, None)

    def run(self, rule: Rule, product: Product, out: Collection[str]) -> SizeRun:
        """Return the options of a product, some of which are out."""
        return options(rule, self._products.get(product.code, ()), self._items, out)

    def name(self, run: SizeRun) -> str | None:
        """Return what the catalogue calls a product, or else what its options are called."""
        items = [item for sku in run.skus if (item := self._items.get(sku)) is not None]
        said = (item.product_name for item in items if item.product_name is not None)
        return next(said, None) or shared_name(item.name for item in items if item.name)

    def parameters(self, subject: Subject) -> Parameters:
        """Return the parameters by which products are judged."""
        return self._by.parameters.of(subject)

    def category(self, run: SizeRun) -> str | None:
        """Return the category of a product: that of its options, if they have one in common."""
        found = {item.category for sku in run.skus if (item := self._items.get(sku)) is not None}
        return found.pop() if len(found) == 1 else None

    @property
    def rules(self) -> RuleBook:
        """The rules that products are judged by."""
        return self._by.rules

    def _out_of(self, partition: int, sku: str) -> Iterator[tuple[str, str]]:
        item = self._items.get(sku)
        if item is None or item.product is None or not item.is_bought:
            return
        for rule in self.rules.sizing:
            if rule.scope.has(sku, item):
                option = PoolSubject(sku, rule.pool, rule.id)
                available = self._pooling.available(partition, option)
                if available is not None and available <= 0:
                    yield rule.id, item.product

    def _known(self, partition: int, sku: str, rule_id: str, asked: Asked) -> GatherReason | None:
        was = self._pooling.available(partition, PoolSubject(sku, "", rule_id), before=True)
        if was is None:
            return GatherReason.FIRST_IMPORT
        if asked.heard and was > 0:
            return None
        settled = self._territories[partition].settled
        if settled is None or settled.rules.find(rule_id) != self.rules.find(rule_id):
            return GatherReason.CHANGED_RULE
        changed = settled.catalogue != self._by.catalogue
        return GatherReason.CHANGED_CATALOGUE if changed else None


def evaluate(
    rules: RuleBook,
    subject: ProductSubject,
    run: SizeRun,
    level: Level | None,
    condition: Condition | None,
    now: datetime,
) -> tuple[Rule, Evaluation] | None:
    """Return the rule as it is at a moment and what becomes of it on a product.

    None where nothing was the matter and nothing is watched. `level` is what all options have
    together, where it is known: notices tell it, and nothing depends on it.
    """
    rule = rules.now(subject.rule, subject, now)
    if rule is None:
        return None
    at = Standing(
        level or summed(subject.sku, subject.warehouse, ()), sold_together((), 0), now, run=run
    )
    if rule.enabled and run.skus and rule.is_of(subject):
        return rule, evaluation.evaluate(rule, at, condition)
    if condition is None:
        return None
    reason = Reason.OUT_OF_SCOPE if rule.enabled else Reason.RULE_DISABLED
    return rule, evaluation.retire(rule, at, condition, reason)


def options(
    rule: Rule, skus: Iterable[str], items: Mapping[str, Item], out: Collection[str]
) -> SizeRun:
    """Return the run of a product's SKUs; what is being phased out or has ended is none of it."""
    kept = {
        sku: item
        for sku in skus
        if (item := items.get(sku)) is not None and item.is_bought and rule.scope.has(sku, item)
    }
    missing = sorted(sku for sku in out if sku in kept)
    return SizeRun(
        tuple(sorted(kept)),
        tuple(Option(sku=sku, name=kept[sku].name) for sku in missing),
    )
