"""What alerting is asked of the past: figures of a period, and cases of what was missed."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from services.console.upstream.answers import Answer, Page
from services.console.upstream.service import Service, key_of
from shared.errors import Unavailable

Dimension = Literal["owner", "rule", "class", "warehouse"]


class Spans(Answer):
    """How long something took: minutes, or days of warning."""

    count: int
    mean: float | None = None
    median: float | None = None


class Share(Answer):
    """How many of how many."""

    part: int
    whole: int


class Figures(Answer):
    """How warnings were dealt with."""

    alerts: int
    to_acknowledge: Spans
    to_resolve: Spans
    within_sla: Share
    escalations: int
    right: Share
    prevented: int
    met_late: int
    missed: int
    warning_days: Spans
    lost_units: float
    lost_money: Decimal | None = None


class Group(Answer):
    """The figures of one owner, rule, class or warehouse; None: of what belongs to none."""

    group: str | None = None
    figures: Figures


class Review(Answer):
    """The figures of [`from_at`, `to_at`)."""

    from_at: datetime
    to_at: datetime
    total: Figures
    groups: list[Group] = Field(default_factory=list)


class Sign(Answer):
    """What in the log speaks for a cause."""

    cause: str


class Case(Answer):
    """A stock-out that was announced late or never; `signs`: the most telling first."""

    id: UUID
    number: int
    state: str
    sku: str
    warehouse: str
    owner: str | None = None
    ran_out_at: datetime
    warned_at: datetime | None = None
    signs: list[Sign] = Field(default_factory=list)
    note: str | None = None
    cause: str | None = None
    measure: str | None = None
    measure_due: date | None = None
    overdue: bool = False
    outcome: str | None = None


_REVIEW = TypeAdapter(Review)
_CASE = TypeAdapter(Case)
_CASES = TypeAdapter(Page[Case])
_ANYTHING = TypeAdapter(object)


class Reviews:
    """The past as pages see it. What changes a case raises Refused."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def acting_for(self, person: str | None) -> "Reviews":
        """Return the same, with what is done being a person's."""
        return Reviews(self._service.acting_for(person))

    async def review(self, since: datetime, until: datetime, by: Dimension) -> Review:
        """Return the figures of a period, all and by group."""
        found = await self._service.get(_REVIEW, "/v1/review", _period(since, until, by))
        if found is None:
            raise Unavailable("alerting")
        return found

    async def workbook(
        self, since: datetime, until: datetime, by: Dimension, language: str
    ) -> bytes:
        """Return the same as a workbook."""
        asked = _period(since, until, by) | {"language": language}
        return await self._service.file("/v1/review/report.xlsx", asked)

    async def cases(self, cursor: str = "", limit: int = 50) -> Page[Case]:
        """Return a part of the cases, the newest first."""
        asked: dict[str, str | int] = {"limit": limit}
        page = await self._service.get(
            _CASES, "/v1/cases", asked | ({"cursor": cursor} if cursor else {})
        )
        return page or Page[Case](items=[])

    async def missed(self, body: dict[str, object], form: UUID) -> Case:
        """Open a case of a stock-out without a warning; what a form says twice is one case.

        A stock-out that has a case keeps it: that one is returned.
        """
        key = key_of(form, body)
        made = await self._service.post(_CASE, "/v1/cases", body, idempotency_key=key)
        if made is None:
            raise Unavailable("alerting")
        return made

    async def step(self, case_id: str, step: str, body: dict[str, object]) -> None:
        """Confirm or close a case."""
        await self._service.post(_ANYTHING, f"/v1/cases/{case_id}/{step}", body)


def _period(since: datetime, until: datetime, by: Dimension) -> dict[str, str | int]:
    return {"from": since.isoformat(), "to": until.isoformat(), "by": by}
