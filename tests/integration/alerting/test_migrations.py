"""What was stored before a migration is there, and right, after it."""

from importlib import import_module

import pytest

from shared.database import migrations
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack


async def once_more(alerting: Alerting, name: str) -> None:
    """Do a migration on what a test has put back to how it was before."""
    migration = import_module(f"services.alerting.store.migrations.versions.{name}")
    (now,) = await alerting.rows("SELECT version_num FROM schema_version")
    await alerting.rows("UPDATE schema_version SET version_num = $1", migration.down_revision)
    await migrations.upgrade(alerting.database.url("alerting"), "alerting", migration.revision)
    await alerting.rows("UPDATE schema_version SET version_num = $1", now["version_num"])


async def test_levels_known_before_their_first_day_was_kept_are_as_old_as_can_be_told(
    alerting: Alerting,
) -> None:
    await alerting.tell(*(alerting.level(12, sku=sku) for sku in ("A", "B")))
    async with alerting.consuming():
        await alerting.caught_up()
    await alerting.rows(
        "UPDATE known_level SET day = 20000, day_opening = 5, sold = '{1,2,3}' WHERE sku = 'B'"
    )
    await alerting.rows("UPDATE known_level SET day = 20000 WHERE sku = 'A'")
    await alerting.rows(
        "ALTER TABLE known_level DROP first_day, DROP counted_at, DROP flags, DROP supply"
    )
    await once_more(alerting, "0003_known_levels")
    found = await alerting.rows("SELECT first_day, flags, supply FROM known_level ORDER BY sku")
    assert [tuple(row) for row in found] == [(20_000, "", "[]"), (19_996, "", "[]")]
    await alerting.put_rule("low")
    async with alerting.consuming():

        async def both_open() -> bool:
            return len(await alerting.alerts()) == 2

        await until(both_open)


async def test_rows_of_the_table_from_before_there_were_groups_name_none(
    alerting: Alerting,
) -> None:
    await alerting.ask("PUT", "/v1/people/an", {"name": "An"})
    items = [{"warehouse": "W", "owner": "an"}, {"category": "cups", "owner": "an"}]
    table = await alerting.ask("PUT", "/v1/responsibilities", {"items": items})
    await alerting.rows("ALTER TABLE responsibility DROP warehouse_group")
    await alerting.rows(
        "ALTER TABLE responsibility ADD UNIQUE NULLS NOT DISTINCT (category, supplier, warehouse)"
    )
    await alerting.rows("DROP TABLE warehouse_group")
    await once_more(alerting, "0019_warehouse_groups")
    assert await alerting.ask("GET", "/v1/responsibilities") == table
    await alerting.ask(
        "PUT", "/v1/warehouse-groups/east", {"name": "East", "warehouses": ["W", "V"]}
    )
    more = {"items": [*table["items"], {"warehouse_group": "east", "owner": "an"}]}
    await alerting.ask("PUT", "/v1/responsibilities", more)


async def test_people_from_before_they_had_chat_ids_have_none(alerting: Alerting) -> None:
    an = await alerting.ask("PUT", "/v1/people/an", {"name": "An", "wecom_userid": "an"})
    await alerting.rows(
        "ALTER TABLE person DROP dingtalk_userid, DROP feishu_open_id, DROP slack_user_id"
    )
    await once_more(alerting, "0021_chat_ids")
    assert await alerting.ask("GET", "/v1/people/an") == an
