"""`/v1/alerts`: episodes, and taking one on."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, StringConstraints

from services.alerting.api.desk import AtDesk, Desk
from services.alerting.store import alerts, episodes
from services.alerting.store.alerts import Filter, State, StoredAlert, StoredRevision
from shared.events.base import Code
from shared.events.stock_alerts import AlertFacts, AlertLevel
from shared.http.auth import Caller, Scope, require
from shared.http.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from shared.http.problems import Problem, not_found

router = APIRouter(
    prefix="/v1/alerts", tags=["alerts"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)


class RuleName(BaseModel):
    """The rule that fired."""

    id: str
    kind: str
    name: dict[str, str]


class Alert(BaseModel):
    """An episode as it stands; `opened_at` and `resolved_at` are on the evaluation clock."""

    id: UUID
    number: int
    revision: int
    state: State
    level: AlertLevel
    rule: RuleName
    sku: str
    sku_name: str | None
    warehouse: str
    opened_at: datetime
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    facts: AlertFacts
    labels: dict[str, str]

    @classmethod
    def of(cls, stored: StoredAlert) -> Self:
        """Return a stored alert as it is answered."""
        return cls.model_validate(stored, from_attributes=True)


class Revision(BaseModel):
    """What happened at one revision; `actor` and `note` where a person did it."""

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

    @classmethod
    def of(cls, stored: StoredRevision) -> Self:
        """Return a stored revision as it is answered."""
        return cls.model_validate(stored, from_attributes=True)


class AlertWithHistory(Alert):
    """An episode with all that happened to it, the oldest first."""

    history: list[Revision] = []


class Acknowledgement(BaseModel):
    """What a person says when taking an alert on."""

    note: Annotated[str, StringConstraints(max_length=1_000, strip_whitespace=True)] | None = None


class Summary(BaseModel):
    """Alerts counted: `open` by present level, `opened` (all there ever were) by first level.

    `outbox` are notices not yet with the broker, `lag_records` level messages not yet evaluated
    (null while the broker cannot say).
    """

    open: dict[AlertLevel, int]
    opened: dict[AlertLevel, int]
    episodes: int
    resolved: int
    subjects: int
    outbox: int
    lag_records: int | None
    behind_seconds: float | None = Field(description="Age of the oldest message that waits")


_IS_OPEN = {"open": True, "resolved": False, "all": None}


@router.get("")
async def list_alerts(
    at: AtDesk,
    state: Literal["open", "resolved", "all"] = "open",
    level: AlertLevel | None = None,
    rule: Code | None = None,
    sku: Code | None = None,
    warehouse: Code | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Alert]:
    """Return alerts, the newest first; `open` includes those that recover."""
    wanted = Filter(_IS_OPEN[state], level, rule, sku, warehouse)
    before = None if cursor is None else int(decode_cursor(cursor, int)[0])
    found = await at.ask(lambda connection: alerts.page(connection, wanted, before, limit))
    more = encode_cursor(found[-1].number) if len(found) == limit else None
    return Page(items=[Alert.of(each) for each in found], next_cursor=more)


@router.get("/summary")
async def summary(at: AtDesk) -> Summary:
    """Return how many alerts there are and were, and how far behind alerting is."""
    # The lag first: what is counted afterwards includes all that it saw evaluated.
    lag = await at.lag()
    totals = await at.ask(alerts.totals)
    return Summary(
        open={level: totals.open.get(level, 0) for level in AlertLevel},
        opened={level: totals.opened.get(level, 0) for level in AlertLevel},
        episodes=sum(totals.opened.values()),
        resolved=totals.resolved,
        subjects=totals.subjects,
        outbox=totals.outbox,
        lag_records=None if lag is None else lag.records,
        behind_seconds=None if lag is None else lag.seconds,
    )


@router.get("/{alert_id}")
async def get_alert(alert_id: UUID, at: AtDesk) -> AlertWithHistory:
    """Return an alert with its history."""
    return await _with_history(at, alert_id)


@router.post("/{alert_id}/acknowledge")
async def acknowledge(
    alert_id: UUID,
    request: Request,
    at: AtDesk,
    caller: Annotated[Caller, Depends(require(Scope.ALERTS_WRITE))],
    body: Acknowledgement | None = None,
) -> AlertWithHistory:
    """Take an alert on. Doing it again changes nothing; a resolved alert answers 409."""
    episode = await at.change(
        lambda connection: episodes.acknowledge(
            connection,
            alert_id,
            actor=caller.subject,
            note=None if body is None else body.note,
            now=at.clock.now(),
            trace=request.state.traceparent,
        )
    )
    if episode is None:
        raise _unknown(alert_id)
    if episode.acknowledged_at is None:
        raise Problem(
            HTTPStatus.CONFLICT,
            "already_resolved",
            f"Alert {episode.number} is resolved already; there is nothing to take on.",
        )
    return await _with_history(at, alert_id)


async def _with_history(at: Desk, alert_id: UUID) -> AlertWithHistory:
    found = await at.ask(lambda connection: alerts.one(connection, alert_id))
    if found is None:
        raise _unknown(alert_id)
    past = await at.ask(lambda connection: alerts.history(connection, alert_id))
    answer = AlertWithHistory.of(found)
    answer.history = [Revision.of(each) for each in past]
    return answer


def _unknown(alert_id: UUID) -> Problem:
    return not_found(f"alert {alert_id}")
