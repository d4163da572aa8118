"""Counts that wait, as the ledger tells of them: a long stocktake, and one count by itself."""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, HTTPException, Response
from fastapi.responses import JSONResponse

from tests.browser.fake_moment import NOW

LINES = 10_000
STATE_AFTER = {
    "approve": "approved",
    "reject": "rejected",
    "request-recount": "recount_requested",
}


def _count(number: int, reference: str | None) -> dict[str, Any]:
    variance = -3 if number % 4 else 8
    return {
        "id": number,
        "sku": f"SKU-{1001 + number % 8}",
        "sku_name": "冷萃咖啡液 10 杯装" if number % 8 == 1 else None,
        "warehouse": "hangzhou",
        "bucket": "on_hand",
        "state": "waiting",
        "counted": 40 + variance,
        "expected": 40,
        "variance": variance,
        "variance_money": f"{variance * 2.5:.2f}",
        "reference": reference,
        "reason": None,
        "actor": "li",
        "occurred_at": (NOW - timedelta(hours=3)).isoformat(),
    }


class FakeStocktakes:
    """Counts; `decided` has what pages decided, for whom; a request takes 6,000 at the most.

    What is `arriving` comes in once the first thousand of them are decided on.
    """

    def __init__(self, there: Callable[[str], None]) -> None:
        self._there = there
        self.counts = [_count(number, "PD-2026-11") for number in range(1, LINES + 1)]
        self.counts.append(_count(LINES + 1, None))
        self.arriving: list[dict[str, Any]] = []
        self.decided: list[tuple[str, dict[str, Any] | None, str | None]] = []
        self.router = APIRouter()
        self._routes()

    def _routes(self) -> None:
        router = self.router

        @router.get("/v1/stocktakes")
        def stocktakes(reference: str = "") -> dict[str, object]:
            self._there("ledger")
            groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
            for each in self.counts:
                waits = each["state"] in {"waiting", "recount_requested"}
                if waits and each["reference"] and reference in {"", each["reference"]}:
                    groups.setdefault((each["reference"], each["state"]), []).append(each)
            items = [
                {
                    "reference": name,
                    "warehouse": "hangzhou",
                    "state": state,
                    "counts": len(some),
                    "variance": sum(each["variance"] for each in some),
                    "absolute_variance": sum(abs(each["variance"]) for each in some),
                    "variance_money": f"{sum(float(each['variance_money']) for each in some):.2f}",
                    "without_cost": 0,
                    "up_to": some[-1]["id"],
                }
                for (name, state), some in groups.items()
            ]
            return {"items": items, "next_cursor": None}

        @router.get("/v1/counts")
        def counts(
            state: str, limit: int, reference: str = "", cursor: str = "0"
        ) -> dict[str, object]:
            self._there("ledger")
            found = [
                each
                for each in reversed(self.counts)
                if each["state"] == state and reference in {"", each["reference"]}
            ]
            start = int(cursor)
            following = str(start + limit) if start + limit < len(found) else None
            return {"items": found[start : start + limit], "next_cursor": following}

        @router.post("/v1/stocktakes/{step}", response_model=None)
        def decide(
            step: str,
            body: Annotated[dict[str, Any], Body()],
            lowtide_acting_for: Annotated[str | None, Header()] = None,
        ) -> Response:
            self._there("ledger")
            self.decided.append((step, body, lowtide_acting_for))
            return self._decided(step, body)

        @router.post("/v1/counts/{number}/{step}")
        def decide_one(
            number: int, step: str, lowtide_acting_for: Annotated[str | None, Header()] = None
        ) -> dict[str, Any]:
            self._there("ledger")
            for each in self.counts:
                if each["id"] == number:
                    self.decided.append((step, None, lowtide_acting_for))
                    each["state"] = STATE_AFTER[step]
                    return each
            raise HTTPException(404)

    def _decided(self, step: str, body: dict[str, Any]) -> Response:
        chosen = [
            each
            for each in self.counts
            if (each["reference"], each["state"]) == (body["reference"], body["state"])
            and each["id"] <= body["up_to"]
        ]
        problem = {"type": "urn:lowtide:problem:stocktake_changed", "detail": "More wait."}
        if len(chosen) > body["counts"]:
            return JSONResponse(problem | {"decided": 0}, HTTPStatus.CONFLICT)
        portion = chosen[: 1_000 if self.arriving else 6_000]
        for each in portion:
            each["state"] = STATE_AFTER[step]
        if self.arriving:
            self.counts[:0], self.arriving = self.arriving, []
            return JSONResponse(problem | {"decided": len(portion)}, HTTPStatus.CONFLICT)
        return JSONResponse({"decided": len(chosen[:6_000]), "left": len(chosen[6_000:])})
