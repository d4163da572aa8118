"""Alerts over HTTP."""

from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from services.alerting.store import alerts, timers
from shared.database.engine import create_engine
from shared.http.auth import Scope
from shared.testing.stack import Database
from shared.testing.waiting import until
from tests.integration.alerting.service import NOON, Alerting, authorization

pytestmark = pytest.mark.stack


async def test_an_acknowledgement_is_kept_told_and_changes_nothing_when_repeated(
    alerting: Alerting,
) -> None:
    alert = await _opened(alerting)
    path = f"/v1/alerts/{alert['id']}/acknowledge"
    first = await alerting.ask("POST", path, {"note": "ordered"})
    assert (first["revision"], first["acknowledged_by"]) == (2, "buyer")
    assert await alerting.ask("POST", path) == first
    assert [(each["event"], each["actor"], each["note"]) for each in first["history"]] == [
        ("opened", None, None),
        ("acknowledged", "buyer", "ordered"),
    ]
    async with alerting.relaying():

        async def told() -> bool:
            return len(await alerting.notices()) == 2

        await until(told)
    notice = (await alerting.notices())[1]
    assert (notice.event, notice.revision, notice.note) == ("acknowledged", 2, "ordered")
    assert notice.acknowledged_by == "buyer"


async def test_an_acknowledged_alert_goes_on_with_the_next_revision(alerting: Alerting) -> None:
    alert = await _opened(alerting)
    await alerting.ask("POST", f"/v1/alerts/{alert['id']}/acknowledge")
    await alerting.tell(alerting.level(50))
    async with alerting.consuming():
        await alerting.caught_up()
    (alert,) = await alerting.alerts()
    assert [event for event, _ in await alerting.history(alert)] == [
        "opened",
        "acknowledged",
        "resolved",
    ]
    assert alert["acknowledged_by"] == "buyer"


async def test_a_resolved_alert_cannot_be_taken_on(alerting: Alerting) -> None:
    alert = await _opened(alerting)
    await alerting.tell(alerting.level(50))
    async with alerting.consuming():
        await alerting.caught_up()
    path = f"/v1/alerts/{alert['id']}/acknowledge"
    problem = await alerting.ask("POST", path, None, HTTPStatus.CONFLICT)
    assert problem["type"].endswith("already_resolved")


async def test_an_unknown_alert_is_not_found(alerting: Alerting) -> None:
    for method, path in (("GET", ""), ("POST", "/acknowledge")):
        await alerting.ask(method, f"/v1/alerts/{uuid4()}{path}", None, HTTPStatus.NOT_FOUND)


async def test_alerts_come_in_pages_the_newest_first_and_by_filter(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    await alerting.put_rule("out", kind="stock_out", levels=[])
    await alerting.tell(*(alerting.level(0, sku=sku, warehouse="W") for sku in "ABC"))
    await alerting.tell(alerting.level(50, sku="C"))
    async with alerting.consuming():
        await alerting.caught_up()
    first = await alerting.ask("GET", "/v1/alerts?limit=3")
    second = await alerting.ask("GET", f"/v1/alerts?limit=3&cursor={first['next_cursor']}")
    numbers = [each["number"] for each in first["items"] + second["items"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 4
    assert second["next_cursor"] is None
    for query, count in (
        ({"state": "resolved"}, 2),
        ({"rule": "out"}, 3),
        ({"level": "out", "state": "open"}, 2),
        ({"sku": "A"}, 2),
        ({"warehouse": "V"}, 0),
    ):
        assert len(await alerting.alerts(**query)) == count, query


async def test_the_summary_counts_open_and_opened_alerts_by_level(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    await alerting.put_rule("out", kind="stock_out", levels=[])
    await alerting.tell(*(alerting.level(0, sku=sku) for sku in "ABC"))
    await alerting.tell(alerting.level(50, sku="C"))
    async with alerting.consuming():
        await alerting.caught_up()
    assert await alerting.ask("GET", "/v1/alerts/summary") == {
        "open": {"watch": 2, "urgent": 0, "out": 2},
        "unowned": 4,
        "overdue": 0,
        "escalated": 0,
        "outbox": 8,
        "lag_records": 0,
        "behind_seconds": 0.0,
    }
    assert await alerting.ask("GET", "/v1/alerts/totals") == {
        "opened": {"watch": 3, "urgent": 0, "out": 3},
        "episodes": 6,
        "resolved": 2,
        "retracted": 0,
        "subjects": 3,
    }


async def test_the_summary_reads_no_alert_that_has_ended(
    alerting: Alerting, database: Database
) -> None:
    await alerting.rows(
        """
        INSERT INTO alert (id, number, revision, rule_id, subject_kind, sku, warehouse, level, rule,
                           labels, facts, opened_at, resolved_at)
        SELECT uuidv7(), n, 1, 'low', 'level', 'S' || n, 'W', 'watch', '{}', '{}', '{}', now(),
               now()
        FROM generate_series(1, 20000) AS n
        """
    )
    await alerting.rows(
        """
        INSERT INTO alert_history (alert_id, revision, event, level, facts, occurred_at,
                                   recorded_at)
        SELECT id, 1, 'opened', 'watch', '{}', now(), now() FROM alert
        """
    )
    await alerting.rows("ANALYZE alert, alert_history")
    engine = create_engine(database.url("alerting"))
    scans = "SELECT relname, seq_scan FROM pg_stat_xact_user_tables ORDER BY relname"
    async with engine.begin() as connection:
        before = {row.relname: row.seq_scan for row in await connection.execute(text(scans))}
        await alerts.standing(connection)
        await timers.counts(connection, NOON)
        after = {row.relname: row.seq_scan for row in await connection.execute(text(scans))}
    await engine.dispose()
    read = {name for name, count in after.items() if count > before[name]}
    assert not read & {"alert", "alert_history"}


async def test_reading_and_writing_need_their_scopes(alerting: Alerting, key: Path) -> None:
    reading = authorization(key, Scope.ALERTS_READ)
    for headers, method, path, status in (
        ({"Authorization": ""}, "GET", "/v1/alerts", HTTPStatus.UNAUTHORIZED),
        (authorization(key, Scope.STOCK_READ), "GET", "/v1/alerts", HTTPStatus.FORBIDDEN),
        (reading, "POST", f"/v1/alerts/{uuid4()}/acknowledge", HTTPStatus.FORBIDDEN),
        (reading, "DELETE", "/v1/rules/low", HTTPStatus.FORBIDDEN),
        (reading, "GET", "/v1/rules", HTTPStatus.OK),
    ):
        answer = await alerting.client.request(method, path, headers=headers)
        assert answer.status_code == status, (method, path)


async def _opened(alerting: Alerting) -> dict[str, object]:
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
    (alert,) = await alerting.alerts()
    return alert
