"""Sending again what died: after a vendor's outage, a wrong secret; once, and not what is past."""

import asyncio
from datetime import UTC, timedelta

import pytest
from asyncpg import InsufficientPrivilegeError
from prometheus_client import REGISTRY
from sqlalchemy import text

from services.notifier.store import replays
from shared.clock import ManualClock, WallClock
from shared.events.stock_alerts import StockAlert
from shared.testing.vendor import Fault
from shared.testing.waiting import until
from tests.factories.stock_alerts import START, stock_alert
from tests.integration.notifier.service import KEY, OTHER_KEY, Notifier, Row

pytestmark = pytest.mark.stack

BAD_KEY, BAD_PARAMETER = 93000, 40058
BOTH = ("buyer@example.com", "boss@example.com")


async def replay(notifier: Notifier, key: str | None = None, **body: object) -> Row:
    """Ask for a replay; returns the numbers."""
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await notifier.client.post(
        "/v1/deliveries/replay", json={"destination": "buyers"} | body, headers=headers
    )
    assert answer.is_success, answer.text
    found: Row = answer.json()
    return found


def numbers(replayed: int = 0, superseded: int = 0, untold: int = 0, left: int = 0) -> Row:
    found = replayed + superseded + untold + left
    return {
        "dry_run": False,
        "found": found,
        "replayed": replayed,
        "superseded": superseded,
        "untold": untold,
        "left": left,
    }


def seconds_until_sent() -> float:
    """Return how long first notices have taken, all together."""
    return REGISTRY.get_sample_value("lowtide_alert_to_sent_seconds_sum", {"kind": "first"}) or 0


async def test_what_died_of_a_wrong_key_is_sent_once_the_key_is_right(notifier: Notifier) -> None:
    await notifier.bot(key="no-such-bot-1")
    async with notifier.sending():
        await notifier.tell(stock_alert(1), stock_alert(2), stock_alert(3))
        await notifier.until_states("dead", "dead", "dead")
        # One is over by now, without anybody's having heard of it; one changed.
        await notifier.tell(
            stock_alert(2, revision=2, event="resolved"),
            stock_alert(3, revision=2, event="acknowledged", acknowledged_by="lin"),
        )
        await notifier.until_states(*["dead"] * 5)
        await notifier.bot()
        expected = numbers(replayed=3, superseded=1, untold=1)
        assert await replay(notifier, dry_run=True) == expected | {"dry_run": True}
        assert await notifier.states() == ["dead"] * 5
        assert notifier.wecom.of(KEY) == []
        before = seconds_until_sent()
        assert await replay(notifier, "outage") == expected
        assert await replay(notifier, "outage") == expected
        await notifier.until_settled()
    told = sorted(each.content.split("#")[1][0] for each in notifier.wecom.of(KEY))
    assert told == ["1", "3", "3"]
    rows = await notifier.rows("SELECT state, reason FROM delivery ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("sent", None),
        ("suppressed", "newer_revision: 2"),
        ("sent", None),
        ("suppressed", "ended_untold"),
        ("sent", None),
    ]
    assert await replay(notifier) == numbers()
    # It is late since it was asked for, not since its alert was recorded.
    assert seconds_until_sent() - before < 3_600


async def test_who_had_it_sent_again_is_on_record_for_good(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(1), stock_alert(2))
    await notifier.rows("UPDATE delivery SET state = 'dead', reason = 'refused: no'")
    (first, second) = await notifier.rows("SELECT id FROM delivery ORDER BY id")
    await notifier.ask("POST", f"/v1/deliveries/{first['id']}/retry")
    await replay(notifier, "k")
    await replay(notifier, "k")
    page = await notifier.ask("GET", "/v1/deliveries/replays")
    assert isinstance(page["items"], list)
    many, one = page["items"]
    assert (many["actor"], one["actor"]) == ("anna", "anna")
    assert many["via"].startswith("python-httpx/")
    assert (many["deliveries"], one["deliveries"]) == ([str(second["id"])], [str(first["id"])])
    assert one["asked"] == {"delivery": str(first["id"])}
    assert (many["asked"]["destination"], many["asked"]["limit"]) == ("buyers", 500)
    with pytest.raises(InsufficientPrivilegeError):
        await notifier.rows("DELETE FROM replay")


async def test_a_replay_takes_what_it_is_asked_for_and_no_more(notifier: Notifier) -> None:
    await notifier.bot()
    async with notifier.sending():
        for number, code in ((1, BAD_KEY), (2, BAD_PARAMETER), (3, BAD_KEY)):
            notifier.wecom.order(Fault.ERRCODE, errcode=code)
            await notifier.tell(stock_alert(number))
            await notifier.until_states(*["dead"] * number)
    await notifier.bot("others", OTHER_KEY)
    await notifier.bot(enabled=False)
    await notifier.tell(stock_alert(4))
    await notifier.rows("UPDATE delivery SET state = 'dead' WHERE destination = 'others'")
    await notifier.bot()
    bad = str(BAD_KEY)
    assert await replay(notifier, dry_run=True, code=bad) == numbers(2) | {"dry_run": True}
    (_, second, _) = await notifier.rows(
        """SELECT finished_at FROM attempt AS a JOIN delivery AS d ON d.id = a.delivery
           WHERE d.destination = 'buyers' ORDER BY d.id"""
    )
    at = second["finished_at"].astimezone(UTC).isoformat()
    assert await replay(notifier, dry_run=True, since=at) == numbers(2) | {"dry_run": True}
    assert await replay(notifier, dry_run=True, until=at) == numbers(1) | {"dry_run": True}
    # The oldest first, no more than is asked for; what is left is there for the next time.
    assert await replay(notifier, "a", limit=1) == numbers(1, left=2)
    assert await notifier.states(destination="buyers") == ["waiting", "dead", "dead"]
    assert await replay(notifier, "b", code=bad) == numbers(1)
    assert await notifier.states(destination="buyers") == ["waiting", "dead", "waiting"]
    assert await notifier.states(destination="others") == ["dead"]


async def test_a_replay_keeps_to_the_limits_of_the_destination(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(*(stock_alert(number) for number in range(1, 41)))
    await notifier.rows("UPDATE delivery SET state = 'dead'")
    assert await replay(notifier) == numbers(40)
    async with notifier.sending():
        await notifier.until_settled()
    assert notifier.wecom.rejected == {}
    digests = await notifier.rows("SELECT id FROM delivery WHERE kind = 'digest'")
    assert len(digests) == 1


async def test_a_digest_that_died_is_told_as_far_as_it_still_holds(notifier: Notifier) -> None:
    await notifier.bot()
    notifier.wecom.order(Fault.ERRCODE, errcode=BAD_PARAMETER, after=16)
    await notifier.tell(*(stock_alert(number) for number in range(1, 21)), stock_alert(21))
    async with notifier.sending():
        await notifier.until_states("dead", kind="digest")
        ended = await notifier.rows("SELECT alert_number FROM delivery WHERE state = 'merged'")
        over, *others = sorted(row["alert_number"] for row in ended)
        await notifier.tell(stock_alert(over, revision=2, event="resolved"))
        assert await replay(notifier) == numbers(1)
        await notifier.until_settled()
    (digest,) = await notifier.rows(
        "SELECT state, reason FROM delivery WHERE kind = 'digest' ORDER BY id LIMIT 1"
    )
    assert tuple(digest) == ("superseded", "taken_apart")
    first = await notifier.rows(
        "SELECT state, digest_id FROM delivery WHERE alert_number = $1 AND revision = 1", over
    )
    assert [tuple(row) for row in first] == [("suppressed", None)]
    states = await notifier.rows(
        "SELECT DISTINCT state FROM delivery WHERE alert_number = ANY($1::bigint[])", others
    )
    assert {row["state"] for row in states} <= {"sent", "merged"}
    assert await notifier.states(kind="digest", state="dead") == []


async def test_after_a_replay_the_first_hiccup_costs_a_moment(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    await notifier.bot()
    await notifier.tell(stock_alert(1))
    await notifier.rows("UPDATE delivery SET state = 'dead', attempts = 30, reason = 'gave_up: x'")
    assert await replay(notifier) == numbers(1)
    notifier.wecom.order(Fault.ERRCODE)
    async with notifier.sending(clock=clock):
        await notifier.until_states("failed")
    (row,) = await notifier.rows("SELECT next_at, attempts FROM delivery")
    assert row["next_at"] <= clock.now() + timedelta(seconds=1)
    assert row["attempts"] == 31


def gathered(number: int) -> StockAlert:
    """Return an opening that is told together with others, and might have been long ago."""
    gather = {"key": "same_owner|1", "by": START.isoformat(), "why": "same_owner"}
    return stock_alert(number, level="urgent", owner="lin", gather=gather)


async def test_what_was_gathered_and_died_has_been_announced(notifier: Notifier) -> None:
    await notifier.bot()
    notifier.wecom.order(Fault.ERRCODE, errcode=BAD_PARAMETER)
    await notifier.tell(gathered(1), gathered(2))
    async with notifier.sending():
        await notifier.until_states("dead", kind="digest")
    await notifier.tell(stock_alert(1, revision=2, event="acknowledged", acknowledged_by="lin"))
    assert await replay(notifier) == numbers(1)
    # It waits on purpose no more, so what follows does not come in its place.
    await notifier.tell(stock_alert(1, revision=3, event="resolved"))
    async with notifier.sending():
        await notifier.until_settled()
    together, end = (each.content for each in notifier.wecom.of(KEY))
    assert ("#1 " in together, "#2 " in together) == (True, True)
    assert ("#1 " in end, "#2 " in end) == (True, False)


async def dies_with_one_of_two_reached(notifier: Notifier, *alerts: StockAlert) -> None:
    """Have a mail die that one recipient has: another one is put off until it is refused."""
    clock = ManualClock(WallClock().now())
    notifier.mailbox.refuse(BOTH[1], 451, times=1)
    await notifier.mail(to=BOTH)
    async with notifier.sending(clock=clock):
        await notifier.tell(*alerts)
        await notifier.until_states("failed", state="failed")
        notifier.mailbox.refuse_content(554)
        clock.advance(timedelta(hours=1))
        await notifier.rows("SELECT pg_notify('notifier_waiting', '*')")
        await notifier.until_states("dead", state="dead")


async def test_whoever_has_half_a_beginning_hears_of_the_end(notifier: Notifier) -> None:
    await dies_with_one_of_two_reached(notifier, stock_alert(7))
    notifier.mailbox.refuse_content(554)
    async with notifier.sending():
        await notifier.tell(stock_alert(7, revision=2, event="resolved"))
        await notifier.until_states("dead", "dead")
        assert await replay(notifier, destination="post") == numbers(1, superseded=1)
        await notifier.until_states("suppressed", "sent")
    subjects = [str(mail.message["Subject"]) for mail in notifier.mailbox.mails]
    assert [subject.split("]")[0] for subject in subjects] == ["[Out of stock", "[Resolved"]


@pytest.mark.parametrize("over", [False, True])
async def test_a_digest_that_some_have_goes_to_the_others_unless_it_tells_of_what_is_over(
    notifier: Notifier, *, over: bool
) -> None:
    await dies_with_one_of_two_reached(notifier, gathered(1), gathered(2))
    async with notifier.sending():
        if over:
            await notifier.tell(stock_alert(1, revision=2, event="resolved"))
            await notifier.until_states("sent", state="sent")
        assert await replay(notifier, destination="post") == numbers(1)
        await notifier.until_settled()
    first, *_, last = notifier.mailbox.mails
    assert first.recipients == BOTH[:1]
    if over:
        assert last.recipients == BOTH
        assert ("#1 " in last.text, "#2 " in last.text) == (False, True)
        assert await notifier.states(duplicate_possible=True) == ["sent"]
    else:
        assert (last.recipients, last.raw) == (BOTH[1:], first.raw)
        assert await notifier.states(duplicate_possible=True) == []


async def test_a_first_notice_is_not_sent_behind_what_is_being_sent(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(1))
    await notifier.rows("UPDATE delivery SET state = 'dead', reason = 'refused: no'")
    await notifier.tell(stock_alert(1, revision=2, event="acknowledged", acknowledged_by="lin"))
    await notifier.rows("UPDATE delivery SET state = 'sending' WHERE revision = 2")
    assert await replay(notifier) == numbers(left=1)
    (row,) = await notifier.rows("SELECT id FROM delivery WHERE state = 'dead'")
    answer = await notifier.client.post(f"/v1/deliveries/{row['id']}/retry")
    assert (answer.status_code, answer.json()["state"]) == (409, "dead")
    assert answer.json()["type"].endswith(":newer_under_way")
    await notifier.rows("UPDATE delivery SET state = 'sent' WHERE revision = 2")
    assert await replay(notifier) == numbers(superseded=1)


async def test_an_order_that_was_mailed_again_and_yesterdays_brief_stay_where_they_are(
    notifier: Notifier,
) -> None:
    await notifier.bot()
    for kind, order, content in (
        ("order", 1, "{}"),
        ("order", 1, "{}"),
        ("order", 2, "{}"),
        ("report", None, '{"kind":"daily_brief","schedule":"all"}'),
        ("report", None, '{"kind":"weekly_review","schedule":null}'),
        ("report", None, '{"kind":"daily_brief","schedule":"all"}'),
        ("report", None, '{"kind":"daily_brief","schedule":"north"}'),
    ):
        await notifier.rows(
            """INSERT INTO delivery
                   (kind, destination, state, priority, content, recorded_at, order_id)
               VALUES ($1, 'buyers', 'dead', 40, $2, now(), $3)""",
            kind,
            content,
            None if order is None else f"00000000-0000-0000-0000-00000000000{order}",
        )
    assert await replay(notifier) == numbers(5, superseded=2)
    rows = await notifier.rows("SELECT state FROM delivery ORDER BY id")
    assert [row["state"] for row in rows] == [
        "superseded",
        "waiting",
        "waiting",
        "superseded",
        *["waiting"] * 3,
    ]


async def test_a_replay_that_makes_no_sense_is_refused(notifier: Notifier) -> None:
    await notifier.bot()

    async def refused(body: Row, key: str = "k") -> tuple[int, str]:
        answer = await notifier.client.post(
            "/v1/deliveries/replay", json=body, headers={"Idempotency-Key": key}
        )
        return answer.status_code, str(answer.json()["type"]).rpartition(":")[2]

    assert (await refused({}))[0] == 422
    assert (await refused({"destination": "buyers", "limit": 1_001}))[0] == 422
    assert (await refused({"destination": "buyers", "code": "\x00"}))[0] == 422
    assert await refused({"destination": "nowhere"}) == (404, "not_found")
    await replay(notifier, "k")
    other: Row = {"destination": "buyers", "since": "2026-03-01T08:00:00Z"}
    assert await refused(other) == (422, "idempotency_key_reused")
    await notifier.bot(enabled=False)
    assert await refused({"destination": "buyers"}) == (409, "disabled")


async def test_whoever_was_warned_hears_of_an_end_that_came_while_they_were_disabled(
    notifier: Notifier,
) -> None:
    await notifier.bot()
    async with notifier.sending():
        await notifier.tell(stock_alert(1))
        await notifier.until_states("sent")
        await notifier.bot(enabled=False)
        await notifier.tell(
            stock_alert(1, revision=2, event="acknowledged", acknowledged_by="lin"),
            stock_alert(1, revision=3, event="resolved"),
            stock_alert(2),
        )
        await notifier.bot()
        await notifier.until_states("sent", "superseded", "sent", alert_number=1)
    assert "已恢复" in notifier.wecom.of(KEY)[-1].content
    assert await notifier.states(alert_number=2) == ["suppressed"]


async def test_what_waited_while_a_destination_was_disabled_is_sent_if_it_still_holds(
    notifier: Notifier,
) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(1), stock_alert(2))
    await notifier.bot(enabled=False)
    await notifier.tell(stock_alert(1, revision=2, event="resolved"))
    await notifier.bot()
    rows = await notifier.rows("SELECT state, reason FROM delivery WHERE alert_number = 1")
    assert [tuple(row) for row in rows] == [
        ("suppressed", "newer_revision: 2"),
        ("suppressed", "ended_untold"),
    ]
    async with notifier.sending():
        await notifier.until_settled()
    (told,) = notifier.wecom.of(KEY)
    assert "#2 " in told.content


@pytest.mark.parametrize("broken_off", [False, True])
async def test_what_waited_is_judged_in_stretches_that_can_be_broken_off(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch, *, broken_off: bool
) -> None:
    monkeypatch.setattr(replays, "FIRST", replays.FIRST._replace(limit=2))
    await notifier.bot()
    await notifier.tell(*(stock_alert(number) for number in range(1, 5)))
    # The fourth is part of a digest that failed.
    await notifier.rows("""
        INSERT INTO delivery (kind, destination, state, priority, content, recorded_at)
        SELECT 'digest', destination, 'failed', priority, content, recorded_at
        FROM delivery WHERE alert_number = 4""")
    await notifier.rows("""
        UPDATE delivery SET state = 'merged', digest_id = (
            SELECT id FROM delivery WHERE kind = 'digest')
        WHERE alert_number = 4""")
    await notifier.bot(enabled=False)
    await notifier.tell(
        *(stock_alert(number, revision=2, event="resolved") for number in (1, 2, 4))
    )
    open_ = "SELECT id FROM delivery WHERE state IN ('waiting', 'failed')"
    assert len(await notifier.rows(open_)) == 7
    async with notifier.engine.begin() as other, asyncio.TaskGroup() as group:
        await other.execute(
            text("SELECT 1 FROM delivery WHERE alert_number = 4 AND revision = 2 FOR UPDATE")
        )
        enabling = group.create_task(notifier.bot())

        async def all_judged_but_the_last() -> bool:
            return len(await notifier.rows(open_)) == 3

        await until(all_judged_but_the_last)
        assert await notifier.rows("SELECT 1 FROM destination WHERE enabled") == []
        if broken_off:
            enabling.cancel()
        await other.rollback()
    if broken_off:
        await notifier.bot()
    rows = await notifier.rows("""
        SELECT kind, alert_number, revision, state, reason FROM delivery
        ORDER BY alert_number, revision""")
    assert [tuple(row) for row in rows] == [
        ("first", 1, 1, "suppressed", "newer_revision: 2"),
        ("change", 1, 2, "suppressed", "ended_untold"),
        ("first", 2, 1, "suppressed", "newer_revision: 2"),
        ("change", 2, 2, "suppressed", "ended_untold"),
        ("first", 3, 1, "waiting", None),
        ("first", 4, 1, "suppressed", "newer_revision: 2"),
        ("change", 4, 2, "suppressed", "ended_untold"),
        ("digest", None, None, "superseded", "newer_revision"),
    ]
    assert len(await notifier.rows("SELECT 1 FROM destination WHERE enabled")) == 1
