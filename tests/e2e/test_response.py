"""An alert's whole life: from the sale to the phone, from there to the shelf and the review."""

from collections.abc import AsyncIterator
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest_asyncio

from shared.clock import WallClock
from shared.testing.stack import Database, Stack
from shared.testing.waiting import until
from shared.testing.wecom_app import Shown
from tests.e2e.chain import BOSS, LIN, WAREHOUSE, Chain, whole_chain

CUPS = {"skus": ["CUP"]}
PARAMETERS = {
    "reorder_point": 20,
    "order_quantity": 100,
    "lead_time_days": 5,
    "unit_cost": "2.50",
    "price": "9.90",
    "stock_class": "A",
    "supplier": "ACME",
}
PROPOSED = 120
"""Reorder point and order quantity, of which nothing is there."""

PLAYBOOK: dict[str, Any] = {
    "name": {"zh-CN": "断货", "en": "Sold out"},
    "default_for": ["out"],
    "steps": [
        {
            "expects": "acknowledge",
            "within_minutes": 30,
            "late": [
                {"do": "remind"},
                {"do": "escalate", "after_minutes": 10, "to": [{"role": "manager"}]},
            ],
        },
        {"expects": "act", "within_minutes": 60},
    ],
}


@pytest_asyncio.fixture
async def chain(
    stack: Stack, database: Database, topics: str, tmp_path: Path
) -> AsyncIterator[Chain]:
    """Yield a shop with thirty cups, which LIN sees to."""
    # What is ordered must not have happened in the ledger's future, however far the clock moves.
    start = WallClock().now() - timedelta(hours=2)
    async with whole_chain(stack, database, topics, tmp_path, start) as chain:
        await chain.open_shop("CUP")
        await chain.staff()
        await chain.alerting.ask("PUT", "/v1/playbooks/sold-out", PLAYBOOK, HTTPStatus.CREATED)
        path = f"/v1/parameters?sku=CUP&warehouse={WAREHOUSE}"
        await chain.alerting.ask("PUT", path, PARAMETERS)
        await chain.rule("out", kind="stock_out", levels=[], pending_seconds=1, scope=CUPS)
        await chain.post({"type": "receipt", "sku": "CUP", "quantity": 30})
        await chain.settled()
        yield chain


async def cards(chain: Chain, person: str, number: int) -> list[Shown]:
    """Wait until somebody's phone shows so many messages; returns them."""

    async def shown() -> bool:
        return len(chain.phones.phones[person]) >= number

    await until(shown)
    found = chain.phones.phones[person]
    assert len(found) == number, [each.text for each in found]
    return found


async def reads(chain: Chain, person: str, words: str) -> None:
    """Wait until a phone says something, on a card or in a message."""

    async def said() -> bool:
        return any(words in each.text for each in chain.phones.phones[person])

    await until(said)


async def changed(card: Shown, times: int) -> None:
    """Wait until a card was changed so often."""

    async def said() -> bool:
        return card.changes >= times

    await until(said)


async def test_a_sold_out_shelf_is_filled_again(chain: Chain) -> None:
    await chain.post({"sku": "CUP", "quantity": 30})
    alert = await chain.alert("opened", sku="CUP")
    id_ = alert["id"]
    (first,) = await cards(chain, LIN, 1)
    assert first.keys == ["acknowledge", "false_alarm", f"ordered:{PROPOSED}", "snooze"]

    # Nobody reacts: the owner is reminded, then the manager is told.
    chain.later(minutes=31)
    _, reminder = await cards(chain, LIN, 2)
    assert not chain.phones.phones[BOSS]
    chain.later(minutes=10)
    (escalation,) = await cards(chain, BOSS, 1)

    # 接单: the card says who has taken it.
    chain.later(seconds=30)
    await chain.phones.press(chain.callback, LIN, "acknowledge")
    await chain.alert("acknowledged", id=id_)
    newest = chain.phones.phones[LIN][-1]
    # Both have a card of their own, and both see who has taken it on.
    for each in (newest, escalation):
        await changed(each, 1)
        assert "已接单 · Lin" in each.text
        assert "acknowledge" not in each.keys

    # 已下单: an order with its supply, which the ledger expects.
    await chain.phones.press(chain.callback, LIN, f"ordered:{PROPOSED}")
    await chain.alert("acted", id=id_)

    async def is_expected() -> bool:
        (action,) = (await chain.alerting.ask("GET", f"/v1/actions?alert_id={id_}"))["items"]
        return bool(action["state"] == "ordered" and action["is_incoming"])

    await until(is_expected)
    (action,) = (await chain.alerting.ask("GET", f"/v1/actions?alert_id={id_}"))["items"]
    assert action["quantity"] == PROPOSED

    # The same shortage by another rule: on the record, and nobody's phone.
    await chain.alerting.put_rule("low", scope=CUPS)
    covered = await chain.alert("opened", rule_id="low")
    assert [each["hush"]["by"] for each in covered["history"]] == ["covered"]
    again = await chain.alerting.client.post(
        f"/v1/alerts/{covered['id']}/actions", json={"kind": "buy", "quantity": 5}
    )
    assert (again.status_code, again.json()["type"].rpartition(":")[2]) == (409, "covered")

    # The goods arrive.
    await chain.post(
        {
            "type": "receipt",
            "sku": "CUP",
            "quantity": PROPOSED,
            "reference": action["reference"],
            "line": str(action["order"]["line"]),
        }
    )
    resolved = await chain.alert("resolved", id=id_)

    async def is_received() -> bool:
        (action,) = (await chain.alerting.ask("GET", f"/v1/actions?alert_id={id_}"))["items"]
        return bool(action["state"] == "received")

    await until(is_received)
    for person in (LIN, BOSS):
        await reads(chain, person, "已恢复")
    everything = "".join(each.text for phone in chain.phones.phones.values() for each in phone)
    assert f"#{alert['number']} " in everything
    assert f"#{covered['number']} " not in everything, "a covered shortage is no news"
    assert [each["event"] for each in resolved["history"]] == [
        "opened",
        "reminded",
        "escalated",
        "acknowledged",
        "acted",
        "acted",
        "resolved",
    ]
    assert chain.phones.rejected == {}
    assert not chain.phones.dropped

    chain.clock.set(WallClock().now() + timedelta(minutes=1))
    review = await chain.alerting.ask("GET", "/v1/review?by=owner")
    (by_owner,) = [each for each in review["groups"] if each["group"] == LIN]
    for figures in (review["total"], by_owner["figures"]):
        assert figures["escalations"] == 1
        assert 41 <= figures["to_acknowledge"]["median"] < 43
    assert reminder.task_id != escalation.task_id


async def test_a_false_alarm_asks_for_a_count(chain: Chain) -> None:
    await chain.post({"sku": "CUP", "quantity": 30})
    alert = await chain.alert("opened", sku="CUP")
    (card,) = await cards(chain, LIN, 1)
    await chain.phones.press(chain.callback, LIN, "false_alarm", option="reason:data_wrong")
    await chain.alert("feedback", id=alert["id"])
    await changed(card, 1)

    async def is_done() -> bool:
        found = await chain.alerting.ask("GET", f"/v1/actions?alert_id={alert['id']}")
        return [(each["kind"], each["state"]) for each in found["items"]] == [("count", "done")]

    await chain.post({"type": "count", "sku": "CUP", "quantity": 12})
    await until(is_done)
    await chain.alert("resolved", id=alert["id"])
    chain.clock.set(WallClock().now() + timedelta(minutes=1))
    review = await chain.alerting.ask("GET", "/v1/review")
    assert review["total"]["right"] == {"part": 0, "whole": 1}
