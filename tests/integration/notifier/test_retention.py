"""What is over is forgotten in time, and what there is does not slow down what is looked at."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.__main__ import _forget
from services.notifier.sending.forgetting import Forgetting
from services.notifier.store import digests, listing, retention
from services.notifier.store.retention import Forgotten
from services.notifier.wiring import send
from shared import daily
from shared.clock import ManualClock, WallClock
from shared.testing.waiting import until
from shared.testing.wecom_app import FakeWecomApp
from tests.factories.stock_alerts import stock_alert
from tests.integration.notifier.service import KEY, Notifier

pytestmark = pytest.mark.stack


async def numbers(notifier: Notifier) -> list[tuple[int | None, str, str]]:
    rows = await notifier.rows("SELECT alert_number, kind, state FROM delivery ORDER BY id")
    return [(row["alert_number"], row["kind"], row["state"]) for row in rows]


async def test_what_is_over_is_forgotten_with_all_that_belongs_to_it(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of these, one after the other: a portion may end anywhere."""
    monkeypatch.setattr(retention, "AT_ONCE", 1)
    fake = FakeWecomApp(("zhangsan",))
    async with fake.serving() as url, notifier.sending():
        await notifier.bot()
        await notifier.application(fake, url)
        await notifier.tell(stock_alert(1), stock_alert(2))
        await notifier.until_settled()
        await notifier.tell(stock_alert(1, revision=2, event="resolved"))
        await notifier.ask("POST", "/v1/destinations/buyers/test")
        await notifier.until_settled()
        before = WallClock().now()
        await notifier.tell(stock_alert(3))
        await notifier.until_settled()
        await notifier.tell(stock_alert(3, revision=2, event="resolved"))
        await notifier.until_settled()
        assert await retention.forget(notifier.engine, before - timedelta(hours=1)) == (0, 0)
        assert await retention.forget(notifier.engine, before) == (5, 0)
        left = {number for number, _, _ in await numbers(notifier)}
        assert left == {2, 3}
        (orphans,) = await notifier.rows(
            """SELECT count(*) FROM attempt AS a LEFT JOIN delivery AS d ON d.id = a.delivery
               WHERE d.id IS NULL"""
        )
        assert orphans["count"] == 0
        # Whoever was told goes on to be told, and what is read once more is no news.
        await notifier.tell(stock_alert(2), stock_alert(2, revision=2, event="resolved"))
        await notifier.until_settled()
    assert [state for number, _, state in await numbers(notifier) if number == 2] == ["sent"] * 4
    assert "已恢复" in notifier.wecom.of(KEY)[-1].content


async def test_what_is_still_to_be_sent_is_kept_and_a_digest_while_anything_of_it_is(
    notifier: Notifier,
) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(1), stock_alert(2))
    now = WallClock().now()
    async with notifier.engine.begin() as connection:
        await digests.merge(connection, "buyers", now)
    await notifier.rows("UPDATE delivery SET state = 'sent' WHERE kind = 'digest'")
    for number in (1, 2):
        await notifier.tell(stock_alert(number, revision=2, event="resolved"))
    await notifier.rows(
        "UPDATE delivery SET state = 'sent' WHERE alert_number = 2 AND revision = 2"
    )
    later = now + timedelta(days=1)
    assert await retention.forget(notifier.engine, later) == (2, 0)
    kept = [(1, "first", "merged"), (None, "digest", "sent"), (1, "change", "waiting")]
    assert await numbers(notifier) == kept
    await notifier.rows(
        "UPDATE delivery SET state = 'sent' WHERE alert_number = 1 AND revision = 2"
    )
    # A digest goes with the run after that with which the last of it went.
    assert await retention.forget(notifier.engine, later) == (2, 0)
    assert await retention.forget(notifier.engine, later) == (1, 0)


async def test_answers_are_forgotten_by_their_age(
    notifier: Notifier, capsys: pytest.CaptureFixture[str]
) -> None:
    await notifier.bot()
    for days in (1, 3):
        await notifier.rows(
            """INSERT INTO response VALUES (gen_random_uuid(), 'buyers', gen_random_uuid(), 'wecom',
                   'lin', 't', 'acknowledge', $1, $1)""",
            WallClock().now() - timedelta(days=days),
        )
    before = WallClock().now() - timedelta(days=2)
    assert await retention.forget(notifier.engine, before) == Forgotten(0, 1)
    for days in (0, 400):
        assert await _forget(notifier.settings, WallClock().now() + timedelta(days=days)) == 0
    lines = capsys.readouterr().out.splitlines()
    first, second = (line for line in lines if line.startswith("forgotten"))
    assert first.endswith("0 deliveries, 0 responses")
    assert second.endswith("0 deliveries, 1 responses")


async def test_what_is_over_goes_by_itself_once_a_day_where_that_is_wanted(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    look = Forgetting.look

    async def counted(self: Forgetting) -> None:
        nonlocal looks
        await look(self)
        looks += 1

    monkeypatch.setattr(Forgetting, "look", counted)
    monkeypatch.setattr(daily, "LOOK_SECONDS", 0.05)
    now = WallClock().now()
    clock = ManualClock(now)
    await notifier.bot()

    async def answered(days: int) -> None:
        await notifier.rows(
            """INSERT INTO response VALUES (gen_random_uuid(), 'buyers', gen_random_uuid(), 'wecom',
                   'lin', 't', 'acknowledge', $1, $1)""",
            now - timedelta(days=days),
        )

    async def left() -> int:
        (row,) = await notifier.rows("SELECT count(*) FROM response")
        return int(row["count"])

    async def until_looked(times: int) -> None:
        enough = looks + times

        async def looked() -> bool:
            return looks >= enough

        await until(looked)

    for days in (399, 401):
        await answered(days)
    settings = notifier.settings.model_copy(update={"notifier_forget_daily": True})
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(send.run(settings, stop, clock))
        await until_looked(1)
        assert await left() == 1
        await answered(401)
        await until_looked(2)
        assert await left() == 2
        clock.advance(timedelta(days=1))
        await until_looked(2)
        assert await left() == 1
        stop.set()


_MANY = """
INSERT INTO delivery (id, kind, alert_id, alert_number, revision, event, level, destination, state,
                      priority, content, recorded_at)
SELECT uuidv7(make_interval(secs => 400 * (n - 30000))), 'first', gen_random_uuid(), n, 1, 'opened',
       'out', CASE WHEN n % 1000 = 0 THEN 'boss' ELSE 'buyers' END,
       CASE WHEN n % 3000 = 0 THEN 'dead' ELSE 'sent' END, 10, '{}', now()
FROM generate_series(1, 30000) AS n
"""

_READ = text("""
SELECT seq_scan, seq_tup_read + idx_tup_fetch AS rows
FROM pg_stat_xact_user_tables WHERE relname = 'delivery'
""")


async def test_a_look_does_not_read_all_there_is(notifier: Notifier) -> None:
    """30,000 deliveries in 139 days, of which 1,512 are of the last seven."""
    await notifier.bot()
    await notifier.bot("boss", "77aa2a1c-6a5e-4f43-9f0a-6a0d5d6f7e22")
    await notifier.rows(_MANY)
    await notifier.rows("VACUUM ANALYZE delivery")
    since = WallClock().now() - timedelta(days=7)

    async def look(connection: AsyncConnection) -> int:
        return sum(each.amount for each in await listing.tally(connection, since))

    async def of_boss(connection: AsyncConnection) -> int:
        nothing = dict.fromkeys(("state", "kind", "alert_id", "digest_id", "order_id", "before"))
        found = await listing.page(connection, destination="boss", limit=20, **nothing)
        return len(found)

    looks: list[tuple[Callable[[AsyncConnection], Awaitable[int]], range]] = [
        (look, range(1_510, 1_530)),
        (of_boss, range(20, 21)),
    ]
    for each, expected in looks:
        async with notifier.engine.connect() as connection:
            # A statement that is prepared may be planned otherwise from the sixth time on.
            for _ in range(8):
                async with connection.begin():
                    assert await each(connection) in expected
                    scans, rows = (await connection.execute(_READ)).one()
                    assert (scans, rows < 5_000) == (0, True), rows
