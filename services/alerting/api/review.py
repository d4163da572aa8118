"""`/v1/review`: how warnings were dealt with in a period (复盘), on screen and as a sheet."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from services.alerting.api import review_sheet
from services.alerting.api.desk import AtDesk, Desk
from services.alerting.domain.review import LONGEST, NOTHING
from services.alerting.store import review
from services.alerting.store.review import Dimension
from shared.database.engine import Connection
from shared.events.alert_reports import Figures, GroupFigures
from shared.events.base import Instant
from shared.http.auth import Scope, require
from shared.http.problems import Problem

router = APIRouter(
    prefix="/v1/review", tags=["review"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)

USUAL: Final = timedelta(days=28)

From = Annotated[
    Instant | None, Query(alias="from", description="Left out: 28 days before the end")
]
To = Annotated[Instant | None, Query(alias="to", description="Left out: now; itself not in it")]
By = Annotated[Dimension | None, Query(description="Left out: only the sums")]


class Answer(BaseModel):
    """Figures of the alerts that opened, and the stock-outs that began, in [`from_at`, `to_at`).

    Times are minutes, but `warning_days` days. `total` is of all, `groups` by what was asked; a
    null group belongs to none. `class` is that of the opening for alerts, of then for stock-outs.
    """

    from_at: datetime
    to_at: datetime
    by: Dimension | None
    total: Figures
    groups: list[GroupFigures]


@router.get("")
async def get_review(at: AtDesk, from_at: From = None, to_at: To = None, by: By = None) -> Answer:
    """Return the figures of a period of at most 400 days.

    MTTA: from the first notice that people had to the acknowledgement. MTTR: from opening to
    recovery or an end by hand. `within_sla`: alerts seen to in time, of those seen to or late.
    `right`: by the last feedback of each alert. A stock-out is `prevented` when a warned shortage
    ended by new stock, `met_late` when it came after a warning, `missed` when none came before it.
    """
    return await _answer(at, from_at, to_at, by)


@router.get(
    "/report.xlsx",
    response_class=Response,
    responses={
        HTTPStatus.OK.value: {
            "description": "The figures as a workbook",
            "content": {
                review_sheet.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def get_sheet(
    at: AtDesk,
    from_at: From = None,
    to_at: To = None,
    by: By = "owner",
    language: Literal["zh-CN", "en"] = "zh-CN",
) -> Response:
    """Return the same as a workbook for a spreadsheet program; it holds values, no formulas."""
    answer = await _answer(at, from_at, to_at, by)
    book = await asyncio.to_thread(
        review_sheet.write, answer.from_at, answer.to_at, answer.total, answer.groups, language
    )
    name = f"review-{answer.from_at:%Y%m%d}-{answer.to_at:%Y%m%d}.xlsx"
    return Response(
        book,
        media_type=review_sheet.MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _answer(
    at: Desk, from_at: datetime | None, to_at: datetime | None, by: Dimension | None
) -> Answer:
    now = at.clock.now()
    from_at, to_at = _period(from_at, to_at or now)
    until = min(to_at, now)

    async def figures(connection: Connection, by: Dimension | None) -> dict[str | None, Figures]:
        found = await review.period(connection, from_at, to_at, by, at.sla_minutes, now)
        return found.figures(until)

    async def both(
        connection: Connection,
    ) -> tuple[dict[str | None, Figures], list[GroupFigures]]:
        total = await figures(connection, None)
        if by is None:
            return total, []
        found = await figures(connection, by)
        if by == "owner":
            return total, await review.of_owners(connection, found)
        return total, [GroupFigures(group=group, figures=each) for group, each in found.items()]

    total, groups = await at.ask(both)
    return Answer(
        from_at=from_at,
        to_at=to_at,
        by=by,
        total=total.get(None, NOTHING),
        groups=groups,
    )


def _period(from_at: datetime | None, to_at: datetime) -> tuple[datetime, datetime]:
    with suppress(OverflowError):  # nothing lies before the first days of the calendar
        from_at = from_at or to_at - USUAL
        if timedelta() < to_at - from_at <= LONGEST:
            return from_at, to_at
    raise Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "period_out_of_range",
        f"from must lie before to, and no more than {LONGEST.days} days; ask for less.",
    )
