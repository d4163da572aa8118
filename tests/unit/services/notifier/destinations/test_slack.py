import json
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from services.notifier.destinations.exchange import Answer
from services.notifier.destinations.kinds import Renderer
from services.notifier.destinations.slack import judge, read
from services.notifier.domain.addresses import Slack
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Language
from services.notifier.domain.outcomes import Outcome, Verdict
from shared.testing.slack import PATH, FakeSlack
from shared.testing.unruly_http import Reply, Request
from tests.factories.stock_alerts import alert_id, stock_alert
from tests.unit.services.notifier.destinations.deliveries import (
    EVERY_KIND,
    EVIL,
    NOW,
    delivery,
    destination,
    link_of,
)

TOKEN, CHANNEL = "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy", "C024BE91L"
SLACK = Slack(SecretStr(TOKEN), CHANNEL, "https://slack.example")
RENDERER = Renderer("http://console.example/")


def rendered(one: Delivery, language: Language = Language.ENGLISH) -> bytes:
    return RENDERER.render(one, destination(language, SLACK), NOW)


def accepted(raw: bytes) -> str:
    """Return the text after the strict fake has taken it."""
    fake = FakeSlack(TOKEN, {CHANNEL})
    headers = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
    answer = fake.answer(Request("POST", PATH, {}, raw, headers))
    assert isinstance(answer, Reply)
    assert json.loads(answer.body)["ok"] is True
    return fake.posted[0].text


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
    change = delivery(stock_alert(7, revision=2, event=event, previous_level="urgent"), Kind.CHANGE)
    body = json.loads(rendered(replace(change, thread="1772352000.000001")))
    assert (body["thread_ts"], body["reply_broadcast"]) == ("1772352000.000001", broadcast)


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
