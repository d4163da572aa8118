"""Rules over products: how many of their options are in stock (断码)."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from services.alerting.domain.definition import RuleDefinition
from services.alerting.domain.draft import Announcement, Draft
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.memory import Territory
from services.alerting.domain.outcome import Reason
from services.alerting.domain.parameters import ParameterBook
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.sizing import Sizing
from services.alerting.domain.subject import Item
from services.alerting.settings import AlertingSettings
from services.alerting.store import acts, products
from shared.clock import WallClock
from shared.database.engine import create_engine
from shared.events.stock_levels import TOPIC, StockLevel
from shared.events.topics import TOPICS
from shared.kafka.partitions import partition_of
from shared.testing.waiting import until
from tests.integration.alerting.service import NOON, Alerting

pytestmark = pytest.mark.stack

RUN = {
    "kind": "broken_size_run",
    "subject": "product",
    "levels": [{"level": "watch", "enter": 0.6, "exit": 0.8}],
}


async def test_a_broken_size_run_is_one_alert_whoever_hears_of_its_options(
    alerting: Alerting,
) -> None:
    """The sizes lie in partitions of two consumers, and run out at the same moment.

    Then one consumer goes, what it knew is taken up by the other, and the last size comes back.
    """
    sizes = _in_partitions(4)
    out = (sizes[0], sizes[-1])
    await alerting.put_rule("run", **RUN)
    for sku in sizes:
        await alerting.name(sku, attributes={"product": "SHIRT"})
    await alerting.tell(*(_told(alerting, sku, 5) for sku in sizes))
    async with alerting.consuming():
        await alerting.caught_up()
        claims = await _claims(alerting)
        async with alerting.consuming():
            await until(lambda: _are_shared(alerting, claims))
            await alerting.tell(*(_told(alerting, sku, 0) for sku in out))
            await alerting.caught_up()
        (alert,) = await alerting.alerts()
        assert (alert["subject"], alert["sku"], alert["warehouse"]) == ("product", "SHIRT", "all")
        assert alert["facts"]["options"] == {
            "in_stock": 2,
            "all": 4,
            "out": [{"sku": sku, "name": f"Name of {sku}"} for sku in sorted(out)],
        }
        assert (alert["facts"]["available"], alert["facts"]["threshold"]) == (10, 0.6)
        assert (alert["sku_name"], alert["at_risk"]) == ("Name of SHIRT", None)
        explained = await _explained(alerting, sizes[1])
        assert (explained["product"], explained["measure"]) == ("SHIRT", 0.5)
        assert explained["alert"]["number"] == alert["number"]
        assert explained["words"]["en"].startswith("Product (all): 50% of the options are in stock")
        await alerting.tell(*(_told(alerting, sku, 3) for sku in out))
        await alerting.caught_up()
    assert await alerting.history(alert) == [("opened", "watch"), ("resolved", "watch")]
    assert await alerting.rows("SELECT FROM out_option") == []
    assert await alerting.rows("SELECT FROM condition") == []


async def test_an_edited_rule_and_a_changed_catalogue_judge_products_anew(
    alerting: Alerting,
) -> None:
    """What is out is known again after a restart, and an option more makes a smaller share."""
    await alerting.put_rule("run", **RUN)
    skus = _in_partitions(3)
    for sku in skus[:2]:
        await alerting.name(sku, attributes={"product": "SHIRT"})
    await alerting.tell(_told(alerting, skus[0], 0), _told(alerting, skus[1], 9))
    async with alerting.consuming():
        await alerting.caught_up()
    (alert,) = await alerting.alerts(state="open")
    async with alerting.consuming():
        await alerting.tell(_told(alerting, skus[1], 8))
        await alerting.caught_up()
        # Of which nobody has told a level: it is not out.
        for sku in ("more-1", "more-2", "more-3"):
            await alerting.name(sku, attributes={"product": "SHIRT"})
        await until(lambda: _is_resolved(alerting))
        await alerting.put_rule("run", **RUN | {"levels": [{"level": "urgent", "enter": 0.9}]})
        await until(lambda: _are_open(alerting, [("urgent", 4, 5)]))
        await alerting.put_rule("run", enabled=False, **RUN)
        await until(lambda: _are_open(alerting, []))
    assert len(await alerting.alerts()) == 2
    assert (await alerting.history(alert))[-1] == ("resolved", "watch")
    assert await alerting.rows("SELECT FROM out_option") == []


async def test_an_alert_says_what_its_missing_options_lose_and_reminds_with_the_numbers_of_now(
    alerting: Alerting, settings: AlertingSettings
) -> None:
    """One option has a price, of the other nobody knows what it sells; then more run out."""
    small, medium, large, huge = sizes = _in_partitions(4)
    scope = {"warehouses": ["W", "N"]}
    levels = [{"level": "watch", "enter": 0.6}, {"level": "urgent", "enter": 0.1}]
    await alerting.put_rule("run", **RUN | {"pool": "online", "scope": scope, "levels": levels})
    await alerting.ask("PUT", f"/v1/parameters?sku={small}", {"price": "9.90"})
    for sku in sizes:
        named = {"product": "SHIRT"} | ({"product_name": "T恤"} if sku == huge else {})
        await alerting.name(sku, attributes=named)
    await alerting.tell(*(_told(alerting, sku, 5) for sku in sizes))
    await alerting.tell(alerting.level(900, sku=large, warehouse="elsewhere"))
    async with alerting.consuming():
        await alerting.caught_up()
        await alerting.tell(_told(alerting, small, -3), _told(alerting, medium, 0))
        await alerting.caught_up()
        (alert,) = await alerting.alerts()
        assert alert["sku_name"] == "T恤"
        assert alert["at_risk"] == {"units": 3, "money": "29.70", "left_out": 1}
        assert alert["facts"]["available"] == 7
        await alerting.ask("POST", f"/v1/alerts/{alert['id']}/snooze", {"minutes": 5})
        await alerting.tell(_told(alerting, large, 0))
        await alerting.caught_up()
    engine = create_engine(settings.database_url.get_secret_value())
    async with engine.begin() as connection:
        assert await acts.remind(connection, WallClock().now() + timedelta(minutes=6), 10) == 1
    await engine.dispose()
    (reminded,) = await alerting.alerts()
    assert (reminded["level"], reminded["facts"]["available"]) == ("watch", 2)
    out = reminded["facts"]["options"]
    assert (out["in_stock"], out["all"]) == (1, 4)
    assert {each["name"] for each in out["out"]} == {f"Name of {sku}" for sku in sizes[:3]}
    assert reminded["at_risk"] == alert["at_risk"]


async def test_of_two_options_that_run_out_at_once_the_later_sees_both(
    alerting: Alerting, settings: AlertingSettings
) -> None:
    """Two transactions, each of one option: the second waits for the first and judges by both."""
    engine = create_engine(settings.database_url.get_secret_value())
    counted: Counter[tuple[RuleKind | None, Reason]] = Counter()
    async with engine.connect() as one, engine.connect() as other, asyncio.TaskGroup() as group:
        first = await products.judge(one, _ran_out(alerting, "SHIRT-0"), counted)
        second = group.create_task(products.judge(other, _ran_out(alerting, "SHIRT-1"), counted))
        await until(lambda: _is_waiting(alerting, second))
        assert not second.done()
        await one.commit()
        (opened,) = await second
        await other.commit()
    await engine.dispose()
    assert first == []
    assert opened.transition.facts.options is not None
    assert (opened.transition.facts.options.in_stock, opened.known) == (1, None)


def _ran_out(alerting: Alerting, sku: str) -> Sizing:
    """Return what a worker has to tell whose only option was in stock, and is no more."""
    definition = {"name": {"en": "Run"}} | RUN
    book = RuleBook(1, [RuleDefinition.model_validate(definition).rule("run", 1)])
    skus = [f"SHIRT-{number}" for number in range(3)]
    items = {each: Item(None, None, frozenset(), product="SHIRT") for each in skus}
    territories = {0: Territory()}

    def heard(available: int) -> Draft:
        draft = Draft(territories, book, items, ParameterBook(), products={"SHIRT": skus})
        draft.hear(0, alerting.level(available, sku=sku), NOON)
        draft.pool()
        draft.adopt()
        return draft

    heard(5)
    return heard(0).sizing


async def _is_waiting(alerting: Alerting, task: asyncio.Task[list[Announcement]]) -> bool:
    waiting = await alerting.rows("""
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
    """)
    return task.done() or bool(waiting)


def _in_partitions(count: int) -> list[str]:
    """Return SKUs, no two of them in one partition."""
    found: dict[int, str] = {}
    for number in range(1_000):
        sku = f"SHIRT-{number}"
        found.setdefault(partition_of(sku, TOPICS[TOPIC].partitions), sku)
    return [found[partition] for partition in sorted(found)][:: max(1, len(found) // count)][:count]


def _told(alerting: Alerting, sku: str, available: int) -> StockLevel:
    return alerting.level(available, sku=sku, last_change_at=WallClock().now())


async def _claims(alerting: Alerting) -> int:
    return int((await alerting.rows("SELECT sum(epoch) FROM consumer_position"))[0][0])


async def _are_shared(alerting: Alerting, before: int) -> bool:
    """Return whether another consumer has taken over partitions."""
    return await _claims(alerting) > before


async def _is_resolved(alerting: Alerting) -> bool:
    return await alerting.alerts(state="open") == []


async def _are_open(alerting: Alerting, expected: list[tuple[str, int, int]]) -> bool:
    """Return whether (level, in stock, all) are those of the open alerts."""
    return [
        (each["level"], each["facts"]["options"]["in_stock"], each["facts"]["options"]["all"])
        for each in await alerting.alerts(state="open")
    ] == expected


async def _explained(alerting: Alerting, sku: str) -> dict[str, Any]:
    answer = await alerting.ask("GET", f"/v1/explain?sku={sku}&warehouse=W")
    (rule,) = answer["rules"]
    explained: dict[str, Any] = rule
    return explained
