"""What arrives on phones from a WeCom application, and what pressing it there does; real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from typing_extensions import override

from services.notifier.destinations.exchange import Exchange
from services.notifier.destinations.wecom_tokens import Tokens
from services.notifier.domain.addresses import WecomApp
from services.notifier.outbound.alert_responses import relay_of
from services.notifier.store.access_tokens import AccessTokens
from services.notifier.store.configuration import destination
from services.notifier.store.responses import RESPONSES
from services.notifier.store.secrets import Vault
from shared.clock import Clock, ManualClock, WallClock
from shared.database.outbox import Outbox
from shared.errors import Unavailable
from shared.events.alert_responses import AlertResponse
from shared.kafka.messages import Message
from shared.kafka.producer import Producer
from shared.testing.vendor import Fault
from shared.testing.wecom_app import CHANGE, GET_TOKEN, SEND, FakeWecomApp, tell
from tests.factories.stock_alerts import stock_alert
from tests.integration.notifier.service import TLS, Notifier

pytestmark = pytest.mark.stack

EVERYBODY = ("zhangsan", "lin", "boss")
LIN = {"id": "lin", "name": "林", "language": "zh-CN", "wecom_userid": "Lin"}


@asynccontextmanager
async def installed(
    notifier: Notifier, clock: Clock | None = None, unlicensed: tuple[str, ...] = ()
) -> AsyncIterator[FakeWecomApp]:
    """Serve the vendor with an application, and put that."""
    fake = FakeWecomApp(EVERYBODY, unlicensed=unlicensed, clock=clock)
    async with fake.serving() as url:
        await notifier.application(fake, url)
        yield fake


async def test_a_first_notice_is_a_card_for_those_it_is_for(notifier: Notifier) -> None:
    async with installed(notifier, unlicensed=("boss",)) as fake, notifier.sending():
        gone = LIN | {"id": "x", "wecom_userid": "gone"}
        boss = LIN | {"id": "boss", "wecom_userid": "boss"}
        everybody = LIN | {"id": "all", "wecom_userid": "@all"}
        await notifier.tell(stock_alert(7, to=[LIN, gone, boss, everybody]), stock_alert(8))
        await notifier.until_states("sent", "sent")
    (card,), (other,) = fake.phones["lin"], fake.phones["zhangsan"]
    assert "#7 蓝色马克杯" in card.text
    assert card.keys == ["acknowledge", "false_alarm", "ordered", "snooze"]
    assert "#8" in other.text
    (delivery,) = await notifier.rows("SELECT * FROM delivery WHERE alert_number = 7")
    assert delivery["reason"] == "some_recipients_refused: gone (invalid), boss (no licence)"
    assert fake.rejected == {}


async def test_whom_a_message_has_no_room_for_is_named(notifier: Notifier) -> None:
    people = [f"p{number}" for number in range(1_002)]
    fake = FakeWecomApp(people)
    async with fake.serving() as url, notifier.sending():
        await notifier.application(fake, url)
        await notifier.tell(stock_alert(7, to=[LIN | {"id": x, "wecom_userid": x} for x in people]))
        await notifier.until_states("sent")
    (delivery,) = await notifier.rows("SELECT reason FROM delivery")
    assert delivery["reason"] == (
        "some_recipients_refused: p1000 (beyond 1000), p1001 (beyond 1000)"
    )
    assert len(fake.phones) == 1_000


async def test_what_follows_changes_the_card_while_it_can_be_changed(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    async with installed(notifier, clock) as fake, notifier.sending(clock=clock):
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        await notifier.tell(
            stock_alert(7, revision=2, event="acknowledged", acknowledged_by="lin", actor="lin")
        )
        await notifier.until_states("sent", "sent")
        (card,) = fake.phones["zhangsan"]
        assert (card.changes, card.keys) == (1, ["false_alarm", "ordered", "snooze"])
        assert "已接单 · lin · 2026-03-01 16:00" in card.text
        # Its only code is used up: what comes now is a message, and what rings a card of its own.
        await notifier.tell(stock_alert(7, revision=3, event="assigned", owner="lin"))
        await notifier.until_states(*["sent"] * 3)
        await notifier.tell(stock_alert(7, revision=4, event="escalated"))
        await notifier.until_states(*["sent"] * 4)
        # The code of that one lapses.
        clock.advance(timedelta(hours=72))
        await notifier.tell(stock_alert(7, revision=5, event="resolved"))
        await notifier.until_states(*["sent"] * 5)
    shown = fake.phones["zhangsan"]
    assert [each.type for each in shown] == [
        "template_card",
        "markdown",
        "template_card",
        "markdown",
    ]
    assert [each.changes for each in shown] == [1, 0, 0, 0]
    assert fake.rejected == {}


async def test_what_follows_reaches_whoever_has_a_card_of_their_own(notifier: Notifier) -> None:
    boss = LIN | {"id": "boss", "wecom_userid": "boss"}
    async with installed(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(7, to=[LIN]))
        await notifier.until_states("sent")
        await notifier.tell(stock_alert(7, revision=2, event="reminded", to=[LIN]))
        await notifier.until_states("sent", "sent")
        await notifier.tell(stock_alert(7, revision=3, event="escalated", to=[boss]))
        await notifier.until_states(*["sent"] * 3)
        for revision, event in ((4, "acknowledged"), (5, "resolved")):
            await notifier.tell(stock_alert(7, revision=revision, event=event, to=[LIN, boss]))
            await notifier.until_states(*["sent"] * revision)
    # The newest card of each is changed; their codes are used up then, so the end is a message.
    assert [each.changes for each in fake.phones["lin"]] == [0, 1, 0]
    assert [each.changes for each in fake.phones["boss"]] == [1, 0]
    assert "已恢复" in fake.phones["lin"][-1].text
    assert "已恢复" in fake.phones["boss"][-1].text
    assert fake.rejected == {}


async def test_a_request_is_a_card_for_who_may_approve_it_and_shows_on_that_of_who_asked(
    notifier: Notifier,
) -> None:
    boss = LIN | {"id": "boss", "wecom_userid": "boss"}
    bought = {"id": UUID(int=1), "kind": "buy", "quantity": 500}
    acted: dict[str, object] = {"event": "acted", "names": {"lin": "林"}}
    asked = acted | {"actor": "lin", "to": [boss], "action": bought | {"state": "proposed"}}
    approved = acted | {
        "actor": "boss",
        "to": [LIN, boss],
        "action": bought | {"state": "approved"},
    }
    async with installed(notifier) as fake, notifier.sending():
        # The boss knew of it, too: what is asked now is more than a change of that card.
        await notifier.tell(stock_alert(7, to=[LIN, boss]))
        await notifier.until_states("sent")
        for revision, fields in (
            (2, {"event": "reminded", "to": [LIN]}),
            (3, asked),
            (4, approved),
        ):
            await notifier.tell(stock_alert(7, revision=revision, **fields))
            await notifier.until_states(*["sent"] * revision)
    _, reminder, message = fake.phones["lin"]
    assert reminder.changes == 1
    assert "待批准 · 林" in reminder.text
    assert "采购 500" in reminder.text
    assert "已安排" in message.text
    _, request = fake.phones["boss"]
    assert request.changes == 1, "it has a code of its own"
    assert fake.rejected == {}


async def test_the_end_takes_the_buttons_away(notifier: Notifier) -> None:
    async with installed(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        await notifier.tell(stock_alert(7, revision=2, event="resolved"))
        await notifier.until_states("sent", "sent")
    (card,) = fake.phones["zhangsan"]
    assert (card.changes, card.keys, card.body["card_type"]) == (1, [], "text_notice")


async def test_one_token_serves_all_and_is_fetched_anew_when_it_is_taken_back(
    notifier: Notifier,
) -> None:
    clock = ManualClock(WallClock().now())
    async with installed(notifier, clock) as fake, notifier.sending(clock=clock):
        await notifier.tell(stock_alert(1), stock_alert(2))
        await notifier.until_states("sent", "sent")
        assert fake.fetches == 1
        fake.revoke()
        await notifier.tell(stock_alert(3))
        await notifier.until_states(*["sent"] * 3)
        assert (fake.fetches, fake.rejected) == (2, {40014: 1})
        # Early: it would lapse in four minutes.
        clock.advance(timedelta(minutes=116))
        await notifier.tell(stock_alert(4))
        await notifier.until_states(*["sent"] * 4)
        clock.advance(timedelta(minutes=5))
        await notifier.tell(stock_alert(5))
        await notifier.until_states(*["sent"] * 5)
    assert set(fake.rejected) == {40014}
    assert len(fake.phones["zhangsan"]) == 5
    stored = await notifier.rows("SELECT sealed FROM access_token")
    assert [row["sealed"][:5] for row in stored] == ["gAAAA"]


async def test_a_secret_that_is_wrong_is_found_so_at_once(notifier: Notifier) -> None:
    """Not two hours later, when the token lapses that the right one was given."""
    async with installed(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(1))
        await notifier.until_states("sent")
        right, fake.secret = fake.secret, "another"
        await notifier.application(fake, await url_of(notifier))
        fake.secret = right
        tested = await notifier.ask("POST", "/v1/destinations/app/test")
        assert (tested["state"], "40001" in str(tested["reason"])) == ("dead", True)
        await notifier.application(fake, await url_of(notifier))
        await notifier.tell(stock_alert(2))
        await notifier.until_states("sent", "sent", kind="first")
    assert fake.fetches == 2


async def url_of(notifier: Notifier) -> str:
    part = (await notifier.ask("GET", "/v1/destinations/app"))["wecom_app"]
    assert isinstance(part, dict)
    return str(part["url"])


async def test_many_senders_at_once_fetch_one_token(notifier: Notifier) -> None:
    async with installed(notifier) as fake:
        vault = Vault(notifier.settings.secret_key)
        async with notifier.engine.begin() as connection:
            found = await destination(connection, "app", vault)
        assert found is not None
        assert isinstance(found.address, WecomApp)
        stored = AccessTokens(notifier.engine, vault)
        exchanges = [Exchange(TLS, ()) for _ in range(5)]
        senders = [Tokens(found.address, found.lane, each, stored) for each in exchanges]
        now = WallClock().now()
        got = await asyncio.gather(*(each.token(now, None) for each in senders))
        assert (fake.fetches, len({str(each) for each in got})) == (1, 1)
        fake.revoke()
        refused = got[0]
        assert not hasattr(refused, "verdict")
        again = await asyncio.gather(*(each.token(now, refused) for each in senders))
        assert (fake.fetches, set(map(type, again))) == (2, {type(refused)})
        for each in exchanges:
            await each.close()


async def test_a_lost_answer_never_shows_anything_twice(notifier: Notifier) -> None:
    async with installed(notifier) as fake, notifier.sending():
        fake.order(Fault.LOSE_ANSWER, key=SEND)
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        # No answer, no code: a message, and its answer is lost as well.
        fake.order(Fault.LOSE_ANSWER, key=SEND)
        await notifier.tell(stock_alert(7, revision=2, event="acknowledged", actor="lin"))
        await notifier.until_states("sent", "sent")
    assert [each.type for each in fake.phones["zhangsan"]] == ["template_card", "markdown"]
    assert (fake.answers_lost, fake.rejected, len(fake.repeats)) == (2, {42014: 1}, 1)
    marked = await notifier.rows("SELECT id FROM delivery WHERE duplicate_possible")
    assert marked == []


async def test_a_change_whose_answer_is_lost_is_told_in_a_message(notifier: Notifier) -> None:
    async with installed(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        fake.order(Fault.LOSE_ANSWER, key=CHANGE)
        await notifier.tell(stock_alert(7, revision=2, event="acknowledged", actor="lin"))
        await notifier.until_states("sent", "sent")
    card, message = fake.phones["zhangsan"]
    assert (card.changes, message.type) == (1, "markdown")


async def test_after_a_passing_error_a_card_is_changed_by_what_comes_instead(
    notifier: Notifier,
) -> None:
    clock = ManualClock(WallClock().now())
    async with installed(notifier, clock) as fake, notifier.sending(clock=clock):
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        fake.order(Fault.STATUS_500, key=CHANGE)
        await notifier.tell(stock_alert(7, revision=2, event="acknowledged", actor="lin"))
        await notifier.until_states("sent", "failed")
        await notifier.tell(stock_alert(7, revision=3, event="resolved"))
        clock.advance(timedelta(seconds=5))
        await notifier.rows("SELECT pg_notify('notifier_waiting', '*')")
        await notifier.until_states("sent", "superseded", "sent")
    (card,) = fake.phones["zhangsan"]
    assert (card.changes, card.body["card_type"]) == (1, "text_notice")


async def test_a_digest_goes_to_those_of_the_application_too_for_whom_it_cannot_reach(
    notifier: Notifier,
) -> None:
    gather = {"key": "same_owner|1", "by": "2026-03-01T08:00:00Z", "why": "same_owner"}
    stranger = LIN | {"id": "wang", "wecom_userid": None, "email": "wang@example.com"}
    async with installed(notifier) as fake, notifier.sending():
        await notifier.tell(
            stock_alert(7, level="urgent", to=[LIN], gather=gather),
            stock_alert(8, level="urgent", to=[stranger], gather=gather),
        )
        await notifier.until_states("sent", kind="digest")
    assert [len(fake.phones[user]) for user in ("lin", "zhangsan")] == [1, 1]


@pytest.mark.parametrize(("path", "after"), [(CHANGE, 1), (SEND, 0)])
async def test_whose_card_was_changed_is_not_told_again_for_another(
    notifier: Notifier, path: str, after: int
) -> None:
    zhangsan, boss = (LIN | {"id": each, "wecom_userid": each} for each in ("zhangsan", "boss"))
    async with installed(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(7, to=[LIN]))
        await notifier.until_states("sent")
        await notifier.tell(stock_alert(7, revision=2, event="escalated", to=[boss]))
        await notifier.until_states("sent", "sent")
        fake.order(Fault.STATUS_500, key=path, after=after)
        everybody = [LIN, boss, zhangsan]
        await notifier.tell(stock_alert(7, revision=3, event="acknowledged", to=everybody))
        await notifier.until_states(*["sent"] * 3)
    assert {user: [(one.type, one.changes) for one in fake.phones[user]] for user in EVERYBODY} == {
        "lin": [("template_card", 1)],
        "boss": [("template_card", 1)],
        "zhangsan": [("markdown", 0)],
    }
    assert fake.rejected == {}


@pytest.mark.parametrize(
    ("path", "errcode"), [(SEND, 60020), (SEND, 81013), (GET_TOKEN, 40001), (SEND, 48002)]
)
async def test_what_will_never_be_taken_is_dead_and_told_elsewhere(
    notifier: Notifier, path: str, errcode: int
) -> None:
    await notifier.bot("zz-other")
    async with installed(notifier) as fake, notifier.sending():
        fake.order(Fault.ERRCODE, key=path, errcode=errcode, times=9)
        await notifier.tell(stock_alert(7))
        await notifier.until_states("dead", destination="app")
        await notifier.until_states("sent", "sent", destination="zz-other")
    assert any(str(errcode) in each.content for each in notifier.wecom.accepted)


async def test_more_than_a_person_may_get_becomes_a_digest(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    async with installed(notifier, clock) as fake:
        await notifier.tell(*(stock_alert(number, to=[LIN]) for number in range(1, 41)))
        boss = LIN | {"id": None, "wecom_userid": "boss"}
        refused = {"event": "refused", "revision": 2, "to": [boss], "note": "没有生效"}
        await notifier.tell(*(stock_alert(number, **refused) for number in (1, 40)))
        async with notifier.sending(clock=clock):
            await notifier.until_settled()
    (*cards, digest) = fake.phones["lin"]
    assert {each.type for each in cards} == {"template_card"}
    assert digest.type == "markdown"
    assert [each.text.count("没有生效") for each in fake.phones["boss"]] == [1, 1]
    assert fake.dropped == []
    assert not fake.phones["zhangsan"]


async def test_what_may_have_arrived_is_repeated_as_it_was_and_not_in_a_digest(
    notifier: Notifier,
) -> None:
    clock = ManualClock(WallClock().now())
    async with installed(notifier, clock) as fake:
        async with notifier.sending(clock=clock):
            fake.order(Fault.LOSE_ANSWER, key=SEND)
            await notifier.tell(stock_alert(1, to=[LIN], level="watch"))
            await notifier.until_states("failed")
        await notifier.tell(stock_alert(1, revision=2, event="reminded", to=[LIN], level="watch"))
        await notifier.tell(*(stock_alert(number, to=[LIN]) for number in range(2, 42)))
        clock.advance(timedelta(seconds=30))
        async with notifier.sending(clock=clock):
            await notifier.until_settled()
    (digest,) = (each for each in fake.phones["lin"] if each.type == "markdown")
    assert "#1 " not in digest.text
    assert await notifier.states(alert_number=1) == ["sent", "sent"]
    assert (fake.dropped, fake.rejected) == ([], {42014: 1})


async def test_a_press_is_noted_once_however_often_it_is_told(notifier: Notifier) -> None:
    async with (
        installed(notifier) as fake,
        notifier.sending(),
        notifier.answering() as url,
    ):
        callback = f"{url}/callbacks/wecom/app"
        assert await fake.save_callback(callback)
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        (card,) = fake.phones["zhangsan"]
        assert card.task_id is not None
        envelope = fake.envelope(
            "zhangsan", "false_alarm", card.task_id, option="reason:data_wrong"
        )
        for _ in range(3):
            assert (await tell(callback, envelope)).statuses == [200]
        (row,) = await notifier.rows("SELECT value FROM response_outbox")
        response = AlertResponse.model_validate_json(row["value"])
        assert (response.kind, response.reason, response.who) == (
            "false_alarm",
            "data_wrong",
            "zhangsan",
        )
        # The press has brought a code of its own beside the send's: two changes.
        for revision, event in ((2, "feedback"), (3, "resolved")):
            await notifier.tell(stock_alert(7, revision=revision, event=event))
            await notifier.until_states(*["sent"] * revision)
    assert [each.changes for each in fake.phones["zhangsan"]] == [2]
    assert fake.rejected == {}


async def test_callbacks_that_are_none_are_refused(notifier: Notifier) -> None:
    clock = WallClock()
    async with installed(notifier) as fake, notifier.answering() as url:
        callback = f"{url}/callbacks/wecom/app"
        good = fake.envelope("zhangsan", "acknowledge", "lowtide-none")
        stale = fake.envelope("zhangsan", "acknowledge", "t", at=clock.now() - timedelta(minutes=6))
        other = FakeWecomApp(EVERYBODY, corp_id="another").envelope("zhangsan", "acknowledge", "t")
        async with httpx.AsyncClient(trust_env=False) as client:

            async def status(path: str, query: dict[str, str], body: bytes) -> int:
                return (await client.post(path, params=query, content=body)).status_code

            assert await status(callback, good.query, good.body) == 200
            forged = good.query | {"msg_signature": "0" * 40}
            assert await status(callback, forged, good.body) == 403
            assert await status(callback, stale.query, stale.body) == 403
            assert await status(callback, other.query, other.body) == 403
            bomb = b'<!DOCTYPE x [<!ENTITY a "a">]><xml><Encrypt>&a;</Encrypt></xml>'
            assert await status(callback, good.query, bomb) == 403
            assert await status(callback, good.query, b"x" * 70_000) == 413
            assert await status(f"{url}/callbacks/wecom/nobody", good.query, good.body) == 404
    assert await notifier.rows("SELECT id FROM response") == []


class _Broker(Producer):
    """A broker that is away at first, and tells what it was sent."""

    def __init__(self) -> None:
        self.away = True
        self.sent: list[Message] = []
        self.topics: set[str] = set()

    @override
    async def send(
        self, topic: str, messages: Sequence[Message], *, until: float | None = None
    ) -> None:
        if self.away:
            raise Unavailable("the broker")
        self.sent += messages
        self.topics.add(topic)


async def test_a_response_stays_until_the_broker_has_it(notifier: Notifier) -> None:
    async with installed(notifier) as fake, notifier.sending(), notifier.answering() as url:
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        await fake.press(f"{url}/callbacks/wecom/app", "zhangsan", "acknowledge")
    broker = _Broker()
    relay = relay_of(Outbox(notifier.engine, RESPONSES), broker)
    with pytest.raises(Unavailable):
        await relay.step()
    assert len(await notifier.rows("SELECT id FROM response_outbox")) == 1
    broker.away = False
    assert (await relay.step(), await relay.step()) == (1, 0)
    assert broker.topics == {"alert.responses"}
    (message,) = broker.sent
    assert message.key == str(stock_alert(7).alert_id).encode()
    assert await notifier.rows("SELECT id FROM response_outbox") == []


async def test_a_refusal_is_for_one_person(notifier: Notifier) -> None:
    await notifier.bot("group")
    async with installed(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent", "sent")
        stranger = LIN | {"id": None, "wecom_userid": "boss"}
        refused = stock_alert(7, revision=2, event="refused", to=[stranger], note="没有生效")
        await notifier.tell(refused, stock_alert(7, revision=3, event="assigned", owner="lin"))
        await notifier.until_settled()
    assert [each.type for each in fake.phones["boss"]] == ["markdown"]
    assert "没有生效" in fake.phones["boss"][0].text
    assert len(fake.phones["zhangsan"]) == 1
    reasons = await notifier.rows("SELECT reason FROM delivery WHERE state = 'suppressed'")
    assert [row["reason"] for row in reasons] == ["for_one_person"]
