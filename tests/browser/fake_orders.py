"""Purchases and orders as alerting tells of them: one collected, some placed, one to approve."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Header, HTTPException, Response

from tests.browser.fake_actions import FakeActions, action
from tests.browser.fake_moment import NOW

OPEN, CONFIRMED = str(UUID(int=9_001)), str(UUID(int=9_002))
LINK = "https://suppliers.example/supplier/order?token=made-up"

_DAY = timedelta(days=1)


def line(number: int, state: str, order: str, **more: object) -> dict[str, Any]:
    """Return a purchase as alerting answers it; 144 units at 2.50 unless it is said."""
    of = UUID(order).int - 9_000 if order else 0
    place = {"id": order, "number": of, "line": number} if order else None
    quantity = more.get("quantity", 144)
    assert isinstance(quantity, int)
    given = {
        "alert_id": str(UUID(int=number)),
        "sku": f"SKU-100{number}",
        "sku_name": ["燕麦奶 1L 原味", "冷萃咖啡液 10 杯装", "有机小米 2.5kg"][number % 3],
        "warehouse": "hangzhou",
        "quantity": quantity,
        "unit_cost": "2.50",
        "cost": f"{quantity * 2.5:.2f}",
        "supplier": "green",
        "order": place,
        "days_covered": 12.6,
        "moq": 60,
        "pack_multiple": 24,
    }
    return action(100 + 10 * of + number, "buy", state, **given | more)


def order(number: int, state: str, lines: list[dict[str, Any]], **more: object) -> dict[str, Any]:
    """Return an order as alerting answers it; its sums follow from its lines."""
    states = [each["state"] for each in lines]
    return {
        "id": str(UUID(int=9_000 + number)),
        "number": number,
        "reference": f"LT-{number}",
        "state": state,
        "supplier": "green",
        "supplier_name": "绿源食品",
        "supplier_email": "orders@green.example",
        "minimum": "1500",
        "leaves_at": None,
        "opened_at": (NOW - 2 * _DAY).isoformat(),
        "placed_at": None if state == "open" else (NOW - 3 * _DAY).isoformat(),
        "placed_by": None if state == "open" else "lin",
        "link_opened_at": None,
        "confirmed_at": None,
        "lines": len(lines),
        "lines_by_state": {each: states.count(each) for each in states},
        "lines_late": sum(bool(each.get("is_late")) for each in lines),
        "money": f"{sum(float(each['cost']) for each in lines):.2f}",
        "lines_without_cost": 0,
        "sheet": "",
        "items": lines,
        "days_covered": 12.6,
        "by_mail": True,
        "mails": [],
    } | more


class FakeOrders:
    """Orders; `placed` has what pages placed, by whom, and with which key."""

    def __init__(self, there: Callable[[str], None], doing: FakeActions) -> None:
        self._there = there
        self._doing = doing
        self.placed: list[tuple[dict[str, Any], str | None, str | None]] = []
        odd = line(2, "approved", OPEN, quantity=50)
        collected = [line(1, "approved", OPEN), odd, line(3, "approved", OPEN)]
        due = (NOW + 5 * _DAY).isoformat()
        later = (NOW + 8 * _DAY).isoformat()
        told = [
            line(1, "ordered", CONFIRMED, confirmed_quantity=120, due_at=later, asked_due_at=due),
            line(2, "ordered", CONFIRMED, confirmed_quantity=144, due_at=due, asked_due_at=due),
            line(3, "received", CONFIRMED, confirmed_quantity=144, due_at=due, asked_due_at=due),
        ]
        told[1] |= {"is_incoming": True, "is_late": True}
        opened = (NOW - _DAY).isoformat()
        self.orders = [
            order(1, "open", collected, leaves_at=(NOW + _DAY).isoformat()),
            order(2, "confirmed", told, link_opened_at=opened, confirmed_at=opened),
        ]
        self.orders[1]["mails"] = [self._mail(0)]
        self.mailed: list[tuple[str | None, str | None]] = []
        doing.actions += [
            line(5, "proposed", "", requested_by="li", reason="周五要断货"),
            *collected,
        ]
        self.mailbox: str | None = None
        self.router = APIRouter()
        self._routes()
        self._choosing()

    def _routes(self) -> None:
        router = self.router

        @router.get("/v1/orders")
        def orders(state: str) -> dict[str, object]:
            self._there("alerting")
            self._drop_taken_out()
            found = [each for each in self.orders if (each["state"] == "open") is (state == "open")]
            return {"items": found, "next_cursor": None}

        @router.get("/v1/orders/{order_id}.xlsx")
        def sheet(order_id: str) -> Response:
            self._there("alerting")
            return Response(b"PK", media_type="application/octet-stream")

        @router.get("/v1/orders/{order_id}")
        def one(order_id: str) -> dict[str, Any]:
            self._there("alerting")
            for each in self.orders:
                if each["id"] == order_id:
                    return each | {"link": LINK if each["placed_at"] else None}
            raise HTTPException(404)

        @router.post("/v1/orders/{order_id}/place")
        def place(
            order_id: str,
            body: Annotated[dict[str, Any], Body()],
            lowtide_acting_for: Annotated[str | None, Header()] = None,
            idempotency_key: Annotated[str | None, Header()] = None,
        ) -> dict[str, Any]:
            self._there("alerting")
            (found,) = [each for each in self.orders if each["id"] == order_id]
            self.placed.append((body, lowtide_acting_for, idempotency_key))
            found |= {"state": "placed", "placed_at": NOW.isoformat(), "placed_by": "lin"}
            found |= {"leaves_at": None, "lines_by_state": {"ordered": found["lines"]}}
            for each in found["items"]:
                each["state"] = "ordered"
            return found

        @router.post("/v1/orders/{order_id}/mails", status_code=202)
        def mail(
            order_id: str,
            lowtide_acting_for: Annotated[str | None, Header()] = None,
            idempotency_key: Annotated[str | None, Header()] = None,
        ) -> dict[str, Any]:
            self._there("alerting")
            (found,) = [each for each in self.orders if each["id"] == order_id]
            self.mailed.append((lowtide_acting_for, idempotency_key))
            found["mails"].append(self._mail(len(self.mailed)))
            return found

    def _choosing(self) -> None:
        @self.router.get("/v1/order-destination")
        def chosen() -> dict[str, object]:
            self._there("alerting")
            return {"destination": self.mailbox, "chosen": self.mailbox}

        @self.router.put("/v1/order-destination")
        def choose(body: Annotated[dict[str, str], Body()]) -> dict[str, object]:
            self._there("alerting")
            self.mailbox = body["destination"]
            return chosen()

    def _mail(self, number: int) -> dict[str, Any]:
        return {
            "id": str(UUID(int=9_500 + number)),
            "address": "orders@green.example",
            "asked_at": NOW.isoformat(),
            "asked_by": "lin",
        }

    def _drop_taken_out(self) -> None:
        for each in self.orders:
            if each["state"] == "open":
                kept = [one for one in each["items"] if one["state"] != "cancelled"]
                each |= {"items": kept, "lines": len(kept)}
                each["money"] = f"{sum(float(one['cost']) for one in kept):.2f}"
