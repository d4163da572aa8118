"""Judge products by the options that all workers have told of, one transaction after the other.

An option's row has one writer, the owner of the SKU's partition. Whoever changes one holds the
product until its transaction ends, so the last of two that come at once sees what both have told.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.condition import Condition
from services.alerting.domain.draft import Announcement
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.outcome import Reason
from services.alerting.domain.pool import PoolLevel, summed
from services.alerting.domain.rule import Rule
from services.alerting.domain.size_run import SizeRun
from services.alerting.domain.sizing import Product, Sizing, evaluate
from services.alerting.domain.subject import ProductSubject, Subject
from services.alerting.store import memory
from shared.events.stock_alerts import SubjectKind

OF_NO_PARTITION = -1
"""Where conditions of products are: no one worker has them."""

_FORGET = text("DELETE FROM out_option WHERE sku = ANY(CAST(:sku AS text[]))")

_REMEMBER = text("""
INSERT INTO out_option (rule_id, sku, product, partition)
SELECT * FROM unnest(CAST(:rule_id AS text[]), CAST(:sku AS text[]), CAST(:product AS text[]),
                     CAST(:partition AS int[]))
""")

# Row by row in one order, so that two transactions never wait for each other.
_HOLD = text("""
INSERT INTO judged_product (rule_id, product, judged)
SELECT n.rule_id, n.product, 1
FROM unnest(CAST(:rule_id AS text[]), CAST(:product AS text[])) AS n (rule_id, product)
ORDER BY n.rule_id, n.product
ON CONFLICT (rule_id, product) DO UPDATE SET judged = judged_product.judged + 1
""")

_OUTS = text("""
SELECT o.rule_id, o.product, o.sku
FROM out_option AS o
JOIN unnest(CAST(:rule_id AS text[]), CAST(:product AS text[])) AS n (rule_id, product)
  USING (rule_id, product)
""")

_LEVELS = text("""
SELECT coalesce(sum(available), 0) AS available, coalesce(sum(on_hand), 0) AS on_hand,
       coalesce(sum(incoming), 0) AS incoming
FROM known_level
WHERE sku = ANY(CAST(:skus AS text[]))
  AND (cardinality(CAST(:warehouses AS text[])) = 0 OR warehouse = ANY(:warehouses))
""")


async def judge(
    connection: AsyncConnection,
    sizing: Sizing,
    reasons: Counter[tuple[RuleKind | None, Reason]],
) -> list[Announcement]:
    """Store what became of options, and return what that makes of their products.

    Conditions are stored; what is announced is the caller's to store. `reasons` are counted.
    """
    if sizing.outs:
        await _save(connection, sizing.outs)
    if not sizing.told:
        return []
    asked = sorted(sizing.told)
    await connection.execute(_HOLD, _keys(asked))
    outs = await outs_of(connection, asked)
    codes = {product.code for product in asked}
    stored = await memory.conditions_of(connection, SubjectKind.PRODUCT, codes)
    held = {
        each: condition for each, condition in stored.items() if isinstance(each, ProductSubject)
    }
    announcements: list[Announcement] = []
    changed: dict[tuple[Subject, str], tuple[int, Condition | None]] = {}
    for product in asked:
        rule = sizing.rules.find(product.rule)
        if rule is None:
            continue
        run, told = sizing.run(rule, product, outs[product]), sizing.told[product]
        present = ProductSubject(product.code, rule.pool, rule.id)
        of_it = [each for each in held if (each.rule, each.sku) == (product.rule, product.code)]
        # What is open under a name that the pool no longer has ends.
        for subject in dict.fromkeys((*of_it, present)):
            before = held.get(subject)
            judged = evaluate(sizing.rules, subject, run, None, before, told.now)
            if judged is not None and judged[1].transition is not None:
                level = await _together(connection, subject, rule, run)
                judged = evaluate(sizing.rules, subject, run, level, before, told.now)
            if judged is None:
                continue
            used, step = judged
            reasons[used.kind, step.reason] += 1
            if step.condition != before:
                changed[subject, used.id] = (OF_NO_PARTITION, step.condition)
            if step.transition is not None:
                announcements.append(
                    Announcement(
                        rule=used,
                        subject=subject,
                        sku_name=None,
                        category=sizing.category(run),
                        transition=step.transition,
                        trace=told.trace,
                        known=told.known,
                    )
                )
    await memory.save_conditions(connection, changed)
    return announcements


async def outs_of(
    connection: AsyncConnection, products: Sequence[Product]
) -> Mapping[Product, set[str]]:
    """Return the options of products that are out, by all that was told."""
    found: dict[Product, set[str]] = {product: set() for product in products}
    for row in await connection.execute(_OUTS, _keys(products)):
        found[Product(row.rule_id, row.product)].add(row.sku)
    return found


async def _save(
    connection: AsyncConnection, outs: Mapping[str, tuple[int, Mapping[str, str]]]
) -> None:
    await connection.execute(_FORGET, {"sku": list(outs)})
    rows = [
        (rule_id, sku, product, partition)
        for sku, (partition, out_of) in outs.items()
        for rule_id, product in out_of.items()
    ]
    if rows:
        names = ("rule_id", "sku", "product", "partition")
        columns = zip(*rows, strict=True)
        values = {name: list(column) for name, column in zip(names, columns, strict=True)}
        await connection.execute(_REMEMBER, values)


async def _together(
    connection: AsyncConnection, subject: ProductSubject, rule: Rule, run: SizeRun
) -> PoolLevel:
    values = {"skus": list(run.skus), "warehouses": sorted(rule.scope.warehouses)}
    row = (await connection.execute(_LEVELS, values)).one()
    return summed(subject.sku, subject.warehouse, ())._replace(
        available=int(row.available),
        low_water=int(row.available),
        on_hand=int(row.on_hand),
        incoming=int(row.incoming),
    )


def _keys(products: Sequence[Product]) -> dict[str, list[str]]:
    return {
        "rule_id": [each.rule for each in products],
        "product": [each.code for each in products],
    }
