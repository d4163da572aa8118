"""`/v1/explain`: why a level is, or is not, warned about."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, NamedTuple, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from services.alerting.api.alerts import RuleName
from services.alerting.api.desk import AtDesk
from services.alerting.domain.condition import Condition, State
from services.alerting.domain.explanation import Explanation, explain
from services.alerting.domain.measure import holding
from services.alerting.domain.memory import Known
from services.alerting.domain.outcome import Reason
from services.alerting.domain.parameter_values import ParameterValues
from services.alerting.domain.parameters import Parameters
from services.alerting.domain.pool import sold_together, summed
from services.alerting.domain.rule import Rule
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.sales import day_of
from services.alerting.domain.standing import Standing
from services.alerting.domain.subject import Item, LevelSubject, PoolSubject, Subject
from services.alerting.domain.words import in_words
from services.alerting.store import alerts, memory, parameters
from services.alerting.store.alerts import Filter, StoredAlert
from services.alerting.store.memory import StoredKnown
from services.alerting.store.rule_watch import read_book
from shared.database.engine import Connection
from shared.events.base import Code
from shared.events.stock_alerts import AlertLevel, SubjectKind
from shared.http.auth import Scope, require
from shared.http.problems import not_found

router = APIRouter(
    prefix="/v1/explain", tags=["explain"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)


class Line(BaseModel):
    """An incoming line."""

    quantity: int
    due_at: datetime | None
    reference: str


class LevelAsKnown(BaseModel):
    """The level as alerting last heard of it; `days_known` in UTC days since the first message."""

    version: int
    on_hand: int
    available: int
    incoming: int
    low_water: int
    daily_sales: float | None
    days_known: int
    counted_at: datetime | None
    last_change_at: datetime
    flags: list[str]
    supply: list[Line]


class LimitAsUsed(BaseModel):
    """A level's limits in the unit of what is measured; multiples are multiplied out."""

    level: AlertLevel
    enter: float
    exit: float


class ConditionAsKnown(BaseModel):
    """Where the rule stands with the level; `due_at` when time alone ends it."""

    state: State
    level: AlertLevel
    since: datetime
    due_at: datetime | None


class OpenAlert(BaseModel):
    """The open episode."""

    id: UUID
    number: int
    level: AlertLevel
    opened_at: datetime


class RuleExplained(BaseModel):
    """How a rule's evaluation ends now, and why; `words` by language tag.

    `measure` is null where nothing can be measured, or where it has no end (what nobody buys
    lasts for ever).
    """

    rule: RuleName
    subject: SubjectKind
    pool: str | None
    """What people call the pool, where the rule watches one that the level is in."""
    version: int
    enabled: bool
    in_scope: bool
    reason: Reason
    words: dict[str, str]
    measure: float | None
    limits: list[LimitAsUsed]
    occasions: list[dict[str, str]]
    """Of the calendar, those that have changed the rule; names by language tag."""
    condition: ConditionAsKnown | None
    alert: OpenAlert | None

    @classmethod
    def of(cls, said: Explanation, alert: StoredAlert | None) -> Self:
        """Return an explanation as it is answered."""
        words = in_words(said)
        return cls.model_validate(
            {
                "rule": said.rule.named(),
                "subject": said.rule.subject,
                "pool": said.rule.pool or None,
                "version": said.rule.version,
                "enabled": said.rule.enabled,
                "in_scope": said.in_scope,
                "reason": said.reason,
                "words": {"zh-CN": words.zh, "en": words.en},
                "measure": said.measure,
                "limits": said.limits,
                "occasions": said.rule.occasions,
                "condition": said.condition,
                "alert": alert,
            },
            from_attributes=True,
        )


class LevelExplained(BaseModel):
    """A level with what was known of it, its parameters, and what each rule makes of it."""

    sku: str
    warehouse: str
    evaluated_at: datetime
    level: LevelAsKnown
    parameters: ParameterValues
    rules: list[RuleExplained]


@router.get("")
async def explain_level(
    at: AtDesk,
    sku: Code,
    warehouse: Code,
    rule: Annotated[Code | None, Query(description="Only this one")] = None,
) -> LevelExplained:
    """Return what each rule makes of a level now, evaluated once more from what is stored.

    Rules that watch a pool say what they make of the one that the level is in. Rules that do not
    watch it are told too, with the reason. 503 while the catalogue, which a scope asks for
    categories and tags, is still being read.
    """
    subject = LevelSubject(sku, warehouse)
    stored = await at.ask(lambda connection: _stored(connection, subject))
    known, book = stored.known, stored.book
    if known is None:
        raise not_found(f"level of {sku} in {warehouse} that alerting has heard of")
    if rule is not None and book.find(rule) is None:
        raise not_found(f"rule {rule}")
    item = at.item(sku, needed=book.asks_catalogue)
    now = known.level.last_change_at if at.in_event_time else at.clock.now()
    pools = Pools(book, subject, item, stored, now)
    said = []
    for each in sorted(book.rules, key=lambda each: each.id):
        if rule is not None and each.id != rule:
            continue
        if each.subject is SubjectKind.POOL:
            explanation, alert = pools.explained(each), stored.pool_alerts.get(each.id)
        else:
            others = {name: held for name, held in known.conditions.items() if name != each.id}
            standing = Standing(
                known.level,
                known.sales,
                now,
                stored.values,
                others,
                known.troughs,
                at.channels,
                pools.have_enough if book.covering else None,
            )
            in_season = book.at(now).in_season(each, subject)
            condition = known.conditions.get(each.id)
            explanation = explain(in_season, subject, item, standing, condition)
            alert = stored.alerts.get(each.id)
        said.append(RuleExplained.of(explanation, alert))
    return LevelExplained(
        sku=sku,
        warehouse=warehouse,
        evaluated_at=now,
        level=_level(Standing(known.level, known.sales, now)),
        parameters=ParameterValues.model_validate(stored.values._asdict()),
        rules=said,
    )


class _Stored(NamedTuple):
    """A level and the pools that it is in, as they were stored; alerts and conditions by rule."""

    known: Known | None
    siblings: Mapping[Subject, StoredKnown]
    book: RuleBook
    values: Parameters
    general: Parameters
    """Those of the SKU, whatever the warehouse."""
    alerts: Mapping[str, StoredAlert]
    pool_alerts: Mapping[str, StoredAlert]
    pool_conditions: Mapping[str, Condition]


async def _stored(connection: Connection, subject: LevelSubject) -> _Stored:
    book = await read_book(connection, 0)
    sku, warehouse = subject
    open_ones = Filter(is_open=True, sku=sku, warehouse=warehouse, subject=SubjectKind.LEVEL)
    pooled = Filter(is_open=True, sku=sku, subject=SubjectKind.POOL)
    found = await alerts.page(connection, open_ones, None, len(book.rules))
    of_pools = await alerts.page(connection, pooled, None, len(book.rules))
    return _Stored(
        known=await memory.one(connection, subject),
        siblings=await memory.of_sku(connection, sku) if book.pooling else {},
        book=book,
        values=await parameters.of_level(connection, sku, warehouse),
        general=await parameters.of_level(connection, sku, ""),
        alerts={each.rule.id: each for each in found},
        pool_alerts={each.rule.id: each for each in of_pools},
        pool_conditions=await memory.conditions_of_pools(connection, sku),
    )


class Pools:
    """The pools of a level at a moment, as rules see them."""

    def __init__(
        self,
        book: RuleBook,
        level: LevelSubject,
        item: Item | None,
        stored: _Stored,
        now: datetime,
    ) -> None:
        self._book, self._level, self._item = book, level, item
        self._stored, self._now = stored, now

    def explained(self, rule: Rule) -> Explanation:
        """Return what a rule makes of its pool; it is out of scope where the level is not in it."""
        pool = PoolSubject(self._level.sku, rule.pool, rule.id)
        said = explain(
            self._book.at(self._now).in_season(rule, pool),
            pool,
            self._item,
            self._standing(rule, pool),
            self._stored.pool_conditions.get(rule.id),
        )
        if said.in_scope and not rule.pools(self._level.warehouse):
            return replace(said, in_scope=False, reason=Reason.OUT_OF_SCOPE)
        return said

    def have_enough(self) -> bool:
        """Return whether a pool of the level keeps its 关注 (watch) quiet."""
        return any(
            holding(rule, at, at.level.available, None) is None
            for pool in self._book.pools(self._level, self._item)
            if (rule := self._book.now(pool.rule, pool, self._now)) is not None
            and rule.covers_levels
            for at in (self._standing(rule, pool),)
        )

    def _standing(self, rule: Rule, pool: PoolSubject) -> Standing:
        members = [
            known
            for subject, known in self._stored.siblings.items()
            if rule.pools(subject.warehouse)
        ]
        level = summed(pool.sku, pool.warehouse, [each.level for each in members])
        sales = sold_together((each.sales for each in members), day_of(self._now))
        return Standing(level, sales, self._now, self._stored.general)


def _level(at: Standing) -> LevelAsKnown:
    return LevelAsKnown.model_validate(
        {
            **{name: getattr(at.level, name) for name in _OF_LEVEL},
            "daily_sales": at.daily_mean,
            "days_known": at.days_known,
            "flags": list(at.level.flags),
            "supply": list(at.level.supply),
        },
        from_attributes=True,
    )


_OF_LEVEL = (
    "version",
    "on_hand",
    "available",
    "incoming",
    "low_water",
    "counted_at",
    "last_change_at",
)
