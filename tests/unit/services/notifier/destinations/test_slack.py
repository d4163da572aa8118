import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from pydantic import SecretStr

from services.notifier.destinations.exchange import Answer
from services.notifier.destinations.kinds import Renderer
from services.notifier.destinations.slack import judge, read
from services.notifier.destinations.slack_blocks import TEXT
from services.notifier.domain.addresses import Slack
from services.notifier.domain.cards import task_id
from services.notifier.domain.deliveries import Delivery, Kind, Posted
from services.notifier.domain.destinations import Language
from services.notifier.domain.outcomes import Outcome, Verdict
from shared.events.stock_alerts import AlertEvent, StockAlert
from shared.testing.slack import CHANGE, PATH, FakeSlack
from shared.testing.unruly_http import Reply, Request
from tests.factories.stock_alerts import alert_id, stock_alert
from tests.unit.services.notifier.destinations.deliveries import (
    ACTED,
    EVERY_KIND,
    EVIL,
    LONGEST,
    NOW,
    REQUESTED,
    delivery,
    destination,
    link_of,
)

TOKEN, CHANNEL = "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy", "C024BE91L"
SLACK = Slack(SecretStr(TOKEN), CHANNEL, "https://slack.example")
ANSWERED = replace(SLACK, signing_secret=SecretStr("8f742231b10e8888abcd99yyyzzz85a5"))
FIRST_TS, OTHER_TS = "1772352000.000001", "1772352001.000002"
RENDERER = Renderer("http://console.example/")


def rendered(one: Delivery, language: Language = Language.ENGLISH, slack: Slack = SLACK) -> bytes:
    return RENDERER.render(one, destination(language, slack), NOW)


def taken(fake: FakeSlack, raw: bytes, path: str = PATH) -> None:
    headers = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
    answer = fake.answer(Request("POST", path, {}, raw, headers))
    assert isinstance(answer, Reply)
    assert json.loads(answer.body)["ok"] is True, answer.body


def accepted(raw: bytes) -> str:
    """Return the text after the strict fake has taken it."""
    fake = FakeSlack(TOKEN, {CHANNEL})
    taken(fake, raw)
    return fake.posted[0].text


def offered(blocks: object) -> dict[str, dict[str, object]]:
    """Return what can be pressed, by name."""
    assert isinstance(blocks, list)
    return {
        each["action_id"]: each
        for block in blocks
        if block["type"] == "actions"
        for each in block["elements"]
    }


def change(alert: StockAlert, *posted: Posted, marked: bool = False) -> Delivery:
    """Return a change of an episode whose messages with buttons are these."""
    one = delivery(alert, Kind.CHANGE, duplicate_possible=marked)
    return replace(one, id=UUID(int=9), thread=FIRST_TS, posted=posted)


FIRST = Posted(FIRST_TS, rendered(delivery(stock_alert(7)), slack=ANSWERED))


def test_an_opening_says_what_where_how_bad_since_when_and_what_to_do() -> None:
    assert accepted(rendered(delivery(stock_alert(7)))) == "\n".join(
        [
            ":red_circle: *[Out of stock] #7 蓝色马克杯*",
            "*SKU*: SKU-7",
            "*Warehouse*: UK",
            "*Available*: 0 (on hand 12, incoming 48)",
            "*Threshold*: 20",
            "*Days of cover*: 0.0 (sold a day 3.4)",
            "*Since*: 2026-03-01 08:00 (Europe/London)",
            "*Rule*: Out of stock",
            (
                "*What to do*: Reorder now or transfer from another warehouse; until it arrives, "
                "stop selling or lower what the channels may sell."
            ),
            f"<http://console.example/alerts/{alert_id(7)}|Open in the console>",
        ]
    )


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", EVERY_KIND)
def test_everything_is_taken_fits_and_ends_with_its_link(name: str, language: Language) -> None:
    raw = rendered(EVERY_KIND[name], language)
    text = accepted(raw)
    assert text.splitlines()[-1].startswith(f"<{link_of(name)}")
    size = len(text.encode())
    assert size <= Slack.longest_bytes
    assert read(raw) == (text, size)


def test_without_a_signing_secret_there_are_no_buttons() -> None:
    assert "blocks" not in json.loads(rendered(delivery(stock_alert(7))))


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", EVERY_KIND)
def test_with_a_signing_secret_everything_is_taken_as_well(name: str, language: Language) -> None:
    raw = rendered(EVERY_KIND[name], language, ANSWERED)
    text = accepted(raw)
    blocks = json.loads(raw).get("blocks", [])
    assert [each["text"]["text"] for each in blocks[:1]] == [text] * len(blocks[:1])
    asks = EVERY_KIND[name].kind is Kind.FIRST or name in {"longest request", "longest reminder"}
    assert ("blocks" in json.loads(raw)) == asks


@pytest.mark.parametrize(
    ("kind", "fields", "has_buttons"),
    [
        (Kind.FIRST, {}, True),
        (Kind.ESCALATION, {"event": "escalated"}, True),
        (Kind.CHANGE, {"event": "reminded"}, True),
        (Kind.CHANGE, {"event": "level_changed", "previous_level": "urgent"}, True),
        (Kind.CHANGE, {"event": "level_changed", "level": "watch", "previous_level": "out"}, False),
        (Kind.ESCALATION, REQUESTED, True),
        (Kind.CHANGE, ACTED, False),
        (Kind.CHANGE, {"event": "acknowledged"}, False),
        (Kind.CHANGE, {"event": "resolved"}, False),
    ],
)
def test_what_asks_people_to_act_has_buttons(
    kind: Kind, fields: dict[str, object], has_buttons: bool
) -> None:
    body = json.loads(rendered(delivery(stock_alert(7, **fields), kind), slack=ANSWERED))
    assert ("blocks" in body) is has_buttons


def test_the_buttons_say_what_they_do_and_how_much() -> None:
    facts = {"available": 0, "on_hand": 0, "low_water": 0, "proposed": 1_200}
    raw = rendered(delivery(stock_alert(7, facts=facts)), Language.CHINESE, ANSWERED)
    blocks = json.loads(raw)["blocks"]
    buttons = offered(blocks)
    assert list(buttons) == ["acknowledge", "false_alarm", "ordered", "snooze"]
    assert buttons["ordered"]["value"] == "ordered:1200"
    assert buttons["ordered"]["text"] == {"type": "plain_text", "text": "已下单 1,200"}
    assert [each for each, one in buttons.items() if "style" in one] == ["acknowledge"]
    choices = {
        name: [each["value"] for each in options]
        for name, one in buttons.items()
        if isinstance(options := one.get("options"), list)
    }
    assert choices["snooze"] == ["minutes:240", "minutes:1440", "minutes:4320"]
    assert choices["false_alarm"][0] == "reason:data_wrong"
    assert len(choices["false_alarm"]) == 6
    assert blocks[-1]["block_id"] == task_id(UUID(int=7))


def test_a_change_shows_who_did_what_below_the_words_that_people_acted_upon() -> None:
    alert = stock_alert(
        7,
        revision=2,
        event="acknowledged",
        actor="lin",
        acknowledged_by="lin",
        names={"lin": "<Lin>"},
        note="on it",
    )
    body = json.loads(rendered(change(alert, FIRST), slack=ANSWERED))
    (changed,) = body["changes"]
    first = json.loads(FIRST.rendered)
    section, context, actions = changed["blocks"]
    assert section == first["blocks"][0]
    said = context["elements"][0]["text"]
    assert said.splitlines() == [
        "Acknowledged · &lt;Lin&gt; · 2026-03-01 08:00 (Europe/London)",
        "Acknowledged by: &lt;Lin&gt;",
        "Note: on it",
    ]
    assert changed["text"] == f"{first['text']}\n{said}"
    assert list(offered(changed["blocks"])) == ["false_alarm", "ordered", "snooze"]
    assert actions["block_id"] == task_id(UUID(int=9)) != first["blocks"][-1]["block_id"]
    assert (changed["ts"], body["message"]["thread_ts"]) == (FIRST_TS, FIRST_TS)
    assert "blocks" not in body["message"]
    assert read(json.dumps(body).encode()).text == body["message"]["text"]


def test_an_end_leaves_no_buttons() -> None:
    body = json.loads(
        rendered(change(stock_alert(7, revision=2, event="resolved"), FIRST), slack=ANSWERED)
    )
    assert [each["type"] for each in body["changes"][0]["blocks"]] == ["section", "context"]


def test_without_the_secret_what_has_buttons_loses_them() -> None:
    alert = stock_alert(7, revision=2, event="acknowledged")
    body = json.loads(rendered(change(alert, FIRST)))
    assert offered(body["changes"][0]["blocks"]) == {}


def test_of_many_messages_the_first_and_the_newest_change() -> None:
    others = [Posted(f"1772352001.00000{number}", FIRST.rendered) for number in range(3)]
    alert = stock_alert(7, revision=9, event="acknowledged")
    body = json.loads(rendered(change(alert, FIRST, *others), slack=ANSWERED))
    assert [each["ts"] for each in body["changes"]] == [FIRST_TS, others[-1].ts]


def test_what_asks_somebody_changes_nothing_that_is_there() -> None:
    body = json.loads(
        rendered(change(stock_alert(7, revision=2, event="reminded"), FIRST), slack=ANSWERED)
    )
    assert list(offered(body["blocks"])) == list(offered(json.loads(FIRST.rendered)["blocks"]))


def test_a_change_that_may_have_been_told_is_only_shown() -> None:
    alert = stock_alert(7, revision=2, event="acknowledged")
    raw = rendered(change(alert, FIRST, marked=True), slack=ANSWERED)
    assert list(json.loads(raw)) == ["changes"]
    assert read(raw).text.startswith(json.loads(FIRST.rendered)["text"])
    # In another channel nobody has heard of it.
    assert "thread_ts" in json.loads(rendered(change(alert, marked=True), slack=ANSWERED))


@pytest.mark.parametrize("alert", [LONGEST, EVIL])
def test_the_longest_and_the_worst_are_taken_when_they_change(alert: StockAlert) -> None:
    fake = FakeSlack(TOKEN, {CHANNEL})
    first = rendered(delivery(alert), slack=ANSWERED)
    taken(fake, first)
    (posted,) = fake.posted
    names = {"owner": "&" * 200, "actor": "<" * 200, "snoozed_until": NOW, "note": "&" * 5_000}
    done = alert.model_copy(update=names | {"event": AlertEvent.ACKNOWLEDGED})
    body = json.loads(rendered(change(done, Posted(posted.ts, first)), slack=ANSWERED))
    taken(fake, json.dumps(body["changes"][0]).encode(), CHANGE)
    assert posted.changes == 1
    assert "<!channel>" not in posted.shown
    assert "<@" not in posted.shown


def test_a_text_with_buttons_fits_into_a_section() -> None:
    long = "&" * 200
    rule = {"id": "r", "version": 1, "kind": "below", "name": {"en": long}}
    alert = stock_alert(7, sku_name=long, note=long, rule=rule)
    size = len(json.loads(rendered(delivery(alert)))["text"])
    assert TEXT < size <= Slack.longest_bytes
    assert len(accepted(rendered(delivery(alert), slack=ANSWERED))) <= TEXT


def test_texts_with_names_are_taken_as_they_stand() -> None:
    alert = stock_alert(7, revision=2, event="acknowledged", actor="@here")
    body = json.loads(rendered(change(alert, FIRST), slack=ANSWERED))
    section, context, _ = body["changes"][0]["blocks"]
    assert [each["verbatim"] for each in (section["text"], *context["elements"])] == [True, True]
    assert body["changes"][0]["parse"] == "none"


def test_a_refusal_is_for_one_person_alone() -> None:
    to = [{"name": "U024BE7LH", "language": "en", "slack_user_id": "U024BE7LH"}]
    alert = stock_alert(7, revision=2, event="refused", to=to, note="Nothing changed")
    raw = rendered(change(alert, FIRST), slack=ANSWERED)
    (alone,) = json.loads(raw).values()
    assert (alone["user"], alone["channel"]) == ("U024BE7LH", CHANNEL)
    assert "Nothing changed" in alone["text"]
    assert read(raw).text == alone["text"]


def test_a_name_mentions_nobody_and_links_nowhere() -> None:
    text = accepted(rendered(delivery(EVIL)))
    assert text.count("<") == text.count(">") == 1
    assert "&lt;!channel&gt;" in text
    assert "&amp;lt;@U1&amp;gt;" in text


@pytest.mark.parametrize(
    ("event", "broadcast"), [("level_changed", True), ("resolved", True), ("acknowledged", False)]
)
def test_what_follows_hangs_under_the_first_and_shows_in_the_channel_if_it_matters(
    event: str, broadcast: bool
) -> None:
    one = delivery(stock_alert(7, revision=2, event=event, previous_level="urgent"), Kind.CHANGE)
    body = json.loads(rendered(replace(one, thread="1772352000.000001")))
    assert (body["thread_ts"], body["reply_broadcast"]) == ("1772352000.000001", broadcast)


def test_a_request_for_an_approval_shows_in_the_channel() -> None:
    one = delivery(stock_alert(7, **REQUESTED), Kind.ESCALATION)
    body = json.loads(rendered(replace(one, thread="1772352000.000001")))
    assert body["reply_broadcast"] is True


def test_without_a_first_notice_it_stands_by_itself() -> None:
    assert "thread_ts" not in json.loads(rendered(EVERY_KIND["change"]))


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, {"ok": True, "ts": "1772352000.000001"}, Verdict.ACCEPTED),
        (200, {"ok": False, "error": "invalid_auth"}, Verdict.PERMANENT),
        (200, {"ok": False, "error": "channel_not_found"}, Verdict.PERMANENT),
        (200, {"ok": False}, Verdict.PERMANENT),
        (200, {"ok": False, "error": "service_unavailable"}, Verdict.TRANSIENT),
        (200, {"ok": False, "error": "ratelimited"}, Verdict.TRANSIENT),
        (200, {"ok": False, "error": "fatal_error"}, Verdict.UNKNOWN),
        (200, {"ok": False, "error": "internal_error"}, Verdict.UNKNOWN),
        (429, {"ok": False, "error": "ratelimited"}, Verdict.TRANSIENT),
        (500, {"ok": True}, Verdict.TRANSIENT),
        (200, {}, Verdict.UNKNOWN),
        (200, [], Verdict.UNKNOWN),
    ],
)
def test_ok_decides_although_the_status_is_200(status: int, body: object, verdict: Verdict) -> None:
    assert judge(Answer(status, json.dumps(body).encode())).verdict is verdict


@pytest.mark.parametrize(
    ("ts", "receipt"),
    [("1772352000.000001", "1772352000.000001"), ("\x00", None), ("", None), (None, None)],
)
def test_the_receipt_is_the_messages_ts(ts: str | None, receipt: str | None) -> None:
    said = json.dumps({"ok": True, "ts": ts}).encode()
    assert judge(Answer(200, said)) == Outcome(Verdict.ACCEPTED, "ok", "ok", receipt=receipt)


def test_too_many_wait_as_long_as_slack_says() -> None:
    said = b'{"ok": false, "error": "ratelimited"}'
    assert judge(Answer(429, said, timedelta(seconds=30))).lane_wait == timedelta(seconds=30)
    assert judge(Answer(200, said, timedelta(seconds=30))).lane_wait == timedelta(seconds=30)
    assert judge(Answer(200, said)).lane_wait == timedelta(seconds=1)
