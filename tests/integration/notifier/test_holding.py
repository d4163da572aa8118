"""What waits on purpose: gathered by owner and supplier, in quiet hours, until a digest's hour."""

import asyncio
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

import pytest

from services.notifier.domain.deliveries import Kind, State
from services.notifier.inbound.stock_alerts import Incoming
from services.notifier.pipeline import decide
from services.notifier.store import configuration, digests, intake
from shared.clock import ManualClock
from shared.events.stock_alerts import StockAlert
from shared.testing.vendor import Fault
from shared.testing.waiting import until
from tests.factories.stock_alerts import START, stock_alert
from tests.integration.notifier.service import KEY, Notifier, Row

pytestmark = pytest.mark.stack

BY = START + timedelta(minutes=5)
NIGHT: Row = {"from": "22:00", "to": "07:30", "zone": "UTC"}


@pytest.fixture
def clock(notifier: Notifier) -> ManualClock:
    clock = ManualClock(START)
    notifier.clock = clock
    return clock


def gathered(number: int, why: str = "same_owner", **fields: object) -> StockAlert:
    """Return an opening that is told with others of lin's from one supplier."""
    gather = {"key": f"{why}|1", "by": BY.isoformat(), "why": why}
    told = {"level": "urgent", "owner": "lin", "names": {"lin": "林"}, "supplier": "杯厂"}
    return stock_alert(number, **(told | {"gather": gather} | fields))


async def pass_time(notifier: Notifier, clock: ManualClock, by: timedelta) -> None:
    """Let time pass and the senders look."""
    clock.advance(by)
    await notifier.rows("SELECT pg_notify('notifier_waiting', '*')")


async def messages(notifier: Notifier, count: int) -> list[str]:
    """Wait for so many messages in the group; return them, and that there are no more."""

    async def arrived() -> bool:
        return len(notifier.wecom.of(KEY)) >= count

    await until(arrived)
    return [message.content for message in notifier.wecom.of(KEY)]


async def test_what_is_gathered_is_one_message_when_its_time_has_come(
    notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.bot()
    risks = {1: "10", 2: None, 3: "2000"}
    opened = [
        gathered(number, at_risk=None if money is None else {"units": 1, "money": money})
        for number, money in risks.items()
    ]
    async with notifier.sending():
        await notifier.tell(*opened, stock_alert(4))
        (at_once,) = await messages(notifier, 1)
        assert "#4 " in at_once
        waiting = (await notifier.ask("GET", "/v1/deliveries?state=waiting"))["items"]
        assert isinstance(waiting, list)
        assert {(each["held_for"], each["not_before"]) for each in waiting} == {
            ("same_owner", BY.isoformat().replace("+00:00", "Z"))
        }
        await pass_time(notifier, clock, timedelta(minutes=5))
        _, digest = await messages(notifier, 2)
        await notifier.until_settled()
    assert "3 个库存预警 · 负责人 林 · 供应商 杯厂" in digest
    assert [digest.index(f"#{number} ") for number in (3, 1, 2)] == sorted(
        digest.index(f"#{number} ") for number in (1, 2, 3)
    )
    assert await notifier.states(kind="first") == ["merged", "merged", "merged", "sent"]
    assert len(notifier.wecom.of(KEY)) == 2


async def test_what_is_gathered_alone_is_a_card_and_what_was_known_is_a_summary(
    notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.bot()
    async with notifier.sending():
        await notifier.tell(gathered(1), gathered(2, "first_import"))
        await pass_time(notifier, clock, timedelta(minutes=5))
        told = await messages(notifier, 2)
        await notifier.until_settled()
    assert sorted("已知 1 项，首次导入" in each for each in told) == [False, True]
    assert sorted("【紧急】#1 " in each for each in told) == [False, True]


async def test_what_gets_worse_while_it_waits_is_told_at_once_and_once(
    notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.bot()
    async with notifier.sending():
        await notifier.tell(gathered(1), gathered(2))
        worse = stock_alert(1, revision=2, event="level_changed", previous_level="urgent")
        await notifier.tell(worse)
        (pulled_out,) = await messages(notifier, 1)
        assert "#1 " in pulled_out
        await pass_time(notifier, clock, timedelta(minutes=5))
        _, rest = await messages(notifier, 2)
        await notifier.until_settled()
    assert "#2 " in rest
    assert "#1 " not in rest
    assert await notifier.states(alert_id=worse.alert_id) == ["superseded", "sent"]


REQUEST = stock_alert(
    1,
    revision=2,
    event="acted",
    level="urgent",
    action={"id": UUID(int=1), "kind": "buy", "state": "proposed", "quantity": 500},
)


async def test_a_request_for_an_approval_passes_what_waits_for_the_owner(
    notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.bot()
    async with notifier.sending():
        await notifier.tell(gathered(1), gathered(2))
        await notifier.tell(REQUEST)
        (asked,) = await messages(notifier, 1)
        assert "【待批准】#1 " in asked
        await notifier.until_states("waiting", "sent", alert_id=REQUEST.alert_id)
        await pass_time(notifier, clock, timedelta(minutes=5))
        _, together = await messages(notifier, 2)
        await notifier.until_settled()
    assert "#1 " in together
    assert "#2 " in together


async def test_whoever_was_asked_beside_what_waits_hears_of_the_end(
    notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.bot()
    async with notifier.sending():
        await notifier.tell(gathered(1), gathered(2))
        await notifier.tell(REQUEST)
        await messages(notifier, 1)
        await notifier.tell(stock_alert(1, revision=3, event="resolved", level="urgent"))
        _, end = await messages(notifier, 2)
        await pass_time(notifier, clock, timedelta(minutes=5))
        *_, other = await messages(notifier, 3)
        await notifier.until_settled()
    assert "【已恢复】#1 " in end
    assert "#2 " in other
    assert "#1 " not in other
    assert await notifier.states(alert_id=REQUEST.alert_id) == ["suppressed", "sent", "sent"]


async def test_what_is_over_before_it_was_to_be_told_is_told_of_in_no_way(
    notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.bot()
    async with notifier.sending():
        await notifier.tell(gathered(1), gathered(2))
        ended = stock_alert(1, revision=2, event="resolved", level="urgent")
        await notifier.tell(ended)
        await pass_time(notifier, clock, timedelta(minutes=5))
        (told,) = await messages(notifier, 1)
        await notifier.until_settled()
    assert "#1 " not in told
    rows = await notifier.rows(
        "SELECT state, reason FROM delivery WHERE alert_id = $1 ORDER BY id", ended.alert_id
    )
    assert [tuple(row) for row in rows] == [("suppressed", "ended_untold")] * 2


async def test_what_was_told_together_ends_by_itself(
    notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.bot()
    async with notifier.sending():
        await notifier.tell(gathered(1), gathered(2))
        await pass_time(notifier, clock, timedelta(minutes=5))
        await messages(notifier, 1)
        await notifier.tell(stock_alert(1, revision=2, event="resolved", level="urgent"))
        _, end = await messages(notifier, 2)
    assert "已恢复" in end


async def test_an_end_waits_for_the_digest_that_has_the_beginning(
    notifier: Notifier, clock: ManualClock
) -> None:
    """Though the vendor refuses that at first: whoever hears of an end has heard of the rest."""
    await notifier.bot()
    notifier.wecom.order(Fault.ERRCODE, times=1)
    await notifier.tell(gathered(1), gathered(2))
    clock.advance(timedelta(minutes=5))
    async with notifier.sending():
        await notifier.until_states("failed", kind="digest")
        ended = gathered(1, revision=2, event="resolved", gather=None)
        risen = gathered(2, revision=2, event="level_changed", previous_level="watch", gather=None)
        await notifier.tell(ended, risen)
        await pass_time(notifier, clock, timedelta(minutes=5))
        digest, *_ = await messages(notifier, 3)
        await notifier.until_settled()
    assert "2 个库存预警" in digest


async def test_a_change_comes_in_the_place_of_what_waits_or_after_it_was_sent_never_both(
    notifier: Notifier, clock: ManualClock
) -> None:
    """The consumer decides while a sender is about to take up what waits."""
    await notifier.bot()
    await notifier.tell(gathered(1), gathered(2))
    clock.advance(timedelta(minutes=5))
    worse = stock_alert(1, revision=2, event="level_changed", previous_level="urgent")
    async with notifier.engine.begin() as consumer, asyncio.TaskGroup() as group:
        known = await intake.known(consumer, [worse.alert_id])

        async def merge() -> digests.Merged | None:
            async with notifier.engine.begin() as sender:
                return await digests.merge(sender, "buyers", clock.now(), "same_owner|1")

        merging = group.create_task(merge())

        async def blocked() -> bool:
            return bool(
                await notifier.rows(
                    """SELECT 1 FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'"""
                )
            )

        await until(blocked)
        table = await configuration.routing_table(consumer)
        rows = decide([Incoming(worse, None)], table, known, clock.now())
        await intake.record(consumer, rows)
        await intake.withdraw_held(consumer, [row.delivery for row in rows])
        await consumer.commit()
        merged = await merging
    assert [(row.delivery.kind, row.delivery.state) for row in rows] == [
        (Kind.FIRST, State.WAITING)
    ]
    assert merged is not None
    assert (merged.firsts, merged.changes) == (1, 0)


async def test_quiet_hours_hold_all_but_stock_outs_until_they_end(
    notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.bot(quiet_hours=NIGHT)
    clock.set(START.replace(hour=23))
    async with notifier.sending():
        await notifier.tell(
            stock_alert(1, level="urgent"), stock_alert(2, level="watch"), stock_alert(3)
        )
        (passed,) = await messages(notifier, 1)
        assert "#3 " in passed
        await notifier.tell(stock_alert(3, revision=2, event="resolved", level="watch"))
        await pass_time(notifier, clock, timedelta(hours=8, minutes=30))
        _, digest = await messages(notifier, 2)
        await notifier.until_settled()
    assert "3 个库存预警，免打扰时段" in digest
    assert "已恢复" in digest
    assert len(notifier.wecom.of(KEY)) == 2


async def test_what_passes_quiet_hours_takes_along_what_it_would_wait_for(
    notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.bot(quiet_hours=NIGHT)
    async with notifier.sending():
        await notifier.tell(stock_alert(1, level="urgent"))
        await messages(notifier, 1)
        clock.set(START.replace(hour=23))
        await notifier.tell(stock_alert(1, revision=2, event="escalated", level="urgent"))
        await notifier.until_states("sent", "waiting")
        worse = {"event": "level_changed", "previous_level": "urgent"}
        await notifier.tell(stock_alert(1, revision=3, **worse))
        _, escalated, out = await messages(notifier, 3)
        await notifier.until_settled()
    assert "升级" in escalated
    assert "紧急 → 断货" in out


async def test_what_passes_quiet_hours_is_not_held_by_a_request_beside_what_it_replaces(
    notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.bot(quiet_hours=NIGHT)
    clock.set(START.replace(hour=23))
    async with notifier.sending():
        await notifier.tell(stock_alert(1, level="urgent"), REQUEST)
        await notifier.until_states("waiting", "waiting")
        worse = {"event": "level_changed", "previous_level": "urgent"}
        await notifier.tell(stock_alert(1, revision=3, **worse))
        asked, out = await messages(notifier, 2)
        await notifier.until_settled()
    assert "【待批准】#1 " in asked
    assert "断货】#1 " in out
    assert await notifier.states(alert_id=REQUEST.alert_id) == ["superseded", "sent", "sent"]


async def test_a_request_by_which_a_destination_hears_first_gives_way_to_nothing(
    notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.bot(quiet_hours=NIGHT)
    clock.set(START.replace(hour=23))
    async with notifier.sending():
        hush = {"by": "budget"}
        await notifier.tell(stock_alert(1, level="urgent", hush=hush), REQUEST)
        await notifier.until_states("suppressed", "waiting")
        seen = {"revision": 3, "event": "acknowledged", "level": "urgent", "state": "acknowledged"}
        await notifier.tell(stock_alert(1, **seen))
        await pass_time(notifier, clock, timedelta(hours=8, minutes=30))
        await notifier.until_settled()
    assert "#1 " in (await messages(notifier, 1))[0]
    (request,) = await notifier.rows("SELECT state FROM delivery WHERE revision = 2")
    assert request["state"] in {"sent", "merged"}


async def test_what_was_done_before_it_was_told_and_is_over_is_told_of_in_no_way(
    notifier: Notifier, clock: ManualClock
) -> None:
    await notifier.bot(quiet_hours=NIGHT)
    clock.set(START.replace(hour=23))
    bought = {"id": UUID(int=1), "kind": "buy", "state": "approved", "quantity": 5}
    done = stock_alert(1, revision=2, event="acted", level="urgent", action=bought)
    async with notifier.sending():
        await notifier.tell(stock_alert(1, level="urgent"))
        await notifier.tell(done)
        await notifier.tell(stock_alert(1, revision=3, event="resolved", level="urgent"))
        await pass_time(notifier, clock, timedelta(hours=8, minutes=30))
        await notifier.until_settled()
    states = await notifier.states(alert_id=done.alert_id)
    assert states == ["superseded", "suppressed", "suppressed"]
    assert notifier.wecom.of(KEY) == []


async def test_a_daily_digest_is_one_message_a_day(notifier: Notifier, clock: ManualClock) -> None:
    await notifier.bot(digest={"every": "daily", "at": "09:00", "zone": "UTC"})
    async with notifier.sending():
        await notifier.tell(stock_alert(1), stock_alert(2, level="watch"))
        await pass_time(notifier, clock, timedelta(minutes=59))
        await notifier.tell(stock_alert(3))
        await pass_time(notifier, clock, timedelta(minutes=1))
        (digest,) = await messages(notifier, 1)
        await notifier.until_settled()
    assert "3 个库存预警，定时汇总" in digest


async def test_how_a_destination_wants_to_be_told_is_shown_as_it_was_put(
    notifier: Notifier,
) -> None:
    await notifier.bot(quiet_hours=NIGHT, digest={"every": "hourly"}, timezone="Europe/Berlin")
    shown = await notifier.ask("GET", "/v1/destinations/buyers")
    assert shown["quiet_hours"] == {
        "from": "22:00",
        "to": "07:30",
        "zone": "UTC",
        "days": [1, 2, 3, 4, 5, 6, 7],
        "levels": ["out"],
    }
    assert shown["digest"] == {"every": "hourly", "at": "09:00", "zone": "Europe/Berlin"}


@pytest.mark.parametrize(
    "manners",
    [
        {"quiet_hours": {"from": "22:00", "to": "22:00"}},
        {"quiet_hours": {"from": "22:00+08:00", "to": "07:00"}},
        {"quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Moon"}},
        {"digest": {"every": "weekly"}},
    ],
)
async def test_quiet_hours_that_say_no_times_are_refused(notifier: Notifier, manners: Row) -> None:
    bot: Row = {"key": KEY, "url": notifier.wecom_url}
    body: Row = {"kind": "wecom_bot", "name": "B", "language": "en", "wecom_bot": bot}
    answer = await notifier.client.put("/v1/destinations/b", json=body | manners)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, answer.text


async def test_a_program_has_no_quiet_hours(notifier: Notifier) -> None:
    webhook = {"url": "https://erp.example/hooks", "secret": "whsec_" + "A" * 32}
    body = {
        "kind": "webhook",
        "name": "ERP",
        "language": "en",
        "webhook": webhook,
        "quiet_hours": NIGHT,
    }
    answer = await notifier.client.put("/v1/destinations/erp", json=body)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "a program is told at once" in answer.text
