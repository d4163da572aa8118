"""Ingest, ledger, alerting, notifier and stand-in in one small application, for looking at pages.

Each part can be taken away (`away.add("ledger")`), so that tests see what pages do then.
"""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import uvicorn
from fastapi import Body, FastAPI, HTTPException, Request

from tests.browser.fake_actions import FakeActions
from tests.browser.fake_configuration import FakeConfiguration
from tests.browser.fake_deliveries import FakeDeliveries
from tests.browser.fake_moment import NOW
from tests.browser.fake_orders import FakeOrders
from tests.browser.fake_review import FakeReview
from tests.browser.fake_stocktakes import FakeStocktakes

NAMES = [
    ("SKU-1001", "燕麦奶 1L 原味", "饮料"),
    ("SKU-1002", "冷萃咖啡液 10 杯装", "饮料"),
    ("SKU-1003", "有机小米 2.5kg", "粮油"),
    ("SKU-1004", "Merino wool socks, 3 pairs", "服饰"),
    ("SKU-1005", "儿童防晒霜 SPF50 60ml", "个护"),
    ("SKU-1006", "不锈钢保温杯 500ml 雾蓝", "家居"),
    ("SKU-1007", "抽纸 3 层 100 抽 24 包（整箱超值装，顺丰包邮，限时特惠）", "家居"),
    ("SKU-1008", "USB-C 快充线 1m", "数码"),
]
WAREHOUSES = [("hangzhou", "杭州电商仓"), ("shanghai-store", "上海门店")]


def _level(index: int, warehouse: str) -> dict[str, object]:
    on_hand = (index * 37 + len(warehouse) * 11) % 140 - 3
    return {
        "sku": NAMES[index][0],
        "warehouse": warehouse,
        "on_hand": on_hand,
        "reserved": index % 3,
        "unavailable": 0,
        "incoming": 24 if index % 4 == 1 else 0,
        "available": on_hand - index % 3,
        "version": 7,
        "counted_at": (NOW - timedelta(days=2)).isoformat(),
        "last_change_at": (NOW - timedelta(seconds=index * 47)).isoformat(),
        "sold_total": 1312 + index,
        "returned_total": 7,
        "received_total": 1440,
        "flags": [],
    }


def _alert(index: int, level: str, state: str = "open") -> dict[str, object]:
    sku, name, _ = NAMES[index % len(NAMES)]
    opened = NOW - timedelta(seconds=33 * index * index + 12)
    facts = {
        "available": 0 if level == "out" else 3 + index,
        "on_hand": 3 + index,
        "low_water": 0,
        "threshold": 8.0,
        "daily_sales": 11.4,
        "days_of_cover": 0.9,
        "incoming": 24,
    }
    return {
        "id": str(UUID(int=index + 1)),
        "number": 120 + index,
        "revision": 2,
        "state": state,
        "level": level,
        "rule": {
            "id": "below",
            "kind": "below",
            "name": {"zh-CN": "低于安全库存", "en": "Below safety stock"},
        },
        "subject": "level",
        "sku": sku,
        "sku_name": name,
        "warehouse": WAREHOUSES[index % 2][0],
        "opened_at": opened.isoformat(),
        "resolved_at": None,
        "acknowledged_at": opened.isoformat() if index % 3 == 2 else None,
        "acknowledged_by": "console" if index % 3 == 2 else None,
        "facts": facts,
        "labels": {},
        "history": [
            {
                "revision": 1,
                "event": "opened",
                "level": "watch",
                "previous_level": None,
                "occurred_at": opened.isoformat(),
                "facts": facts | {"available": 19},
            },
            {
                "revision": 2,
                "event": "level_changed",
                "level": level,
                "previous_level": "watch",
                "occurred_at": (opened + timedelta(seconds=9)).isoformat(),
                "facts": facts,
            },
        ],
    }


def _number(alert: dict[str, Any]) -> int:
    return int(alert["number"])


def _risk(alert: dict[str, Any]) -> tuple[float, float, int]:
    """Return an alert's place as alerting has it: by money, then by units."""
    risk = alert.get("at_risk") or {}
    return float(risk.get("money") or 0), float(risk.get("units") or 0), _number(alert)


class FakeServices:
    """The answers, and which services are away."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.movements = 10_000
        self.lines = 60
        """Of every statement."""
        self.levels = {
            (NAMES[index][0], warehouse): _level(index, warehouse)
            for index in range(len(NAMES))
            for warehouse, _ in WAREHOUSES
        }
        levels = ["out", "urgent", "watch", "watch", "urgent", "watch", "out", "watch", "watch"]
        self.alerts: dict[str, dict[str, Any]] = {
            str(UUID(int=index + 1)): _alert(index, level) for index, level in enumerate(levels)
        }
        self.acknowledged: list[str] = []
        self.ended: list[str] = []
        """What was said to the end of alerts."""
        self.configuration = FakeConfiguration(self._there)
        self.notices = FakeDeliveries(self._there)
        self.doing = FakeActions(self._there, self.alerts)
        self.orders = FakeOrders(self._there, self.doing)
        self.past = FakeReview(self._there)
        self.stocktakes = FakeStocktakes(self._there)
        self.app = FastAPI()
        self._routes()
        self.app.include_router(self.configuration.router)
        self.app.include_router(self.notices.router)
        self.app.include_router(self.doing.router)
        self.app.include_router(self.orders.router)
        self.app.include_router(self.past.router)
        self.app.include_router(self.stocktakes.router)

    def _there(self, service: str) -> None:
        if service in self.away:
            raise HTTPException(503)

    def _routes(self) -> None:  # noqa: C901, PLR0915 - one small route after the other
        app = self.app

        @app.get("/v1/skus")
        def skus(q: str = "", cursor: str = "0", limit: int = 50) -> dict[str, object]:
            self._there("ingest")
            found = [
                {"sku": sku, "name": name, "category": category, "brand": "潮"}
                for sku, name, category in NAMES
                if q.lower() in f"{sku} {name}".lower()
            ]
            if not cursor.isdigit():
                raise HTTPException(422)
            start = int(cursor)
            following = str(start + limit) if start + limit < len(found) else None
            return {"items": found[start : start + limit], "next_cursor": following}

        @app.get("/v1/skus/{sku}")
        def sku(sku: str) -> dict[str, object]:
            self._there("ingest")
            for known, name, category in NAMES:
                if known == sku:
                    return {"sku": sku, "name": name, "category": category, "brand": "潮"}
            raise HTTPException(404)

        @app.get("/v1/warehouses")
        def warehouses() -> dict[str, object]:
            self._there("ingest")
            items = [{"id": one, "name": name, "zone": "Asia/Shanghai"} for one, name in WAREHOUSES]
            return {"items": items, "next_cursor": None}

        @app.get("/v1/channels")
        def channels() -> dict[str, object]:
            self._there("ingest")
            items = [{"id": "web", "name": "官网商城"}, {"id": "pos", "name": "门店收银"}]
            return {"items": items, "next_cursor": None}

        @app.get("/v1/levels")
        def levels() -> dict[str, object]:
            self._there("ledger")
            return {"items": list(self.levels.values()), "next_cursor": None}

        @app.post("/v1/levels/query")
        async def query(request: Request) -> dict[str, object]:
            self._there("ledger")
            body = await request.json()
            items = [
                level
                for (sku, warehouse), level in self.levels.items()
                if sku in body["skus"] and warehouse in body.get("warehouses", [warehouse])
            ]
            return {"items": items, "next_cursor": None}

        @app.get("/v1/levels/{sku}/{warehouse}")
        def level(sku: str, warehouse: str) -> dict[str, object]:
            self._there("ledger")
            if (sku, warehouse) not in self.levels:
                raise HTTPException(404)
            return self.levels[sku, warehouse]

        @app.get("/v1/levels/{sku}/{warehouse}/statement")
        def statement(sku: str, warehouse: str, limit: int) -> dict[str, object]:
            self._there("ledger")
            if (sku, warehouse) not in self.levels:
                return {"items": [], "next_cursor": None}
            items = [self._line(index) for index in range(self.lines)]
            following = str(limit) if limit < len(items) else None
            return {"items": items[:limit], "next_cursor": following}

        @app.get("/v1/summary")
        def summary() -> dict[str, object]:
            self._there("ledger")
            self.movements += 7
            return {
                "movements": self.movements,
                "repeats": 40,
                "rejected": {},
                "levels": len(self.levels),
                "behind_seconds": 0.02,
                "lag_records": 3,
            }

        @app.get("/v1/alerts/summary")
        def alert_summary() -> dict[str, object]:
            self._there("alerting")
            open_now: dict[str, int] = {}
            for alert in self.alerts.values():
                if alert["resolved_at"] is None:
                    open_now[str(alert["level"])] = open_now.get(str(alert["level"]), 0) + 1
            return {"open": open_now, "lag_records": 0, "behind_seconds": 0.0}

        @app.get("/v1/alerts")
        def alerts(
            *,
            state: str = "open",
            level: str = "",
            rule: str = "",
            sku: str = "",
            warehouse: str = "",
            owner: str = "",
            subject: str = "",
            order: str = "newest",
            cursor: str = "0",
            limit: int = 50,
        ) -> dict[str, object]:
            self._there("alerting")
            if "|" in sku:
                raise HTTPException(422)
            ended = {"open": {False}, "resolved": {True}, "all": {False, True}}[state]
            items = [
                alert
                for alert in self.alerts.values()
                if (alert["resolved_at"] is not None) in ended
                and level in {"", alert["level"]}
                and rule in {"", alert["rule"]["id"]}
                and owner in {"", alert.get("owner")}
                and sku in {"", alert["sku"]}
                and warehouse in {"", alert["warehouse"]}
                and subject in {"", alert["subject"]}
            ]
            items.sort(key=_risk if order == "at_risk" else _number, reverse=True)
            start = int(cursor)
            following = str(start + limit) if start + limit < len(items) else None
            return {"items": items[start : start + limit], "next_cursor": following}

        @app.get("/v1/alerts/{alert_id}")
        def alert(alert_id: str) -> dict[str, object]:
            self._there("alerting")
            if alert_id not in self.alerts:
                raise HTTPException(404)
            return self.alerts[alert_id]

        @app.post("/v1/alerts/{alert_id}/acknowledge")
        def acknowledge(alert_id: str) -> dict[str, object]:
            self._there("alerting")
            self.acknowledged.append(alert_id)
            alert = self.alerts[alert_id]
            alert["acknowledged_at"] = NOW.isoformat()
            alert["acknowledged_by"] = "console"
            return alert

        @app.post("/v1/alerts/{alert_id}/resolve")
        def resolve(alert_id: str, body: Annotated[dict[str, str], Body()]) -> dict[str, object]:
            self._there("alerting")
            self.ended.append(body["note"])
            alert = self.alerts[alert_id]
            history = alert["history"]
            assert isinstance(history, list)
            step = history[-1] | {"revision": len(history) + 1, "event": "resolved"}
            alert["history"] = [*history, step | {"actor": "console"} | body]
            alert |= {"state": "resolved", "resolved_at": NOW.isoformat()}
            return alert

        @app.delete("/v1/alerts/{alert_id}/snooze")
        def end_snooze(alert_id: str) -> dict[str, object]:
            self._there("alerting")
            self.alerts[alert_id]["snoozed_until"] = NOW.isoformat()
            return self.alerts[alert_id]

        @app.get("/inbox")
        def messages() -> dict[str, object]:
            self._there("standin")
            items = [
                {
                    "id": f"m{index}",
                    "kind": kind,
                    "received_at": (NOW - timedelta(seconds=40 * index)).isoformat(),
                    "type": "markdown" if kind == "wecom" else "email",
                    "to": "采购群" if kind == "wecom" else "buyer@shop.example",
                    "subject": "" if kind == "wecom" else "【断货】燕麦奶 1L · 杭州电商仓",
                    "text": "【断货】燕麦奶 1L\n杭州电商仓 可售 0 件，低于 1 件\n#120",
                }
                for index in range(3)
                for kind in ("wecom", "mail")
            ]
            return {"items": items, "next_cursor": None}

    def _line(self, index: int) -> dict[str, object]:
        kinds = ["sale", "sale", "receipt", "sale", "return", "adjustment", "count", "sale"]
        kind = kinds[index % len(kinds)]
        change = {"sale": -2, "receipt": 48, "return": 1, "adjustment": -1, "count": 0}[kind]
        when = (NOW - timedelta(minutes=17 * index)).isoformat()
        return {
            "type": kind,
            "channel": ["web", "pos"][index % 2],
            "id": f"W2026-{9000 - index}",
            "line": "0",
            "quantity": abs(change),
            "change": change,
            "balance": self.lines + 4 - index,
            "occurred_at": when,
            "received_at": when,
            "recorded_at": when,
            "late": index % 5 == 3,
            "masked": index == 7,
            "unusual": index == 8,
            "repeats": [{"received_at": when, "recorded_at": when}] if index % 6 == 1 else [],
            "reason": "破损" if kind == "adjustment" else None,
            "reference": f"PO-{index}" if kind == "receipt" else None,
            "actor": None,
        }


if __name__ == "__main__":
    uvicorn.run(FakeServices().app, host="127.0.0.1", port=29100, log_level="warning")
