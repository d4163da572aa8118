"""A report's whole way: from what is due, over the broker, into a mailbox and a chat."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from pydantic import SecretStr

from services.alerting.settings import AlertingSettings
from services.notifier.settings import SecretSettings
from services.notifier.wiring import consume as notifier_consume
from shared.clock import ManualClock
from shared.testing.stack import Database
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting, alerting_on
from tests.integration.alerting.service import running as role
from tests.integration.alerting.test_review import past
from tests.integration.notifier.service import Notifier
from tests.integration.notifier.service import running as notifier_on

pytestmark = pytest.mark.stack

SUNDAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(SUNDAY)


@pytest_asyncio.fixture
async def alerting(
    surroundings: dict[str, Any], database: Database, key: Path, clock: ManualClock
) -> AsyncIterator[Alerting]:
    settings = AlertingSettings(**surroundings, database_url=database.url("alerting"))
    async with alerting_on(settings, database, key, clock) as service:
        yield service


@pytest_asyncio.fixture
async def notifier(
    surroundings: dict[str, Any], database: Database, key: Path
) -> AsyncIterator[Notifier]:
    settings = SecretSettings(
        **surroundings,
        database_url=SecretStr(database.url("notifier")),
        secret_key=SecretStr(Fernet.generate_key().decode()),
        console_url="http://console.example",
    )
    async with notifier_on(settings, database, key) as service:
        yield service


async def schedule(alerting: Alerting, id_: str, **fields: object) -> None:
    body = {"kind": "weekly_review", "hour": 8, "timezone": "UTC", "destinations": ["post"]}
    await alerting.ask("PUT", f"/v1/report-schedules/{id_}", body | fields)


@asynccontextmanager
async def ticking(alerting: Alerting) -> AsyncIterator[None]:
    """Run two processes of `tick`."""
    async with alerting.relaying(), alerting.relaying():
        yield


async def runs(alerting: Alerting) -> list[tuple[str, str]]:
    rows = await alerting.rows("SELECT schedule, due_day::text FROM report_run ORDER BY 2, 1")
    return [(row["schedule"], row["due_day"]) for row in rows]


async def until_runs(alerting: Alerting, *expected: tuple[str, str]) -> None:
    """Wait until these runs are made and sent to the broker, and no others."""

    async def made() -> bool:
        # In this order: a report goes into the outbox with its run.
        are_made = await runs(alerting) == list(expected)
        return are_made and not await alerting.rows("SELECT 1 FROM report_outbox")

    await until(made)


async def test_a_weekly_review_arrives_once_from_two_processes_and_after_a_restart(
    alerting: Alerting, notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.mail()
    await notifier.bot("chat")
    await schedule(alerting, "week", destinations=["post", "chat", "gone"])
    await alerting.ask("PUT", "/v1/people/lin", {"name": "林晓"})
    for number, owner in enumerate(("lin", "wu"), 1):
        await past(alerting, number, owner, ("opened", -DAY, {}), owner=owner)
    async with (
        role(lambda stop: notifier_consume.run(notifier.settings, stop)),
        notifier.sending(),
    ):
        async with ticking(alerting):
            clock.advance(20 * HOUR)
            await until_runs(alerting, ("week", "2026-03-02"))
        async with ticking(alerting):
            clock.advance(HOUR)
            # The next day's brief says that the restarted processes have looked.
            await schedule(alerting, "brief", kind="daily_brief", hour=10)
            clock.advance(HOUR)
            await until_runs(alerting, ("brief", "2026-03-02"), ("week", "2026-03-02"))
        await notifier.until_states("sent", "sent", "suppressed", "sent")
    subjects = [str(mail.message["Subject"]) for mail in notifier.mailbox.mails]
    assert subjects == ["Review of alerts 2026-02-23 to 2026-03-02", "Stock brief 2026-03-02"]
    review = notifier.mailbox.mails[0]
    assert "Alerts: 2" in review.text
    lines = [line for line in review.text.splitlines() if line.startswith(("林晓", "lin", "wu"))]
    assert [line.partition(":")[0] for line in lines] == ["林晓", "wu"], review.text
    assert "<td" in review.html
    assert review.message["Auto-Submitted"] == "auto-generated"
    (chat,) = notifier.wecom.accepted
    assert "预警复盘周报 2026-02-23 至 2026-03-02" in chat.content
    (lost,) = await notifier.rows("SELECT reason FROM delivery WHERE state = 'suppressed'")
    assert lost["reason"] == "no_destination: gone"


async def test_after_an_outage_only_the_last_brief_is_made_and_none_from_before_the_schedule(
    alerting: Alerting, clock: ManualClock
) -> None:
    await schedule(alerting, "brief", kind="daily_brief", hour=8)
    await schedule(alerting, "witness", kind="daily_brief", hour=13)
    async with ticking(alerting):
        clock.advance(HOUR)
        await until_runs(alerting, ("witness", "2026-03-01"))
    clock.advance(4 * DAY)
    async with ticking(alerting):
        await until_runs(
            alerting,
            ("witness", "2026-03-01"),
            ("brief", "2026-03-05"),
            ("witness", "2026-03-05"),
        )


async def test_a_report_read_twice_is_one_delivery(
    alerting: Alerting, notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.mail()
    await schedule(alerting, "brief", kind="daily_brief", hour=13)
    async with role(lambda stop: notifier_consume.run(notifier.settings, stop)):
        # As after a crash between the broker's answer and the outbox.
        async with ticking(alerting):
            clock.advance(HOUR)
            await until_runs(alerting, ("brief", "2026-03-01"))
        await notifier.until_states("waiting")
        (stored,) = await notifier.rows("SELECT content FROM delivery")
        await alerting.rows(
            "INSERT INTO report_outbox (report_id, value, traceparent) "
            "SELECT report_id, $1, '' FROM report_run",
            stored["content"],
        )
        await schedule(alerting, "later", kind="daily_brief", hour=14)
        async with ticking(alerting):
            clock.advance(HOUR)
            await until_runs(alerting, ("brief", "2026-03-01"), ("later", "2026-03-01"))
        await notifier.until_states("waiting", "waiting")
