"""What people do in chats and by links: it acts once where it is theirs, else tells them alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from services.alerting.inbound.catalog_items import Catalogue
from services.alerting.responding import AlertResponses
from shared.clock import WallClock
from shared.database.engine import create_engine
from shared.events.alert_responses import TOPIC, AlertResponse
from shared.events.dead_letters import DeadLetter, dead_topic
from shared.events.topics import TOPICS
from shared.kafka.dead import LIMIT
from shared.kafka.handler import Batch
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.testing.reading import records_until
from shared.testing.waiting import until
from tests.factories.records import FakeRecord
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack

LOCKED = text("SELECT FROM alert WHERE id = :id FOR UPDATE NOWAIT")


def response(alert_id: str, kind: str, who: str = "LIN", **fields: object) -> AlertResponse:
    """Return a press in WeCom, unless it is said otherwise."""
    now = WallClock().now()
    defaults: dict[str, object] = {
        "response_id": uuid4(),
        "alert_id": UUID(alert_id),
        "kind": kind,
        "via": "wecom_app",
        "who": who,
        "responded_at": now,
        "received_at": now,
    }
    return AlertResponse.model_validate(defaults | fields)


async def respond(alerting: Alerting, *given: AlertResponse) -> None:
    """Publish responses, and wait until they are worked on."""
    messages = [
        Message(
            partition_of(str(each.alert_id), TOPICS[TOPIC].partitions),
            str(each.alert_id).encode(),
            each.encode(),
        )
        for each in given
    ]
    await alerting.producer.send(TOPIC, messages)

    async def heard() -> bool:
        rows = await alerting.rows(
            "SELECT count(*) FROM response WHERE id = ANY($1)",
            [each.response_id for each in given],
        )
        return bool(rows[0][0] == len({each.response_id for each in given}))

    await until(heard)


@asynccontextmanager
async def shortage(alerting: Alerting) -> AsyncIterator[dict[str, object]]:
    """Yield an open alert whose owner is lin, with wang as manager; anna sees to other things."""
    for person, email in (("lin", "Lin@example.com"), ("wang", None), ("anna", None)):
        body = {"name": person.title(), "email": email, "wecom_userid": person, "language": "en"}
        await alerting.ask("PUT", f"/v1/people/{person}", body)
    rows = [{"owner": "lin", "manager": "wang"}, {"category": "cups", "owner": "anna"}]
    await alerting.ask("PUT", "/v1/responsibilities", {"items": rows})
    await alerting.put_rule("low")
    async with alerting.consuming():
        await alerting.tell(alerting.level(5))
        await alerting.caught_up()
        (alert,) = await alerting.alerts()
        yield alert


async def test_those_it_concerns_act_once_and_the_others_change_nothing(
    alerting: Alerting,
) -> None:
    async with shortage(alerting) as alert, alerting.relaying():
        id_ = str(alert["id"])
        taken = response(id_, "acknowledge")
        await respond(
            alerting,
            response(id_, "acknowledge", "nobody"),
            response(id_, "acknowledge", "anna"),
            taken,
            taken,
            response(id_, "ordered", "wang", quantity=200),
            response(id_, "false_alarm", "lin@EXAMPLE.com", via="email", reason="data_wrong"),
            response(id_, "snooze", minutes=60),
            response(str(uuid4()), "acknowledge"),
        )
        found = await alerting.ask("GET", f"/v1/alerts/{id_}")
        assert [(each["event"], each["actor"]) for each in found["history"]] == [
            ("opened", None),
            ("refused", "nobody"),
            ("refused", "anna"),
            ("acknowledged", "lin"),
            ("acted", "wang"),
            ("acted", "wang"),
            ("feedback", "lin"),
            ("acted", "lin"),
            ("snoozed", "lin"),
        ]
        assert (found["acknowledged_by"], found["owner"]) == ("lin", "lin")
        (kept,) = await alerting.rows("SELECT * FROM feedback")
        assert (kept["person"], kept["reason"]) == ("lin", "data_wrong")
        done = await alerting.rows("SELECT kind, state, quantity FROM action ORDER BY number")
        assert [tuple(each) for each in done] == [
            ("buy", "ordered", 200),
            ("count", "approved", None),
        ]

        async def relayed() -> bool:
            return len(await alerting.notices()) == 9

        await until(relayed)
        opened, stranger, anna, *others = await alerting.notices()
        assert opened.names == {"lin": "Lin"}
        assert (stranger.actor, stranger.names) == ("nobody", {"lin": "Lin"})
        assert anna.names == {"lin": "Lin", "anna": "Anna"}
        assert [each.names.get("wang") for each in others if each.actor == "wang"] == ["Wang"] * 2
        assert [each.wecom_userid for each in stranger.to] == ["nobody"]
        assert [(each.id, each.wecom_userid) for each in anna.to] == [("anna", "anna")]
        assert (anna.note or "").startswith("Nothing changed")
        outcomes = await alerting.rows("SELECT outcome FROM response ORDER BY outcome")
        assert [row["outcome"] for row in outcomes] == [
            *["done"] * 4,
            "out_of_scope",
            "unknown_alert",
            "unknown_person",
        ]


async def test_a_press_in_slack_is_that_of_whose_user_id_it_is(alerting: Alerting) -> None:
    async with shortage(alerting) as alert, alerting.relaying():
        id_ = str(alert["id"])
        body = {"name": "Lin", "wecom_userid": "U0STRANGER", "slack_user_id": "U024BE7LH"}
        await alerting.ask("PUT", "/v1/people/lin", body)
        await respond(
            alerting,
            response(id_, "acknowledge", "U0STRANGER", via="slack"),
            response(id_, "acknowledge", "u024be7lh", via="slack"),
        )
        found = await alerting.ask("GET", f"/v1/alerts/{id_}")
        assert found["acknowledged_by"] == "lin"

        async def relayed() -> bool:
            return len(await alerting.notices()) == 3

        await until(relayed)
        _, refused, _ = await alerting.notices()
        (stranger,) = refused.to
        assert (stranger.slack_user_id, stranger.wecom_userid, stranger.email) == (
            "U0STRANGER",
            None,
            None,
        )
    (done,) = await alerting.rows(
        "SELECT via FROM audit WHERE what LIKE 'alert%' AND actor = 'lin'"
    )
    assert done["via"] == "slack"


async def test_whoever_presses_on_is_told_once_an_hour(alerting: Alerting) -> None:
    async with shortage(alerting) as alert:
        id_ = str(alert["id"])
        await alerting.tell(alerting.level(5, sku="B"))
        await alerting.caught_up()
        (other,) = [each for each in await alerting.alerts() if each["sku"] == "B"]
        await respond(alerting, *(response(id_, "snooze", "nobody") for _ in range(5)))
        for another in ("anna", "somebody"):
            await respond(alerting, response(id_, "acknowledge", another))
        await respond(alerting, response(str(other["id"]), "acknowledge", "nobody"))
        refused = "SELECT actor FROM alert_history WHERE event = 'refused' ORDER BY actor, alert_id"
        told = [row["actor"] for row in await alerting.rows(refused)]
        assert told == ["anna", "nobody", "nobody", "somebody"]
        kept = "SELECT FROM response WHERE outcome IN ('unknown_person', 'out_of_scope')"
        assert len(await alerting.rows(kept)) == 8
        earlier = "UPDATE alert_history SET recorded_at = recorded_at - interval '1 hour'"
        await alerting.rows(f"{earlier} WHERE event = 'refused'")
        await respond(alerting, response(id_, "acknowledge", "nobody"))
        assert len(await alerting.rows(refused)) == 5


async def test_what_is_ordered_already_is_not_ordered_again(alerting: Alerting) -> None:
    async with shortage(alerting) as alert:
        id_ = str(alert["id"])
        await respond(alerting, response(id_, "ordered", quantity=200))
        await respond(alerting, response(id_, "ordered", "wang", quantity=200))
        found = await alerting.ask("GET", f"/v1/alerts/{id_}")
        assert [(each["event"], each["actor"]) for each in found["history"]] == [
            ("opened", None),
            ("acted", "lin"),
            ("acted", "lin"),
            ("refused", "wang"),
        ]
        assert (found["acknowledged_by"], found["owner"]) == ("lin", "lin")
        assert len(await alerting.rows("SELECT 1 FROM action")) == 1
        outcomes = await alerting.rows("SELECT outcome FROM response ORDER BY outcome")
        assert [row["outcome"] for row in outcomes] == ["covered", "done"]


async def test_what_was_approved_stays_so_where_the_answer_is_refused(alerting: Alerting) -> None:
    """It would give way to what was ordered, which something else makes needless."""
    async with shortage(alerting) as alert:
        await alerting.ask("PUT", "/v1/people/buyer", {"name": "Buyer"})
        await alerting.ask("PUT", "/v1/parameters?sku=A&warehouse=W", {"unit_cost": "1"})
        limits = [{"person": each, "amount": "100"} for each in ("buyer", "lin")]
        await alerting.ask("PUT", "/v1/approval-limits", {"items": limits})
        path = f"/v1/alerts/{alert['id']}/actions"
        for quantity, supplier in ((1, "FEW"), (50, "ENOUGH")):
            body = {"kind": "buy", "quantity": quantity, "supplier": supplier}
            await alerting.ask("POST", path, body, HTTPStatus.CREATED)
        await respond(alerting, response(str(alert["id"]), "ordered", quantity=500))
        outcomes = await alerting.rows("SELECT outcome FROM response")
        assert [row["outcome"] for row in outcomes] == ["covered"]
        states = await alerting.rows("SELECT state, order_id FROM action ORDER BY number")
        assert [row["state"] for row in states] == ["approved", "approved"]
        assert all(row["order_id"] for row in states)


async def test_what_has_ended_stays_as_it_is(alerting: Alerting) -> None:
    async with shortage(alerting) as alert:
        id_ = str(alert["id"])
        await alerting.tell(alerting.level(50))
        await alerting.caught_up()
        await respond(alerting, response(id_, "acknowledge"), response(id_, "snooze", "nobody"))
        assert [event for event, _ in await alerting.history(alert)] == ["opened", "resolved"]
        rows = await alerting.rows("SELECT DISTINCT outcome FROM response")
        assert [row["outcome"] for row in rows] == ["resolved"]
        # What people think of it is worth keeping all the same, whichever way they say it.
        late = (
            response(id_, "false_alarm", reason="short_lived"),
            response(id_, "false_alarm", "nobody", reason="known"),
        )
        await respond(alerting, *late)
        rows = await alerting.rows("SELECT who, outcome FROM response WHERE kind = 'false_alarm'")
        assert {row["who"].lower(): row["outcome"] for row in rows} == {
            "lin": "done",
            "nobody": "resolved",
        }
        await respond(alerting, response(id_, "false_alarm", reason="short_lived"))
        rows = await alerting.rows("SELECT outcome FROM response ORDER BY recorded_at DESC LIMIT 1")
        assert [row["outcome"] for row in rows] == ["unchanged"]
        assert [event for event, _ in await alerting.history(alert)] == ["opened", "resolved"]
        kept = await alerting.rows("DELETE FROM feedback RETURNING person, reason")
        assert [tuple(row) for row in kept] == [("lin", "short_lived")]
        path = f"/v1/alerts/{id_}/feedback"
        for _ in range(2):
            await alerting.ask("POST", path, {"reason": "short_lived", "note": "an hour"})
        assert [event for event, _ in await alerting.history(alert)] == ["opened", "resolved"]
        kept = await alerting.rows("SELECT person, reason, note FROM feedback")
        assert [tuple(row) for row in kept] == [("buyer", "short_lived", "an hour")]


async def test_feedback_over_the_api_is_a_revision_of_what_is_open(alerting: Alerting) -> None:
    async with shortage(alerting) as alert:
        path = f"/v1/alerts/{alert['id']}/feedback"
        found = await alerting.ask("POST", path, {"reason": "data_wrong", "note": "shelf is full"})
        *_, last, count = found["history"]
        assert (count["event"], count["actor"]) == ("acted", "buyer"), "the shelf is to be counted"
        assert (last["event"], last["actor"], last["reason"], last["note"]) == (
            "feedback",
            "buyer",
            "data_wrong",
            "数据有误: shelf is full",
        )
        again = await alerting.ask("POST", path, {"reason": "data_wrong", "note": "shelf is full"})
        assert len(again["history"]) == 3
        await alerting.ask("POST", path, {"reason": "nonsense"}, status=422)


async def test_a_corrected_feedback_counts(alerting: Alerting) -> None:
    async with shortage(alerting) as alert:
        path = f"/v1/alerts/{alert['id']}/feedback"
        bodies = [
            {"reason": "useful", "note": "ordered"},
            {"reason": "useful"},
            {"reason": "not_actionable"},
            {"reason": "useful"},
            {"reason": "useful", "note": "after all"},
        ]
        for body in bodies:
            for _ in range(2):
                await alerting.ask("POST", path, body)
        kept = await alerting.rows("SELECT reason, note FROM feedback ORDER BY id")
        assert [tuple(row) for row in kept] == [
            ("useful", "ordered"),
            ("not_actionable", None),
            ("useful", None),
            ("useful", "after all"),
        ]
        found = await alerting.ask("GET", f"/v1/alerts/{alert['id']}")
        said = [each["reason"] for each in found["history"] if each["event"] == "feedback"]
        assert said == ["useful", "not_actionable", "useful", "useful"], "the newest first"
        right = (await alerting.ask("GET", "/v1/review"))["total"]["right"]
        assert (right["part"], right["whole"]) == (1, 1)


async def test_the_same_feedback_twice_at_once_is_kept_once(alerting: Alerting) -> None:
    async with shortage(alerting) as alert:
        path, body = f"/v1/alerts/{alert['id']}/feedback", {"reason": "useful"}
        await asyncio.gather(*(alerting.ask("POST", path, body) for _ in range(8)))
        assert len(await alerting.rows("SELECT FROM feedback")) == 1


async def test_whoever_was_told_may_answer(alerting: Alerting) -> None:
    async with shortage(alerting) as alert:
        id_ = str(alert["id"])
        await alerting.rows(
            "UPDATE alert_history SET told = '{anna}' WHERE alert_id = $1", UUID(id_)
        )
        await respond(alerting, response(id_, "acknowledge", "anna"))
        assert await alerting.history(alert) == [("opened", "watch"), ("acknowledged", "watch")]


async def test_what_is_no_response_is_put_aside_and_levels_go_on(alerting: Alerting) -> None:
    async with shortage(alerting) as alert:
        newer = response(str(alert["id"]), "acknowledge").encode().replace(b'"v":1', b'"v":2')
        unwritable = response(str(alert["id"]), "acknowledge").encode()
        unwritable = unwritable.replace(b'"who":"LIN"', b'"who":"LI\\u0000N"')
        await alerting.producer.send(
            TOPIC, [Message(0, b"k", value) for value in (b"{", newer, None, unwritable)]
        )
        dead = await records_until(
            alerting.settings, dead_topic(TOPIC), lambda found: len(found) >= 4
        )
        reasons = [DeadLetter.model_validate_json(each.value or b"").reason for each in dead]
        assert reasons == ["undecodable", "invalid", "undecodable", "invalid"]
        await alerting.tell(alerting.level(50))
        await alerting.caught_up()
        assert await alerting.history(alert) == [("opened", "watch"), ("resolved", "watch")]


async def test_levels_go_on_while_responses_are_halted(alerting: Alerting) -> None:
    async with shortage(alerting) as alert:
        await alerting.producer.send(TOPIC, [Message(0, b"k", b"{")] * (LIMIT + 1))

        async def halted() -> bool:
            rows = await alerting.rows(
                "SELECT FROM consumer_position WHERE topic = $1 AND stopped IS NOT NULL", TOPIC
            )
            return bool(rows)

        await until(halted)
        await alerting.tell(alerting.level(50))
        await alerting.caught_up()
        assert await alerting.history(alert) == [("opened", "watch"), ("resolved", "watch")]
    async with alerting.consuming():
        await alerting.tell(alerting.level(5))
        await alerting.caught_up()
        states = [each["state"] for each in await alerting.alerts()]
        assert sorted(states) == ["open", "resolved"]


async def test_the_alerts_of_a_batch_are_locked_in_the_order_of_all_others(
    alerting: Alerting,
) -> None:
    async with shortage(alerting):
        await alerting.tell(alerting.level(5, sku="B"))
        await alerting.caught_up()
    first, second = sorted(UUID(str(each["id"])) for each in await alerting.alerts())
    answers = [response(str(each), "acknowledge").encode() for each in (second, first)]
    batch = Batch([FakeRecord(value, topic=TOPIC) for value in answers], {0: 1})
    engine = create_engine(alerting.database.url("alerting"))

    async def respond_to_both() -> None:
        async with engine.begin() as connection:
            await AlertResponses(Catalogue(), WallClock()).handle(connection, batch)

    async def waiting() -> bool:
        query = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1"
        return bool(await alerting.rows(query, engine.url.database))

    async with asyncio.TaskGroup() as group, engine.begin() as other:
        await other.execute(LOCKED, {"id": first})
        group.create_task(respond_to_both())
        await until(waiting)
        # Whoever has the first may ask for the second: nobody holds that and waits for the first.
        await other.execute(LOCKED, {"id": second})
    taken = await alerting.rows("SELECT FROM alert WHERE acknowledged_by = 'lin'")
    assert len(taken) == 2
    await engine.dispose()
