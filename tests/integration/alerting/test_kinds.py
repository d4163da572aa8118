"""Kinds that look at more than what is available, through storage and a new day."""

from datetime import timedelta

import pytest

from shared.testing.waiting import until
from tests.integration.alerting.service import NOON, Alerting

pytestmark = pytest.mark.stack

DAY = timedelta(days=1)


async def test_what_a_rule_looks_at_is_known_to_the_next_process(alerting: Alerting) -> None:
    """A rule made while nobody evaluates finds counts, flags and lines where they were kept."""
    line = {"quantity": 5, "due_at": NOON - 2 * DAY, "reference": "PO 7"}
    await alerting.tell(
        alerting.level(12, on_hand=-1, flags=["negative", "in_doubt"]),
        alerting.level(12, sku="B", supply=[line], incoming=5, counted_at=NOON - 40 * DAY),
    )
    async with alerting.consuming(clock="event"):
        await alerting.caught_up()
    await alerting.put_rule("negative", kind="negative", levels=[])
    await alerting.put_rule("overdue", kind="inbound_overdue", levels=[])
    doubts = {"flags": ["in_doubt"], "count_older_than_days": 30}
    await alerting.put_rule("doubt", kind="data_doubt", levels=[], doubts=doubts)
    async with alerting.consuming(clock="event"):

        async def all_open() -> bool:
            return len(await alerting.alerts()) == 4

        await until(all_open)
    found = {(each["rule"]["id"], each["sku"]) for each in await alerting.alerts()}
    assert found == {("negative", "A"), ("overdue", "B"), ("doubt", "A"), ("doubt", "B")}
    doubted = {each["sku"]: each["facts"]["doubts"] for each in await alerting.alerts(rule="doubt")}
    assert doubted == {
        "A": {"flags": ["in_doubt"], "count_days": None, "silent": []},
        "B": {"flags": [], "count_days": 40, "silent": []},
    }


async def test_a_line_becomes_overdue_as_days_pass_without_a_message(alerting: Alerting) -> None:
    await alerting.put_rule("overdue", kind="inbound_overdue", levels=[])
    line = {"quantity": 5, "due_at": NOON, "reference": "PO 7"}
    await alerting.tell(alerting.level(12, supply=[line], incoming=5))
    async with alerting.consuming(clock="event"):
        await alerting.caught_up()
        # A new rule asks for a look at all levels: once it has fired, this day's look is done.
        await alerting.put_rule("probe", levels=[{"level": "out", "enter": 1_000}])
        await until(lambda: _opened(alerting, "probe", ["A"]))
        assert await alerting.alerts(rule="overdue") == []
        await alerting.tell(alerting.level(50, sku="B", last_change_at=NOON + 2 * DAY))
        await until(lambda: _opened(alerting, "overdue", ["A"]))


async def test_a_filter_is_a_reason_not_a_dropped_evaluation(alerting: Alerting) -> None:
    await alerting.put_rule("low", filters={"covered_by_inbound": True})
    await alerting.tell(alerting.level(12, incoming=8), alerting.level(12, incoming=7, sku="B"))
    async with alerting.consuming():
        await alerting.caught_up()
    assert [each["sku"] for each in await alerting.alerts()] == ["B"]
    explained = await alerting.ask("GET", "/v1/explain?sku=A&warehouse=W")
    assert [each["reason"] for each in explained["rules"]] == ["covered_by_inbound"]


async def _opened(alerting: Alerting, rule: str, skus: list[str]) -> bool:
    return [each["sku"] for each in await alerting.alerts(rule=rule)] == skus
