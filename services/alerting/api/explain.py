"""`/v1/explain`: why a level is, or is not, warned about."""

from datetime import datetime
from functools import partial
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from services.alerting.api.alerts import RuleName
from services.alerting.api.desk import AtDesk
from services.alerting.api.wider import Wider, read
from services.alerting.domain.condition import State
from services.alerting.domain.ended_by_hand import EndedByHand
from services.alerting.domain.explanation import Explanation, explain
from services.alerting.domain.outcome import Reason
from services.alerting.domain.parameter_values import ParameterValues
from services.alerting.domain.standing import Standing
from services.alerting.domain.subject import LevelSubject
from services.alerting.domain.unusual import is_told_of
from services.alerting.domain.words import in_words
from services.alerting.store.alerts import StoredAlert
from shared.events.base import Code
from shared.events.stock_alerts import AlertLevel, DoubtReasons, Options, SubjectKind
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


class EndedAlert(BaseModel):
    """The newest episode, where a person has ended it while what it warned of goes on.

    Nothing opens before it is worse than `level`, or holds anew.
    """

    id: UUID
    number: int
    level: AlertLevel
    ended_at: datetime
    by: str
    note: str


class RuleExplained(BaseModel):
    """How a rule's evaluation ends now, and why; `words` by language tag.

    `measure` is null where nothing can be measured, or where it has no end (what nobody buys
    lasts for ever).
    """

    rule: RuleName
    subject: SubjectKind
    pool: str | None
    """What people call the pool, where the rule watches no level but one that it is in."""
    product: str | None
    """The product that the SKU is an option of, where the rule watches that."""
    options: Options | None
    """Of the product."""
    doubts: DoubtReasons | None
    """What `data_doubt` doubts the numbers for, where it does."""
    version: int
    enabled: bool
    owner: str | None
    """The person to whom what it opens belongs, where the rule names one."""
    in_scope: bool
    reason: Reason
    words: dict[str, str]
    measure: float | None
    limits: list[LimitAsUsed]
    occasions: list[dict[str, str]]
    """Of the calendar, those that have changed the rule; names by language tag."""
    condition: ConditionAsKnown | None
    alert: OpenAlert | None
    ended: EndedAlert | None

    @classmethod
    def of(
        cls,
        said: Explanation,
        alert: StoredAlert | None,
        ended: EndedByHand | None,
        product: str | None,
    ) -> Self:
        """Return an explanation as it is answered."""
        words = in_words(said, ended)
        return cls.model_validate(
            {
                "rule": said.rule.named(),
                "subject": said.rule.subject,
                "pool": said.rule.pool or None,
                "product": product,
                "options": None if said.run is None else said.run.told(),
                "doubts": said.doubts,
                "version": said.rule.version,
                "enabled": said.rule.enabled,
                "owner": said.rule.owner,
                "in_scope": said.in_scope,
                "reason": said.reason,
                "words": {"zh-CN": words.zh, "en": words.en},
                "measure": said.measure,
                "limits": said.limits,
                "occasions": said.rule.occasions,
                "condition": said.condition,
                "alert": alert,
                "ended": ended,
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

    Rules that watch a pool or a product say what they make of the one that the level is in. Rules
    that do not watch it are told too, with the reason. 503 while the catalogue, which a rule asks
    for categories, tags and products, is still being read, or when channels were last heard, which
    a rule asks for silent ones.
    """
    subject = LevelSubject(sku, warehouse)
    product = None if (named := at.item(sku, needed=False)) is None else named.product
    wall = None if at.in_event_time else at.clock.now()
    stored = await at.ask(lambda connection: read(connection, subject, product, wall))
    known, book = stored.known, stored.book
    if known is None:
        raise not_found(f"level of {sku} in {warehouse} that alerting has heard of")
    if rule is not None and book.find(rule) is None:
        raise not_found(f"rule {rule}")
    item = at.item(sku, needed=book.asks_catalogue)
    now = wall or known.level.last_change_at
    wider = Wider(stored, subject, item, at.catalogue, now)
    said = []
    for each in sorted(book.rules, key=lambda each: each.id):
        if rule is not None and each.id != rule:
            continue
        if each.subject is SubjectKind.POOL:
            explanation, alert = wider.pool(each), stored.wider_alerts.get(each.id)
        elif each.subject is SubjectKind.PRODUCT:
            explanation, alert = wider.product(each), stored.wider_alerts.get(each.id)
        else:
            others = {name: held for name, held in known.conditions.items() if name != each.id}
            standing = Standing(
                known.level,
                known.sales,
                now,
                stored.values,
                others,
                known.troughs,
                at.channels(needed=each.enabled and each.doubts.silence is not None),
                wider.have_enough if book.covering else None,
                partial(is_told_of, known.level, others, book.doubting),
            )
            in_season = book.at(now).in_season(each, subject)
            condition = known.conditions.get(each.id)
            explanation = explain(in_season, subject, item, standing, condition)
            alert = stored.alerts.get(each.id)
        said.append(
            RuleExplained.of(
                explanation,
                alert,
                stored.ended.get(each.id),
                product if each.subject is SubjectKind.PRODUCT else None,
            )
        )
    return LevelExplained(
        sku=sku,
        warehouse=warehouse,
        evaluated_at=now,
        level=_level(Standing(known.level, known.sales, now)),
        parameters=ParameterValues.model_validate(stored.values._asdict()),
        rules=said,
    )


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
