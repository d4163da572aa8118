"""Notices in every state, and the destinations they are for."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, HTTPException

from tests.browser.fake_moment import NOW

Body = dict[str, Any]

DESTINATIONS: list[Body] = [
    {"id": "buyers", "kind": "wecom_bot", "name": "采购群", "wecom_bot": {"key": "****9f2c"}},
    {"id": "boss", "kind": "email", "name": "老板邮箱", "email": {"to": ["boss@shop.example"]}},
    {
        "id": "old",
        "kind": "dingtalk_bot",
        "name": "旧仓库群",
        "dingtalk_bot": {"token": "****11aa"},
    },
    {"id": "erp", "kind": "webhook", "name": "ERP", "webhook": {"url": "https://erp.example/in"}},
]
TOLD = (
    "### 【断货】燕麦奶 1L 原味 · 杭州电商仓\n> SKU：**SKU-1001**\n> 可售：**0 件**，"
    '<font color="warning">断货</font>\n> 近 28 天日均：11.4 件/天\n> 在途：24 件\n'
    "[查看 #120](http://127.0.0.1/alerts/1)"
)


def _delivery(number: int, state: str, destination: str | None, **parts: object) -> Body:
    made = NOW - timedelta(minutes=3 * number, seconds=11)
    return {
        "id": str(UUID(int=0x1000 + number)),
        "kind": "first",
        "alert_id": str(UUID(int=1)),
        "alert_number": 120,
        "revision": 1,
        "event": "opened",
        "level": "out",
        "destination": destination,
        "state": state,
        "reason": None,
        "digest_id": None,
        "duplicate_possible": False,
        "recipients": None,
        "next_at": None,
        "recorded_at": made.isoformat(),
        "created_at": made.isoformat(),
        "sent_at": (made + timedelta(seconds=1)).isoformat() if state == "sent" else None,
        "attempts": [],
    } | parts


def _attempt(number: int, verdict: str, code: str, detail: str, said: str = TOLD) -> Body:
    started = NOW - timedelta(minutes=10 - number)
    return {
        "number": number,
        "started_at": started.isoformat(),
        "finished_at": (started + timedelta(seconds=0.4)).isoformat(),
        "verdict": verdict,
        "code": code,
        "detail": detail,
        "marked": False,
        "rendered": said,
    }


SENT = [_attempt(1, "accepted", "0", "ok")]
BUSY = _attempt(1, "transient", "45009", "errcode 45009: api freq out of limit")
BAD_KEY = _attempt(2, "permanent", "300005", "errcode 300005: token is not exist")
ORDER = str(UUID(int=9_002))
"""The order whose mail did not arrive."""
DEAD = str(UUID(int=0x1000 + 2))
"""The notice that went nowhere for good."""


class FakeDeliveries:
    """What the notifier answers."""

    def __init__(self, there: Callable[[str], None]) -> None:
        self._there = there
        self.retried: list[str] = []
        self.replays: list[tuple[str | None, Body]] = []
        """Each replay that was not only counted, with its key."""
        refused = "refused: errcode 300005: token is not exist"
        made = [
            _delivery(0, "waiting", "buyers"),
            _delivery(1, "sent", "buyers", attempts=SENT),
            _delivery(2, "dead", "old", reason=refused, attempts=[BUSY, BAD_KEY]),
            _delivery(
                3,
                "failed",
                "boss",
                reason="450 mailbox busy",
                next_at=(NOW + timedelta(minutes=4)).isoformat(),
                attempts=[_attempt(1, "transient", "450", "450 mailbox busy", "【断货】燕麦奶 1L")],
                revision=2,
                kind="change",
            ),
            _delivery(4, "suppressed", None, reason="no_route"),
            _delivery(5, "suppressed", "buyers", reason="snoozed", kind="change", revision=2),
            _delivery(6, "merged", "buyers", digest_id=str(UUID(int=0x1000 + 7))),
            _delivery(
                7,
                "sent",
                "buyers",
                kind="digest",
                attempts=[
                    _attempt(1, "accepted", "0", "ok", "### 12 条预警汇总\n> 断货 3 · 紧急 9")
                ],
                alert_id=None,
                alert_number=None,
                revision=None,
            ),
            *(_delivery(8 + one, "sent", "boss", attempts=SENT) for one in range(4)),
        ]
        self.deliveries: dict[str, Body] = {one["id"]: one for one in made}
        to_supplier = _delivery(
            20,
            "dead",
            "boss",
            kind="order",
            alert_id=None,
            alert_number=None,
            order_id=ORDER,
            reason="refused: 550 no such mailbox",
            recipients={"refused": ["orders@green.example (550)"]},
            attempts=[_attempt(1, "permanent", "550", "550 no such mailbox")],
        )
        self.orders: dict[str, Body] = {to_supplier["id"]: to_supplier}
        """Mails of orders, which are listed for an order alone here."""
        self.router = APIRouter()
        self._routes()
        self._replaying()

    def _routes(self) -> None:
        router = self.router

        @router.get("/v1/deliveries")
        def deliveries(
            state: str = "", destination: str = "", alert_id: str = "", order_id: str = ""
        ) -> Body:
            self._there("notifier")
            items = [
                one | {"attempts": len(one["attempts"])}
                for one in (self.orders if order_id else self.deliveries).values()
                if order_id == one.get("order_id", "")
                and state in {"", one["state"]}
                and destination in {"", one["destination"]}
                and alert_id in {"", one["alert_id"]}
            ]
            return {"items": items, "next_cursor": None}

        @router.get("/v1/deliveries/summary")
        def summary() -> Body:
            self._there("notifier")
            counts: dict[str, int] = {}
            for one in self.deliveries.values():
                counts[one["state"]] = counts.get(one["state"], 0) + 1
            since = (NOW - timedelta(days=7)).isoformat()
            return {"since": since, "by_state": counts, "lag_records": 0}

        @router.get("/v1/deliveries/{delivery_id}")
        def delivery(delivery_id: str) -> Body:
            self._there("notifier")
            if delivery_id not in self.deliveries:
                raise HTTPException(404)
            return self.deliveries[delivery_id]

        @router.post("/v1/deliveries/{delivery_id}/retry")
        def retry(delivery_id: str) -> Body:
            self._there("notifier")
            self.retried.append(delivery_id)
            one = self.deliveries[delivery_id]
            one |= {"state": "sent", "reason": None, "sent_at": NOW.isoformat()}
            return one | {"attempts": len(one["attempts"])}

        @router.get("/v1/destinations")
        def destinations() -> Body:
            self._there("notifier")
            common = {"language": "zh-CN", "timezone": "Asia/Shanghai", "enabled": True}
            items = [common | one | {"enabled": one["id"] != "erp"} for one in DESTINATIONS]
            return {"items": items}

        @router.get("/v1/routes")
        def routes() -> Body:
            self._there("notifier")
            urgent = {"levels": ["out", "urgent"], "labels": {"team": "kitchen"}, "rules": []}
            items = [
                {"id": "a", "destination": "boss", "match": urgent, "enabled": True},
                {
                    "id": "b",
                    "destination": "old",
                    "match": {"rules": ["r1", "r2"]},
                    "enabled": True,
                },
            ]
            return {"items": items}

        @router.post("/v1/destinations/{destination}/test")
        def test(destination: str) -> Body:
            self._there("notifier")
            return _delivery(99, "sent", destination, kind="test") | {"attempts": 1}

    def _replaying(self) -> None:
        router = self.router

        @router.post("/v1/deliveries/replay")
        def replay(asked: Body, idempotency_key: Annotated[str | None, Header()] = None) -> Body:
            self._there("notifier")
            dead = [
                one
                for one in self.deliveries.values()
                if (one["state"], one["destination"]) == ("dead", asked["destination"])
            ]
            if not asked["dry_run"]:
                self.replays.append((idempotency_key, asked))
            numbers = {"replayed": len(dead), "superseded": 2, "untold": 1, "left": 0}
            return numbers | {"dry_run": asked["dry_run"], "found": len(dead) + 3}
