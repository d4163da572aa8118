"""`/v1/alerts`: episodes, and what people do with them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from math import isfinite
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.alerting.api.acting import Actor
from services.alerting.api.desk import (
    AtDesk,
    Desk,
    IdempotencyKey,
    Question,
    doer_of,
    id_of_made,
    key_reused,
)
from services.alerting.domain.answering import opinion
from services.alerting.domain.playbook import Steps
from services.alerting.domain.refusals import KeyReused
from services.alerting.domain.texts import NO_NUL
from services.alerting.store import actions, acts, alerts, people, snoozes, timers
from services.alerting.store.acts import By, Resolved
from services.alerting.store.alerts import Filter, Place, State, StoredAlert, StoredRevision
from services.alerting.store.episodes import Episode
from services.alerting.store.timers import Running
from shared.database.engine import Connection
from shared.events.alert_responses import FeedbackReason
from shared.events.base import Code, Instant
from shared.events.stock_alerts import AlertFacts, AlertLevel, AtRisk, Hush, Step, SubjectKind
from shared.http.auth import Caller, Scope, require
from shared.http.pages import Cursor, Limit, Page, bad_cursor, decode_cursor, page_of, under_number
from shared.http.problems import Problem, not_found

router = APIRouter(
    prefix="/v1/alerts", tags=["alerts"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)

MAX_SNOOZE = timedelta(days=30)


class RuleName(BaseModel):
    """The rule that fired."""

    id: str
    kind: str
    name: dict[str, str]


class Alert(BaseModel):
    """An episode as it stands; `opened_at` and `resolved_at` are on the evaluation clock.

    An end by hand is on the wall clock, as all that people do. `at_risk` is what is lost until
    stock can arrive, null where nothing can be said; of a product what its missing options lose,
    without the `left_out` of which nobody knows sales or price. `held_back`: its owner was
    interrupted often enough, so it stands in the list only. `warehouse` is the name of the pool
    where `subject` is one.
    """

    id: UUID
    number: int
    revision: int
    state: State
    level: AlertLevel
    rule: RuleName
    subject: SubjectKind
    sku: str
    sku_name: str | None
    warehouse: str
    opened_at: datetime
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    owner: str | None
    snoozed_until: datetime | None
    facts: AlertFacts
    labels: dict[str, str]
    stock_class: str | None
    supplier: str | None
    at_risk: AtRisk | None
    held_back: bool

    @classmethod
    def of(cls, stored: StoredAlert) -> Self:
        """Return a stored alert as it is answered."""
        return cls.model_validate(stored, from_attributes=True)


class Revision(BaseModel):
    """What happened at one revision.

    `actor` and `note` where a person did it; `hush` where people were not told of it, and why.
    """

    revision: int
    event: str
    level: AlertLevel
    previous_level: AlertLevel | None
    reason: str | None
    facts: AlertFacts
    occurred_at: datetime
    recorded_at: datetime
    actor: str | None
    note: str | None
    hush: Hush | None

    @classmethod
    def of(cls, stored: StoredRevision) -> Self:
        """Return a stored revision as it is answered."""
        return cls.model_validate(stored, from_attributes=True)


class Following(BaseModel):
    """The playbook that an episode follows, as it was when it took it up, and where it is in it.

    `step` is what is expected at present, and by when; null when nothing is any more. `due_at` is
    when people are reminded or others told next. Until `stands_until` the clock stands still.
    `told` are the people who were drawn in so far.
    """

    id: str
    version: int
    name: dict[str, str]
    steps: Steps
    step: Step | None
    since: datetime
    due_at: datetime | None
    stands_until: datetime | None
    escalated: bool
    told: list[str]

    @classmethod
    def of(cls, running: Running) -> Self:
        """Return it as it is answered."""
        followed, at = running.followed, running.progress
        step = None
        if at.by is not None:
            expects = followed.steps[at.number - 1].expects
            step = Step(number=at.number, expects=expects, by=at.by)
        return cls(
            **dict(followed),
            step=step,
            since=at.since,
            due_at=at.due_at,
            stands_until=at.stands_until,
            escalated=at.escalated,
            told=list(running.told),
        )


class AlertWithHistory(Alert):
    """An episode with its playbook, if it follows one, and all that happened, the oldest first."""

    playbook: Following | None = None
    history: list[Revision] = []


class Acknowledgement(BaseModel):
    """What a person says when taking an alert on."""

    model_config = ConfigDict(extra="forbid")

    note: (
        Annotated[str, StringConstraints(max_length=1_000, strip_whitespace=True, pattern=NO_NUL)]
        | None
    ) = None


class Assignment(Acknowledgement):
    """Who is to see to an alert: the id of a person."""

    to: Code


class Snooze(Acknowledgement):
    """Until when an alert is put off; say `until` or `minutes`, not both."""

    until: Instant | None = None
    minutes: Annotated[int, Field(ge=1, le=MAX_SNOOZE // timedelta(minutes=1))] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.until is None) is (self.minutes is None):
            raise ValueError("say either until or minutes")
        return self

    def end(self, now: datetime) -> datetime:
        """Return until when. Raises Problem 422 for the past and what is too far ahead."""
        until = now + timedelta(minutes=self.minutes or 0) if self.until is None else self.until
        if not now < until <= now + MAX_SNOOZE:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "snooze_out_of_range",
                f"until must lie within the next {MAX_SNOOZE.days} days.",
            )
        return until


class Ending(BaseModel):
    """Why somebody ends an alert by hand."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[
        str,
        StringConstraints(min_length=1, max_length=1_000, strip_whitespace=True, pattern=NO_NUL),
    ]


class Feedback(Acknowledgement):
    """What a person thinks of an alert; `data_wrong` also asks for the shelf to be counted."""

    reason: FeedbackReason


class Summary(BaseModel):
    """How it stands: alerts that are `open`, by level.

    `unowned` are open and nobody's, `overdue` late in their playbook, `escalated` those whose
    present step was escalated. `outbox` are notices not yet with the broker, `lag_records`
    level messages not yet evaluated (null while the broker cannot say).
    """

    open: dict[AlertLevel, int]
    unowned: int
    overdue: int
    escalated: int
    outbox: int
    lag_records: int | None
    behind_seconds: float | None = Field(description="Age of the oldest message that waits")


class Totals(BaseModel):
    """All alerts there ever were, counted; `opened` by the level they opened at.

    `retracted` turned out never to have been, and are not among the `resolved`. `subjects` are
    what they were of.
    """

    opened: dict[AlertLevel, int]
    episodes: int
    resolved: int
    retracted: int
    subjects: int


_IS_OPEN = {"open": True, "resolved": False, "all": None}


@router.get("")
async def list_alerts(
    at: AtDesk,
    state: Literal["open", "resolved", "all"] = "open",
    level: AlertLevel | None = None,
    rule: Code | None = None,
    sku: Code | None = None,
    warehouse: Code | None = None,
    owner: Code | None = None,
    subject: SubjectKind | None = None,
    order: Literal["newest", "at_risk"] = "newest",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Alert]:
    """Return alerts, the newest or those with the most at risk first.

    `open` includes those that recover.
    """
    wanted = Filter(_IS_OPEN[state], level, rule, sku, warehouse, owner, subject)
    if order == "at_risk":
        return await _by_risk(at, wanted, cursor, limit)
    before = under_number(cursor)
    found = await at.ask(lambda connection: alerts.page(connection, wanted, before, limit))
    return page_of(found, limit, lambda each: [each.number], Alert.of)


async def _by_risk(at: Desk, wanted: Filter, cursor: str | None, limit: int) -> Page[Alert]:
    after = None if cursor is None else _place(cursor)
    found = await at.ask(lambda connection: alerts.page_by_risk(connection, wanted, after, limit))
    return page_of(found, limit, _said, Alert.of)


def _said(alert: StoredAlert) -> tuple[str, str, int]:
    money, units, number = Place.of(alert)
    return str(money), repr(units), number


def _place(cursor: str) -> Place:
    money, units, number = decode_cursor(cursor, str, str, int)
    try:
        place = Place(Decimal(str(money)), float(str(units)), int(str(number)))
    except (InvalidOperation, ValueError):
        raise bad_cursor() from None
    if not (place.money.is_finite() and isfinite(place.units)):
        raise bad_cursor()
    return place


@router.get("/summary")
async def summary(at: AtDesk) -> Summary:
    """Return how many alerts are open, and how far behind alerting is."""
    # The lag first: what is counted afterwards includes all that it saw evaluated.
    lag = await at.lag()
    standing = await at.ask(alerts.standing)
    late = await at.ask(lambda connection: timers.counts(connection, at.clock.now()))
    return Summary(
        open=_of_each_level(standing.open),
        unowned=standing.unowned,
        overdue=late.overdue,
        escalated=late.escalated,
        outbox=standing.outbox,
        lag_records=None if lag is None else lag.records,
        behind_seconds=None if lag is None else lag.seconds,
    )


@router.get("/totals")
async def get_totals(at: AtDesk) -> Totals:
    """Return how many alerts there were since the beginning. It reads all of them; ask seldom."""
    totals = await at.ask(alerts.totals)
    return Totals(
        opened=_of_each_level(totals.opened),
        episodes=sum(totals.opened.values()),
        resolved=totals.resolved,
        retracted=totals.retracted,
        subjects=totals.subjects,
    )


def _of_each_level(counts: Mapping[AlertLevel, int]) -> dict[AlertLevel, int]:
    return {level: counts.get(level, 0) for level in AlertLevel}


@router.get("/{alert_id}")
async def get_alert(alert_id: UUID, at: AtDesk) -> AlertWithHistory:
    """Return an alert with its history."""
    return await _with_history(at, alert_id)


@router.post("/{alert_id}/acknowledge")
async def acknowledge(
    alert_id: UUID, request: Request, at: AtDesk, caller: Actor, body: Acknowledgement | None = None
) -> AlertWithHistory:
    """Take an alert on; who does so owns it, unless somebody else does already.

    Doing it again changes nothing; a resolved alert answers 409, here as with all that follows.
    """
    by = _by(at, request, caller, body)
    return await _done(at, alert_id, lambda each: acts.acknowledge(each, alert_id, by))


@router.post("/{alert_id}/assign")
async def assign(
    alert_id: UUID, request: Request, at: AtDesk, caller: Actor, body: Assignment
) -> AlertWithHistory:
    """Give an alert to somebody of `/v1/people`."""
    if await at.ask(lambda connection: people.one(connection, body.to)) is None:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unknown_person",
            f"There is no person {body.to}; see /v1/people, or make one with PUT.",
        )
    by = _by(at, request, caller, body)
    return await _done(at, alert_id, lambda each: acts.assign(each, alert_id, body.to, by))


@router.post("/{alert_id}/snooze")
async def snooze(
    alert_id: UUID,
    request: Request,
    at: AtDesk,
    caller: Actor,
    body: Snooze,
    idempotency_key: IdempotencyKey = None,
) -> AlertWithHistory:
    """Put an alert off: until then people are told only when it gets worse or ends.

    When the time is up and it still holds, they are reminded, once. The same Idempotency-Key with
    the same body puts it off once, with `minutes` from the first time; with another one, 422.
    """
    by = _by(at, request, caller, body)
    until = body.end(by.at)
    if idempotency_key is None:
        return await _done(at, alert_id, lambda each: acts.snooze(each, alert_id, until, by))
    made, asked = id_of_made("snooze", caller, idempotency_key), body.model_dump_json()

    async def put_off(connection: Connection) -> Episode | None:
        return await snoozes.once(connection, made, alert_id, asked, until, by)

    return await _done(at, alert_id, put_off)


@router.delete("/{alert_id}/snooze")
async def end_snooze(
    alert_id: UUID, request: Request, at: AtDesk, caller: Actor
) -> AlertWithHistory:
    """End a snooze now; where it still holds, people are reminded, as when the time is up.

    Without one, or with one that is over, it changes nothing.
    """
    by = _by(at, request, caller, None)
    return await _done(at, alert_id, lambda each: acts.wake(each, alert_id, by))


@router.post("/{alert_id}/resolve")
async def resolve(
    alert_id: UUID, request: Request, at: AtDesk, caller: Actor, body: Ending
) -> AlertWithHistory:
    """End an open alert by hand, and say why; whoever was told of it is told so.

    What it warned of goes on: while it does, nothing is said until it gets worse than it was at
    the end, which opens another alert. The same request again changes nothing.
    """
    by = _by(at, request, caller, body)
    return await _done(at, alert_id, lambda each: acts.resolve(each, alert_id, by))


@router.post("/{alert_id}/feedback")
async def give_feedback(
    alert_id: UUID, request: Request, at: AtDesk, caller: Actor, body: Feedback
) -> AlertWithHistory:
    """Say whether an alert was right, even of one that has ended; the last word counts.

    What the person has said last, said once more, changes nothing.
    """
    by = _by(at, request, caller, body)

    async def say(connection: Connection) -> Episode | None:
        person = await people.one(connection, caller.subject)
        words = opinion(body.reason, "zh-CN" if person is None else person.language)
        return await actions.opinion(connection, alert_id, body.reason, by, words=words)

    return await _done(at, alert_id, say)


def _by(at: Desk, request: Request, caller: Caller, body: Acknowledgement | Ending | None) -> By:
    note = None if body is None else body.note
    doer = doer_of(request, caller, at)
    return By(caller.subject, note, doer.at, request.state.traceparent, doer)


async def _done(at: Desk, alert_id: UUID, act: Question[Episode | None]) -> AlertWithHistory:
    try:
        episode = await at.change(act)
    except Resolved as error:
        raise Problem(HTTPStatus.CONFLICT, "already_resolved", str(error)) from None
    except KeyReused as error:
        raise key_reused("snooze") from error
    if episode is None:
        raise _unknown(alert_id)
    return await _with_history(at, alert_id)


async def _with_history(at: Desk, alert_id: UUID) -> AlertWithHistory:
    found = await at.ask(lambda connection: alerts.one(connection, alert_id))
    if found is None:
        raise _unknown(alert_id)
    past = await at.ask(lambda connection: alerts.history(connection, alert_id))
    answer = AlertWithHistory.of(found)
    answer.history = [Revision.of(each) for each in past]
    running = await at.ask(lambda connection: timers.some(connection, [alert_id]))
    if alert_id in running:
        answer.playbook = Following.of(running[alert_id])
    return answer


def _unknown(alert_id: UUID) -> Problem:
    return not_found(f"alert {alert_id}")
