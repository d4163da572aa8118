"""What could be done about alerts, and what is: as much of alerting as the pages need."""

from collections.abc import Callable, MutableMapping
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, HTTPException

from tests.browser.fake_moment import NOW

Alerts = MutableMapping[str, dict[str, object]]

PLAYBOOK: dict[str, object] = {
    "id": "urgent_replenishment",
    "version": 1,
    "name": {"zh-CN": "紧急补货", "en": "Urgent replenishment"},
    "steps": [
        {"expects": "acknowledge", "within_minutes": 30},
        {"expects": "act", "within_minutes": 120},
        {"expects": "approve", "within_minutes": 240},
        {"expects": "confirm", "within_minutes": 2880},
    ],
    "step": {"number": 2, "expects": "act", "by": (NOW - timedelta(minutes=96)).isoformat()},
    "since": (NOW - timedelta(hours=4)).isoformat(),
    "due_at": (NOW + timedelta(minutes=24)).isoformat(),
    "stands_until": None,
    "escalated": True,
    "told": ["lin", "li"],
}
PROPOSALS = [
    {
        "kind": "transfer",
        "quantity": 36,
        "source": "shanghai-store",
        "cost": None,
        "terms": [],
        "text": {
            "zh-CN": "再订货点 50 + 订货量 100 − 可用 0 − 在途 24 = 126，"
            "对方仓库富余 36，可调 36。",
            "en": "Reorder point 50 + order quantity 100 − available 0 − incoming 24 = 126, "
            "surplus there 36: move 36.",
        },
    },
    {
        "kind": "buy",
        "quantity": 144,
        "source": None,
        "cost": "360.00",
        "terms": [],
        "text": {
            "zh-CN": "再订货点 50 + 订货量 100 − 可用 0 − 在途 24 = 126，按包装数 24取整为 144。",
            "en": "Reorder point 50 + order quantity 100 − available 0 − incoming 24 = 126, "
            "rounded to 144 for the pack multiple 24.",
        },
    },
    *(
        {"kind": kind, "quantity": None, "source": None, "cost": None, "terms": [], "text": None}
        for kind in ("expedite", "substitute", "stop_selling", "none")
    ),
]


def action(number: int, kind: str, state: str, **more: object) -> dict[str, Any]:
    """Return an action as alerting answers it."""
    return {
        "id": str(UUID(int=7_000 + number)),
        "number": number,
        "alert_id": str(UUID(int=1)),
        "sku": "SKU-1001",
        "warehouse": "hangzhou",
        "kind": kind,
        "state": state,
        "requested_by": "lin",
        "requested_at": NOW.isoformat(),
    } | more


class FakeActions:
    """Actions of alert 1."""

    def __init__(self, there: Callable[[str], None], alerts: Alerts) -> None:
        self._there = there
        self.actions = [
            action(9, "buy", "proposed", quantity=240, cost="600.00", supplier="绿源食品"),
            action(8, "count", "done"),
        ]
        self.asked: list[dict[str, Any]] = []
        alerts[str(UUID(int=1))] |= {
            "playbook": PLAYBOOK,
            "at_risk": {"units": 79.8, "money": "1037.40"},
            "stock_class": "A",
            "supplier": "绿源食品",
        }
        self.router = APIRouter()
        self._routes()

    def _routes(self) -> None:
        router = self.router

        @router.get("/v1/alerts/{alert_id}/proposals")
        def proposals(alert_id: str) -> dict[str, object]:
            self._there("alerting")
            return {"items": PROPOSALS if alert_id == str(UUID(int=1)) else PROPOSALS[-1:]}

        @router.get("/v1/actions")
        def actions(alert: str = "", kind: str = "", state: str = "") -> dict[str, object]:
            self._there("alerting")
            found = [
                one
                for one in self.actions
                if alert in {"", one["alert_id"]}
                and kind in {"", one["kind"]}
                and state in {"", one["state"]}
            ]
            return {"items": found, "next_cursor": None}

        @router.post("/v1/alerts/{alert_id}/actions", status_code=201)
        def request(alert_id: str, body: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
            self._there("alerting")
            self.asked.append(body)
            made = action(len(self.actions) + 8, body["kind"], "approved") | body
            self.actions.insert(0, made | {"alert_id": alert_id})
            return made

        @router.post("/v1/actions/{action_id}/{step}")
        def step(action_id: str, step: str) -> dict[str, Any]:
            self._there("alerting")
            leads = {"approve": "approved", "order": "ordered", "cancel": "cancelled"}
            for one in self.actions:
                if one["id"] == action_id:
                    one["state"] = leads.get(step, step)
                    return one
            raise HTTPException(404)
