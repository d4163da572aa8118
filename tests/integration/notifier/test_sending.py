"""What arrives at WeCom groups, on a real database and over real HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from services.notifier.destinations import exchange
from services.notifier.domain.outcomes import Outcome, Verdict
from services.notifier.sending import lane, outages
from services.notifier.store import configuration
from services.notifier.store.secrets import Vault
from shared.clock import ManualClock, WallClock
from shared.events.stock_alerts import AlertEvent
from shared.testing import wecom
from shared.testing.unruly_http import Reply, Request, serving
from shared.testing.vendor import Fault
from shared.testing.waiting import until
from shared.testing.wecom import FakeWecom
from tests.factories.stock_alerts import alert_id, stock_alert
from tests.integration.notifier.service import KEY, OTHER_KEY, Notifier, Row, content_of

pytestmark = pytest.mark.stack


async def test_an_alert_arrives_as_one_message_woken_and_not_polled(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "POLL_SECONDS", 600.0)
    await notifier.bot()
    async with notifier.sending() as sender:
        await until(lambda: _well(sender.check))
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
    (message,) = notifier.wecom.of(KEY)
    assert message.type == "markdown"
    assert "断货" in message.content
    assert "#7 " in message.content


async def _well(check: Callable[[], Awaitable[str | None]]) -> bool:
    return await check() is None


async def test_an_episode_is_told_from_opening_to_end_in_order(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(
        stock_alert(1, level="urgent"),
        stock_alert(1, revision=2, event="resolved", level="urgent"),
    )
    async with notifier.sending():
        await notifier.until_states("sent", "sent")
    assert ["紧急" in each.content for each in notifier.wecom.of(KEY)] == [True, False]


async def test_a_repeated_message_yields_nothing_new(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(1), stock_alert(1))
    await notifier.tell(stock_alert(1))
    async with notifier.sending():
        await notifier.until_states("sent")
    assert len(notifier.wecom.of(KEY)) == 1


async def test_two_consumers_with_the_same_message_record_one_delivery(
    notifier: Notifier,
) -> None:
    """The later transaction has looked before the earlier one has committed."""
    await notifier.bot()
    async with notifier.engine.begin() as first, asyncio.TaskGroup() as group:
        await notifier.tell(stock_alert(1), connection=first)
        second = group.create_task(notifier.tell(stock_alert(1)))
        await until(lambda: _waits_for_a_lock(notifier))
        await first.commit()
        await second
    assert await notifier.states() == ["waiting"]


async def _waits_for_a_lock(notifier: Notifier) -> bool:
    return bool(
        await notifier.rows(
            """SELECT 1 FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'"""
        )
    )


async def test_a_waiting_change_gives_way_to_a_newer_one_and_a_first_notice_does_not(
    notifier: Notifier,
) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(1, level="watch"))
    await notifier.tell(stock_alert(1, revision=2, event="level_changed", previous_level="watch"))
    await notifier.tell(stock_alert(1, revision=3, event="resolved"))
    async with notifier.sending():
        await notifier.until_states("sent", "superseded", "sent")
    assert ["#1" in each.content for each in notifier.wecom.of(KEY)] == [True, True]
    await notifier.tell(stock_alert(2, revision=2, event="level_changed", previous_level="watch"))
    await notifier.tell(stock_alert(2))
    assert await notifier.states(alert_id=alert_id(2)) == ["waiting", "superseded"]


@pytest.mark.parametrize(
    ("asks", "said"),
    [
        ({"event": "level_changed", "previous_level": "urgent"}, "紧急 → 断货"),
        ({"event": "reminded"}, "仍未恢复"),
    ],
    ids=["rise", "reminder"],
)
async def test_what_asks_somebody_gives_way_to_nothing_that_asks_nobody(
    notifier: Notifier, asks: dict[str, str], said: str
) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(1, level="urgent"))
    await notifier.tell(stock_alert(1, revision=2, **asks))
    feedback = {"event": "feedback", "actor": "lin"}
    await notifier.tell(stock_alert(1, revision=3, **feedback))
    await notifier.tell(stock_alert(1, revision=4, **feedback))
    async with notifier.sending():
        await notifier.until_states("sent", "sent", "superseded", "sent")
    assert said in notifier.wecom.of(KEY)[1].content


async def test_two_hundred_with_an_errcode_is_not_delivery(notifier: Notifier) -> None:
    await notifier.bot()
    notifier.wecom.order(Fault.ERRCODE, errcode=-1)
    notifier.wecom.order(Fault.STATUS_500)
    async with notifier.sending():
        await notifier.tell(stock_alert(1))
        await notifier.until_settled()
    attempts = await notifier.rows("SELECT verdict, code, rendered FROM attempt ORDER BY number")
    assert [(each["verdict"], each["code"]) for each in attempts] == [
        ("transient", "-1"),
        ("transient", "500"),
        ("accepted", "0"),
    ]
    assert len({each["rendered"] for each in attempts}) == 1
    (message,) = notifier.wecom.of(KEY)
    assert message.content in attempts[0]["rendered"].decode().replace("\\n", "\n").replace(
        '\\"', '"'
    )


async def test_a_repeat_is_the_very_bytes_of_the_first_attempt(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    await notifier.bot()
    notifier.wecom.order(Fault.STATUS_500)
    async with notifier.sending(clock=clock):
        await notifier.tell(stock_alert(1))
        await notifier.until_states("failed")
        await notifier.bot(language="en")
        clock.advance(timedelta(seconds=5))
        await notifier.tell(stock_alert(2))
        await notifier.until_states("sent", "sent")
    assert ["断货" in each.content for each in notifier.wecom.of(KEY)] == [True, False]


async def test_what_was_refused_as_it_stood_is_written_anew(notifier: Notifier) -> None:
    await notifier.bot()
    notifier.wecom.order(Fault.ERRCODE, errcode=wecom.BAD_PARAMETER)
    async with notifier.sending():
        await notifier.tell(stock_alert(1))
        await notifier.until_states("dead")
        await notifier.bot(language="en")
        (row,) = await notifier.rows("SELECT id FROM delivery")
        await notifier.ask("POST", f"/v1/deliveries/{row['id']}/retry")
        await notifier.until_states("sent")
    assert ["断货" in each.content for each in notifier.wecom.of(KEY)] == [False]


async def test_a_permanent_refusal_is_dead_at_once_and_told_elsewhere(notifier: Notifier) -> None:
    await notifier.bot(key="no-such-bot-1")
    await notifier.bot("spare", OTHER_KEY)
    await notifier.ask("PUT", "/v1/routes/r", {"destination": "spare", "match": {"rules": ["x"]}})
    async with notifier.sending():
        await notifier.tell(stock_alert(1), stock_alert(2))
        await notifier.until_settled()
    assert await notifier.states(destination="buyers") == ["dead", "dead"]
    (note,) = notifier.wecom.of(OTHER_KEY)
    assert "buyers" in note.content
    assert "93000" in note.content
    assert await notifier.states(kind="meta") == ["sent"]


async def test_an_outage_is_told_elsewhere_once_and_so_is_its_end(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    await notifier.bot()
    await notifier.bot("spare", OTHER_KEY)
    await notifier.ask("PUT", "/v1/routes/r", {"destination": "spare", "match": {"rules": ["x"]}})
    notifier.wecom.order(Fault.STATUS_500, key=KEY, times=1_000)

    async def passing(state: str, attempts: int, number: int = 1) -> None:
        """Let time pass until the notice of an alert is so after so many attempts."""

        async def reached() -> bool:
            clock.advance(timedelta(seconds=10))
            await notifier.rows("SELECT pg_notify('notifier_waiting', '*')")
            (row,) = await notifier.rows(
                "SELECT state, attempts FROM delivery WHERE alert_number = $1", number
            )
            return bool(row["state"] == state and row["attempts"] >= attempts)

        await until(reached)

    async with notifier.sending(clock=clock):
        await notifier.tell(stock_alert(1))
        await passing("failed", 4)
        assert await notifier.states(kind="meta") == []
        await passing("failed", 7)
        await notifier.until_states("sent", kind="meta")
        notifier.wecom.relent()
        await passing("sent", 8)
        await notifier.until_states("sent", "sent", kind="meta")
        notifier.wecom.order(Fault.STATUS_500, key=KEY, times=2)
        await notifier.tell(stock_alert(2))
        await passing("sent", 3, number=2)
    away, back = notifier.wecom.of(OTHER_KEY)
    assert "通知渠道中断" in away.content
    assert "buyers" in away.content
    assert "HTTP 500" in away.content
    assert "通知渠道已恢复" in back.content


async def test_what_is_not_tried_again_begins_no_outage(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    await notifier.bot()
    await notifier.bot("spare", OTHER_KEY)
    await notifier.ask("PUT", "/v1/routes/r", {"destination": "spare", "match": {"rules": ["x"]}})
    async with notifier.sending(clock=clock):
        await notifier.tell(stock_alert(1))
        await notifier.until_states("sent")
        notifier.wecom.order(Fault.LOSE_ANSWER)
        await notifier.tell(stock_alert(1, revision=2, event="resolved"))
        await notifier.until_states("sent", "suppressed")
        clock.advance(timedelta(hours=5))
        notifier.wecom.order(Fault.STATUS_500, key=KEY)
        await notifier.tell(stock_alert(2))

        async def arrived() -> bool:
            clock.advance(timedelta(seconds=10))
            await notifier.rows("SELECT pg_notify('notifier_waiting', '*')")
            return await notifier.states(alert_number=2) == ["sent"]

        await until(arrived)
    assert await notifier.states(kind="meta") == []


@pytest.mark.parametrize("state", ["waiting", "sent"])
async def test_the_end_of_an_outage_is_told_where_the_outage_was(
    notifier: Notifier, state: str
) -> None:
    await notifier.bot()
    for name in ("desk", "spare"):
        await notifier.bot(name, OTHER_KEY if name == "desk" else "spare-key-1")
    now = WallClock().now()
    since = now - timedelta(hours=1)
    outcome = Outcome(Verdict.TRANSIENT, "500", "HTTP 500")
    await notifier.rows("INSERT INTO lease (destination) SELECT id FROM destination")
    async with notifier.engine.begin() as connection:
        vault = Vault(notifier.settings.secret_key)
        buyers = await configuration.destination(connection, "buyers", vault)
        assert buyers is not None
        await outages.tell_elsewhere(connection, buyers, outcome, since, now)
        await connection.execute(text("UPDATE delivery SET state = :state"), {"state": state})
        # By the end of it another one has failed less often.
        await connection.exec_driver_sql("UPDATE lease SET failures = 3 WHERE destination = 'desk'")
        await outages.tell_of_end(connection, buyers, since, now)
    rows = await notifier.rows("SELECT destination, state, reason FROM delivery ORDER BY id")
    told = [tuple(row) for row in rows]
    if state == "waiting":
        assert told == [("desk", "suppressed", "ended_untold")]
    else:
        assert told == [("desk", "sent", None), ("desk", "waiting", None)]


async def test_what_died_is_told_where_people_read_it_and_past_what_is_dead_too(
    notifier: Notifier,
) -> None:
    await notifier.bot(key="no-such-bot-1")
    await notifier.bot("desk", "no-such-bot-2")
    program: Row = {"url": "http://127.0.0.1:9/hooks", "secret": "whsec_" + "A" * 32}
    await notifier.put("erp", "webhook", program)
    await notifier.mail("ops")
    for other in ("desk", "erp", "ops"):
        route = {"destination": other, "match": {"rules": ["none"]}}
        await notifier.ask("PUT", f"/v1/routes/{other}", route)
    async with notifier.sending():
        await notifier.tell(stock_alert(1))
        await notifier.until_states("dead", "sent", kind="meta")
    (note,) = notifier.mailbox.mails
    assert "buyers" in note.text
    assert "93000" in note.text
    assert await notifier.states(destination="erp") == []


async def test_a_lost_answer_repeats_a_first_notice_marked_and_a_change_not_at_all(
    notifier: Notifier,
) -> None:
    await notifier.bot()
    async with notifier.sending():
        notifier.wecom.order(Fault.LOSE_ANSWER)
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        notifier.wecom.order(Fault.LOSE_ANSWER)
        await notifier.tell(stock_alert(7, revision=2, event="resolved"))
        await notifier.until_states("sent", "suppressed")
    opened, again, _resolved = (each.content for each in notifier.wecom.of(KEY))
    assert "可能重复" not in opened
    assert "可能重复" in again
    assert "#7 " in again
    rows = await notifier.rows("SELECT duplicate_possible, reason FROM delivery ORDER BY id")
    assert [row["duplicate_possible"] for row in rows] == [True, False]
    assert rows[1]["reason"].startswith("outcome_unknown")


async def test_answers_lost_twice_end_dead_and_can_be_tried_again(notifier: Notifier) -> None:
    await notifier.bot()
    notifier.wecom.order(Fault.LOSE_ANSWER, times=2)
    async with notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("dead")
        (row,) = await notifier.rows("SELECT id FROM delivery")
        await notifier.ask("POST", f"/v1/deliveries/{row['id']}/retry")
        await notifier.until_states("sent")
    assert ["可能重复" in each.content for each in notifier.wecom.of(KEY)] == [False, True, True]


async def test_a_hanging_destination_delays_no_other(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "_TIMEOUT", httpx.Timeout(600))
    monkeypatch.setattr(exchange, "_HANG_SECONDS", 600)
    await notifier.bot("a-hangs")
    await notifier.bot("b-works", OTHER_KEY)
    notifier.wecom.order(Fault.HANG, key=KEY, times=100)
    async with notifier.sending():
        await notifier.tell(*(stock_alert(number) for number in range(1, 6)))
        await notifier.until_states(*["sent"] * 5, destination="b-works")
        assert set(await notifier.states(destination="a-hangs")) == {"sending", "waiting"}
        notifier.wecom.relent()


async def test_more_than_fits_goes_out_as_single_notices_and_a_digest_that_all_others_name(
    notifier: Notifier,
) -> None:
    await notifier.bot()
    await notifier.tell(
        *(
            stock_alert(number, level=["watch", "urgent", "out"][number % 3])
            for number in range(1, 101)
        )
    )
    async with notifier.sending():
        await notifier.until_settled()
    assert notifier.wecom.rejected == {}
    messages = notifier.wecom.of(KEY)
    singles, digest = messages[:-1], messages[-1]
    assert len(singles) == 16
    assert all("断货" in each.content for each in singles)  # the worst go singly
    assert "汇总 84 条" in digest.content
    assert "断货 17 · 紧急 34 · 关注 33" in digest.content
    rows = await notifier.rows(
        """SELECT d.state AS state, g.state AS digest, count(*) AS amount
           FROM delivery AS d LEFT JOIN delivery AS g ON g.id = d.digest_id
           WHERE d.kind = 'first' GROUP BY 1, 2 ORDER BY 1"""
    )
    assert [tuple(row) for row in rows] == [("merged", "sent", 84), ("sent", None, 16)]


async def test_a_digest_with_a_first_notice_is_repeated_after_a_lost_answer(
    notifier: Notifier,
) -> None:
    await notifier.bot()
    await notifier.tell(*(stock_alert(number) for number in range(1, 31)))
    notifier.wecom.order(Fault.LOSE_ANSWER, after=16)
    async with notifier.sending():
        await notifier.until_settled()
    first, again = notifier.wecom.of(KEY)[16:]
    assert "可能重复" not in first.content
    assert again.content.startswith('**<font color="warning">【可能重复】汇总 14 条')


async def test_a_digest_with_an_escalation_is_repeated_after_a_lost_answer(
    notifier: Notifier,
) -> None:
    await notifier.bot()
    await notifier.tell(*(stock_alert(number) for number in range(1, 31)))
    await notifier.rows("UPDATE delivery SET state = 'sent'")
    await notifier.tell(
        *(stock_alert(number, revision=2, event="escalated") for number in range(1, 31))
    )
    notifier.wecom.order(Fault.LOSE_ANSWER, after=16)
    async with notifier.sending():
        await notifier.until_settled()
    assert len(notifier.wecom.of(KEY)[16:]) == 2
    assert await notifier.states(kind="digest") == ["sent"]


async def test_a_digest_of_changes_alone_is_not_repeated(notifier: Notifier) -> None:
    await notifier.bot()
    opened = [stock_alert(number) for number in range(1, 31)]
    await notifier.tell(*opened)
    await notifier.rows("UPDATE delivery SET state = 'sent'")
    await notifier.tell(
        *(stock_alert(number, revision=2, event="resolved") for number in range(1, 31))
    )
    notifier.wecom.order(Fault.LOSE_ANSWER)
    async with notifier.sending():
        await notifier.until_settled()
    assert len(notifier.wecom.of(KEY)) == 1
    assert await notifier.states(kind="digest") == ["suppressed"]


async def test_a_full_window_is_waited_for_and_never_overrun(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    notifier.wecom = FakeWecom({KEY}, clock=clock)
    async with notifier.wecom.serving() as notifier.wecom_url:
        await notifier.bot()
        async with notifier.sending(clock=clock):
            for number in range(1, 21):
                await notifier.tell(stock_alert(number))
            await notifier.until_settled()
            await notifier.tell(*(stock_alert(number) for number in range(21, 26)))
            clock.advance(timedelta(seconds=61))
            await notifier.tell(stock_alert(26))
            await notifier.until_settled()
    assert notifier.wecom.rejected == {}
    assert len(notifier.wecom.of(KEY)) == 26


async def test_a_block_by_the_vendor_is_waited_out(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    notifier.wecom = FakeWecom({KEY}, clock=clock)
    async with notifier.wecom.serving() as notifier.wecom_url:
        await notifier.bot()
        notifier.wecom.order(Fault.ERRCODE, errcode=wecom.TOO_OFTEN)
        async with notifier.sending(clock=clock):
            await notifier.tell(stock_alert(1))
            await notifier.until_states("failed")
            await notifier.tell(stock_alert(2))
            (lease,) = await notifier.rows("SELECT paused_until FROM lease")
            assert lease["paused_until"] == clock.now() + timedelta(seconds=60)
            assert await notifier.states() == ["failed", "waiting"]
            clock.advance(timedelta(seconds=60))
            await notifier.tell(stock_alert(3))
            await notifier.until_settled()
    assert notifier.wecom.rejected == {wecom.TOO_OFTEN: 1}
    assert len(notifier.wecom.of(KEY)) == 3


async def test_what_cannot_be_rendered_is_dead_and_holds_up_nothing(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(1), stock_alert(2))
    await notifier.rows("UPDATE delivery SET content = '{}' WHERE alert_number = 1")
    async with notifier.sending():
        await notifier.until_states("dead", "sent")


@pytest.mark.parametrize("kind", ["first", "order", "meta"])
async def test_what_cannot_be_rendered_is_told_elsewhere(notifier: Notifier, kind: str) -> None:
    await notifier.bot()
    await notifier.bot("spare", OTHER_KEY)
    await notifier.ask("PUT", "/v1/routes/r", {"destination": "spare", "match": {"rules": ["x"]}})
    await notifier.tell(stock_alert(1))
    await notifier.rows("UPDATE delivery SET content = '{}', kind = $1", kind)
    async with notifier.sending():
        await notifier.until_states("sent", destination="spare")
    (note,) = notifier.wecom.of(OTHER_KEY)
    assert "buyers" in note.content
    assert "unrenderable" in note.content


async def test_the_strangest_alert_is_told_and_holds_up_nothing(notifier: Notifier) -> None:
    await notifier.bot()
    strange = stock_alert(
        1,
        sku_name="\x00\u202e\ufffe",
        note="\x00",
        facts={"available": -(2**63) + 1, "on_hand": 10**30, "low_water": -(10**30)},
        opened_at="9999-12-31T23:59:59Z",
    )
    again = strange.model_copy(update={"revision": 2, "event": AlertEvent.ACKNOWLEDGED})
    async with notifier.sending():
        await notifier.tell(strange)
        await notifier.until_states("sent")
        await notifier.tell(again, *(stock_alert(number) for number in range(2, 32)))
        await notifier.until_settled()
    assert await notifier.states(alert_number=1) == ["sent", "merged"]
    assert await notifier.states(state="dead") == []


async def test_what_a_server_says_can_always_be_stored(notifier: Notifier) -> None:
    await notifier.bot()

    def answer(_: Request) -> Reply:
        return Reply.of({"errcode": 40058, "errmsg": "\x00\x1b[31mno"})

    async with serving(answer) as port:
        notifier.wecom_url = f"http://127.0.0.1:{port}"
        await notifier.bot()
        async with notifier.sending():
            await notifier.tell(stock_alert(1))
            await notifier.until_states("dead")
    (row,) = await notifier.rows("SELECT reason FROM delivery")
    assert row["reason"] == "refused: errcode 40058: [31mno"


async def test_thousands_become_one_digest_quickly(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(*(stock_alert(number, level="watch") for number in range(1, 5_001)))
    async with notifier.sending():
        await notifier.until_settled(15)
    assert len(notifier.wecom.of(KEY)) == 17
    (digest,) = await notifier.rows("SELECT * FROM delivery WHERE kind = 'digest'")
    assert content_of(digest)["total"] == 4_984


async def test_a_message_for_nobody_is_recorded_with_the_reason(notifier: Notifier) -> None:
    await notifier.tell(stock_alert(1))
    (row,) = await notifier.rows("SELECT state, reason, destination FROM delivery")
    assert tuple(row) == ("suppressed", "no_route", None)
