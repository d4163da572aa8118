"""Figures and cases of a past that never was."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Body, Header, HTTPException, Query, Response

from tests.browser.fake_moment import NOW


class Asked(NamedTuple):
    """A question for figures."""

    by: str
    span: timedelta


def _figures(alerts: int, missed: int, money: str | None) -> dict[str, object]:
    def spans(mean: float) -> dict[str, object]:
        return {"count": alerts, "mean": mean if alerts else None, "median": mean / 2}

    return {
        "alerts": alerts,
        "to_acknowledge": spans(23.4),
        "to_resolve": spans(1_611.0),
        "within_sla": {"part": alerts * 4 // 5, "whole": alerts},
        "escalations": alerts // 9,
        "right": {"part": alerts // 3, "whole": alerts // 2},
        "prevented": alerts // 4,
        "met_late": alerts // 20,
        "missed": missed,
        "warning_days": spans(3.6),
        "lost_units": 4.5 * alerts,
        "lost_money": money,
    }


def case(number: int, state: str, **more: object) -> dict[str, Any]:
    return {
        "id": str(UUID(int=8_000 + number)),
        "number": number,
        "state": state,
        "sku": f"SKU-100{number}",
        "warehouse": "hangzhou",
        "owner": "lin",
        "ran_out_at": (NOW - timedelta(hours=30 * number)).isoformat(),
        "warned_at": None,
        "signs": [{"cause": "limit_too_low", "rules": 1}],
        "note": None,
        "overdue": False,
    } | more


class FakeReview:
    """What alerting says of the past; `said` has what pages told it."""

    def __init__(self, there: Callable[[str], None]) -> None:
        self._there = there
        self.said: list[tuple[str, str, dict[str, Any]]] = []
        self.asked: list[Asked] = []
        measure = {"cause": "supplier_late", "measure": "换一家供应商", "measure_due": "2026-11-20"}
        self.cases = [
            case(3, "open"),
            case(2, "confirmed", overdue=True, warned_at=NOW.isoformat(), **measure),
            case(1, "closed", outcome="新供应商三天就到", **measure),
        ]
        self.router = APIRouter()
        self._routes()

    def _routes(self) -> None:
        router = self.router

        @router.get("/v1/review")
        def review(
            since: Annotated[datetime, Query(alias="from")],
            to: datetime,
            by: str = "owner",
        ) -> dict[str, object]:
            self._there("alerting")
            self.asked.append(Asked(by, to - since))
            groups: dict[str, list[str | None]] = {
                "owner": ["lin", "li", None],
                "warehouse": ["hangzhou", "shanghai-store"],
            }
            return {
                "from_at": (NOW - timedelta(days=28)).isoformat(),
                "to_at": NOW.isoformat(),
                "by": by,
                "total": _figures(184, 2, "8120.50"),
                "groups": [
                    {"group": group, "figures": _figures(90 - 40 * index, index, None)}
                    for index, group in enumerate(groups.get(by, ["A"]))
                ],
            }

        @router.get("/v1/review/report.xlsx")
        def workbook() -> Response:
            self._there("alerting")
            return Response(b"a workbook")

        @router.get("/v1/cases")
        def cases(limit: int, cursor: int = 0) -> dict[str, object]:
            self._there("alerting")
            following = cursor + limit
            return {
                "items": self.cases[cursor:following],
                "next_cursor": str(following) if following < len(self.cases) else None,
            }

        @router.post("/v1/cases", status_code=201)
        def missed(
            body: Annotated[dict[str, Any], Body()],
            lowtide_acting_for: Annotated[str, Header()] = "",
        ) -> dict[str, Any]:
            self._there("alerting")
            self.said.append((lowtide_acting_for, "missed", body))
            opened = case(len(self.cases) + 1, "open", **{"signs": [], **body})
            self.cases.insert(0, opened)
            return opened

        @router.post("/v1/cases/{case_id}/{step}")
        def step(
            case_id: str,
            step: str,
            body: Annotated[dict[str, Any], Body()],
            lowtide_acting_for: Annotated[str, Header()] = "",
        ) -> dict[str, Any]:
            self._there("alerting")
            self.said.append((lowtide_acting_for, step, body))
            for one in self.cases:
                if one["id"] == case_id:
                    one["state"] = {"confirm": "confirmed", "close": "closed"}[step]
                    one |= {"cause": body.get("cause"), "measure": body.get("measure")}
                    return one
            raise HTTPException(404)
