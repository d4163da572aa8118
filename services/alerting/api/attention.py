"""`/v1/attention-policy` and `/v1/attention`: what people are told at once, and what is spent."""

from datetime import date, datetime, time
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.alerting.api.desk import AtDesk, Editor, doer_of
from services.alerting.domain.attention import AttentionPolicy, Spent
from services.alerting.domain.office_hours import Zone
from services.alerting.domain.parameter_values import Label, Money
from services.alerting.store import attention, people, schedules
from services.alerting.store.attention import StoredPolicy
from services.alerting.store.audit import What
from shared.database import audit
from shared.database.audit import Done
from shared.database.engine import Connection
from shared.events.base import Code
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, after_text, page_of
from shared.http.problems import Problem

router = APIRouter(tags=["attention"], dependencies=[Depends(require(Scope.ALERTS_READ))])


_Minute = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""Hours and minutes; the format `time` of JSON Schema would have a zone."""

_Weekday = Annotated[int, Field(ge=1, le=7)]
_OUR_OWN = AttentionPolicy()


class Policy(BaseModel):
    """What people are told at once, and how often they are interrupted; left out: the default.

    A stock-out of a class in `classes` ("A" stands for "AX" to "AZ" too) or of none, and what has
    more than `money` at risk, is told at once and not counted. All else of one owner and supplier
    is one message: within `urgent_minutes`, or for what can wait at `watch_at` of a working day in
    `zone`: one of `working_days` (1 is Monday), or of the working `calendar` where one is named. Of
    those a person gets `interruptions_a_day`; what is over stands in the list. What was so before
    anybody looked is one summary after `known_minutes`. Without `enabled` everything is told at
    once.
    """

    model_config = ConfigDict(extra="forbid")

    enabled: bool = True
    classes: Annotated[list[Label], Field(max_length=50)] = sorted(_OUR_OWN.classes)
    money: Money | None = None
    urgent_minutes: Annotated[int, Field(ge=0, le=1_440)] = _OUR_OWN.urgent_minutes
    watch_at: _Minute = f"{_OUR_OWN.watch_at:%H:%M}"
    zone: Zone = _OUR_OWN.zone
    working_days: Annotated[list[_Weekday], Field(min_length=1, max_length=7)] = sorted(
        _OUR_OWN.working_days
    )
    interruptions_a_day: Annotated[int, Field(ge=0, le=1_000)] = _OUR_OWN.interruptions_a_day
    known_minutes: Annotated[int, Field(ge=0, le=1_440)] = _OUR_OWN.known_minutes
    calendar: Code | None = None

    def policy(self) -> AttentionPolicy:
        """Return what is to be stored."""
        return AttentionPolicy(
            enabled=self.enabled,
            classes=frozenset(self.classes),
            money=self.money,
            urgent_minutes=self.urgent_minutes,
            watch_at=time.fromisoformat(self.watch_at),
            zone=self.zone,
            working_days=frozenset(self.working_days),
            interruptions_a_day=self.interruptions_a_day,
            known_minutes=self.known_minutes,
            calendar=self.calendar,
        )


class PolicyInForce(Policy):
    """The policy, and who made it; version 0 is the default that nobody has changed."""

    version: int
    changed_by: str | None
    changed_at: datetime | None

    @classmethod
    def of(cls, stored: StoredPolicy) -> Self:
        """Return a stored policy as it is answered."""
        return cls.model_validate(
            _said(stored.policy)
            | {
                "version": stored.version,
                "changed_by": stored.changed_by,
                "changed_at": stored.changed_at,
            }
        )


def _said(policy: AttentionPolicy) -> dict[str, object]:
    return {
        "enabled": policy.enabled,
        "classes": sorted(policy.classes),
        "money": policy.money,
        "urgent_minutes": policy.urgent_minutes,
        "watch_at": f"{policy.watch_at:%H:%M}",
        "zone": policy.zone,
        "working_days": sorted(policy.working_days),
        "interruptions_a_day": policy.interruptions_a_day,
        "known_minutes": policy.known_minutes,
        "calendar": policy.calendar,
    }


class PersonsDay(BaseModel):
    """What became of a person's news on a day.

    `interruptions` are the messages of the day besides those `at_once`; the others are episodes:
    told `at_once`, `gathered` into messages, `held_back` to stand in the list.
    """

    person: str
    day: date
    interruptions: int
    left: int
    at_once: int
    gathered: int
    held_back: int

    @classmethod
    def of(cls, person: str, spent: Spent, *, day: date, most: int) -> Self:
        """Return a day's count as it is answered; `most` is what the policy allows."""
        return cls(
            person=person,
            day=day,
            interruptions=spent.interruptions,
            left=max(0, most - spent.interruptions),
            at_once=spent.at_once,
            gathered=spent.gathered,
            held_back=spent.held_back,
        )


@router.get("/v1/attention-policy")
async def get_policy(at: AtDesk) -> PolicyInForce:
    """Return the policy in force."""
    return PolicyInForce.of(await at.ask(attention.policy))


@router.put("/v1/attention-policy")
async def put_policy(at: AtDesk, body: Policy, request: Request, editor: Editor) -> PolicyInForce:
    """Replace the policy; it holds for what happens from now on."""
    doer, policy = doer_of(request, editor, at), body.policy()

    async def put(connection: Connection) -> None:
        await people.begin_edit(connection)  # what it names is not deleted meanwhile
        if policy.calendar is not None and not await schedules.some(
            connection, "working_calendar", [policy.calendar]
        ):
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "unknown_calendar",
                f"Make it first: PUT /v1/working-calendars/{policy.calendar}.",
            )
        before = (await attention.policy(connection)).policy
        await attention.put_policy(connection, policy, doer.actor, doer.at)
        if before != policy:
            done = Done(What.ATTENTION_POLICY_PUT, "policy", _said(before), _said(policy))
            await audit.add(connection, doer, done)

    await at.change(put)
    return PolicyInForce.of(await at.ask(attention.policy))


@router.get("/v1/attention")
async def list_attention(
    at: AtDesk, day: date | None = None, cursor: Cursor = None, limit: Limit = 100
) -> Page[PersonsDay]:
    """Return what is spent of people's attention on a day, today unless another is asked for."""
    policy = (await at.ask(attention.policy)).policy
    asked = day or policy.day_of(at.clock.now())
    after = after_text(cursor)
    found = await at.ask(lambda connection: attention.of_day(connection, asked, after, limit))

    def answer(each: tuple[str, Spent]) -> PersonsDay:
        return PersonsDay.of(*each, day=asked, most=policy.interruptions_a_day)

    return page_of(found, limit, lambda each: [each[0]], answer)
