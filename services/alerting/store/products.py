"""Judge products by the options that all workers have told of, one transaction after the other.

An option's row has one writer, the owner of the SKU's partition. Whoever changes one holds the
product until its transaction ends, so the last of two that come at once sees what both have told.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.condition import Condition
from services.alerting.domain.draft import Announcement
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.missing import lost, together
from services.alerting.domain.outcome import Evaluation, Reason
from services.alerting.domain.rule import Rule
from services.alerting.domain.size_run import SizeRun
from services.alerting.domain.sizing import Product, Sizing, evaluate
from services.alerting.domain.subject import ProductSubject, Subject
from services.alerting.store import memory
from shared.events.stock_alerts import AtRisk, SubjectKind

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

_JUDGED_BY = text("""
UPDATE judged_product SET skus = CAST(:skus AS jsonb), options = CAST(:options AS jsonb)
WHERE rule_id = :rule_id AND product = :product
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
    codes, rules = {each.code for each in asked}, {each.rule for each in asked}
    stored = await memory.conditions_of(connection, SubjectKind.PRODUCT, codes, rules)
    held = {
        each: condition for each, condition in stored.items() if isinstance(each, ProductSubject)
    }
    announcements: list[Announcement] = []
    judged_by: list[dict[str, str]] = []
    changed: dict[tuple[Subject, str], tuple[int, Condition | None]] = {}
    for product in asked:
        rule = sizing.rules.find(product.rule)
        if rule is None:
            continue
        run, told = sizing.run(rule, product, outs[product]), sizing.told[product]
        judged_by.append(_judged_by(product, run))
        present = ProductSubject(product.code, rule.pool, rule.id)
        of_it = [each for each in held if (each.rule, each.sku) == (product.rule, product.code)]
        # What is open under a name that the pool no longer has ends.
        for subject in dict.fromkeys((*of_it, present)):
            before = held.get(subject)
            judged = await _judged(connection, sizing, subject, run, before, told.now)
            if judged is None:
                continue
            used, step, at_risk = judged
            reasons[used.kind, step.reason] += 1
            if step.condition != before:
                changed[subject, used.id] = (OF_NO_PARTITION, step.condition)
            if step.transition is not None:
                announcements.append(
                    Announcement(
                        rule=used,
                        subject=subject,
                        sku_name=sizing.name(run),
                        category=sizing.category(run),
                        transition=step.transition,
                        trace=told.trace,
                        at_risk=at_risk,
                        known=told.known,
                    )
                )
    await memory.save_conditions(connection, changed)
    if judged_by:
        await connection.execute(_JUDGED_BY, judged_by)
    return announcements


async def _judged(
    connection: AsyncConnection,
    sizing: Sizing,
    subject: ProductSubject,
    run: SizeRun,
    before: Condition | None,
    now: datetime,
) -> tuple[Rule, Evaluation, AtRisk | None] | None:
    """Return the rule, what becomes of it on a product, and, where that is told, what is lost."""
    judged = evaluate(sizing.rules, subject, run, None, before, now)
    if judged is None or judged[1].transition is None:
        return None if judged is None else (*judged, None)
    rule = judged[0]
    levels = await memory.of_skus(connection, run.skus)
    told = evaluate(sizing.rules, subject, run, together(subject, rule, levels), before, now)
    return None if told is None else (*told, lost(rule, run, levels, sizing.parameters, now))


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


def _judged_by(product: Product, run: SizeRun) -> dict[str, str]:
    return {
        "rule_id": product.rule,
        "product": product.code,
        "skus": json.dumps(run.skus, ensure_ascii=False),
        "options": run.told().model_dump_json(),
    }


def _keys(products: Sequence[Product]) -> dict[str, list[str]]:
    return {
        "rule_id": [each.rule for each in products],
        "product": [each.code for each in products],
    }
