"""A shortage of a level that people were told is in doubt, by a clock that a test holds."""

from datetime import datetime, timedelta

import pytest

from tests.integration.alerting.shop import Shop, monday

pytestmark = pytest.mark.stack


async def test_a_mistyped_sale_is_told_as_a_doubt_until_it_is_counted(shop: Shop) -> None:
    """Of the level and of its pool, through a restart in between, and `/v1/explain` says why."""
    alerting = shop.alerting
    await alerting.put_rule("low")
    await alerting.put_rule("pool", subject="pool")
    doubts = {"kind": "data_doubt", "levels": [{"level": "watch"}]}
    assert "unusual" in (await alerting.put_rule("doubt", **doubts))["doubts"]["flags"]
    await shop.turn()
    await shop.hear(50)
    await shop.hear(-4950, flags=["unusual"])
    assert [each["rule"]["id"] for each in await alerting.alerts()] == ["doubt"]
    await shop.restart()
    await shop.turn()
    said = await alerting.ask("GET", "/v1/explain?sku=A&warehouse=W")
    waiting = {each["rule"]["id"]: each for each in said["rules"]}
    for rule in ("low", "pool"):
        assert waiting[rule]["reason"] == "data_in_doubt"
        due = datetime.fromisoformat(waiting[rule]["condition"]["due_at"])
        assert due == monday(7) + timedelta(days=1)
        assert "盘点" in waiting[rule]["words"]["zh-CN"]
        assert "unusually large" in waiting[rule]["words"]["en"]
    await shop.hear(-4950)
    opened = {each["rule"]["id"] for each in await alerting.alerts(state="open")}
    assert opened == {"low", "pool"}
