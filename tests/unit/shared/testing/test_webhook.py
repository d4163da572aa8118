import base64
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import ManualClock
from shared.testing import webhook
from shared.testing.unruly_http import Misconduct, Reply, Request
from shared.testing.vendor import Fault
from shared.testing.webhook import FakeReceiver

SECRET = "whsec_bG93dGlkZSB3YXJucyBiZWZvcmUgdGhlIHNoZWxm"
BODY = b'{"type":"stock.alert.opened","timestamp":"2026-03-01T08:00:00+00:00","data":{"number":7}}'
NOW = datetime.fromtimestamp(1_772_352_000, UTC)
# By `openssl dgst -sha256 -binary -mac HMAC -macopt key:'lowtide warns before the shelf' | base64`
# from msg-1.1772352000. and the body.
SIGNATURE = "v1,KYj8Mox4LvQhqcgBH9OBCB6V6wUOmEChGJ1b4vbHOO8="


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def fake(clock: ManualClock) -> FakeReceiver:
    return FakeReceiver(SECRET, clock=clock)


def request(body: bytes = BODY, **headers: str) -> Request:
    usual = {
        "content-type": "application/json",
        "webhook-id": "msg-1",
        "webhook-timestamp": "1772352000",
        "webhook-signature": SIGNATURE,
    }
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", webhook.PATH, {}, body, usual | given)


def status(fake: FakeReceiver, asked: Request) -> int:
    answer = fake.answer(asked)
    assert isinstance(answer, Reply)
    return answer.status


def test_an_event_signed_by_another_tool_is_kept(fake: FakeReceiver) -> None:
    assert status(fake, request()) == 204
    (event,) = fake.events
    assert (event.id, event.at, event.type, event.data, event.raw) == (
        "msg-1",
        NOW,
        "stock.alert.opened",
        {"number": 7},
        BODY,
    )


def test_one_matching_signature_of_several_is_enough(fake: FakeReceiver) -> None:
    assert status(fake, request(webhook_signature=f"v1,AAAA v1a,BBBB {SIGNATURE}")) == 204


def test_a_repeat_is_answered_and_kept_apart(fake: FakeReceiver) -> None:
    assert [status(fake, request()) for _ in range(3)] == [204, 204, 204]
    assert (len(fake.events), fake.repeats) == (1, ["msg-1", "msg-1"])


@pytest.mark.parametrize(
    "asked",
    [
        request(BODY.replace(b"7", b"8")),
        request(webhook_id="msg-2"),
        request(webhook_id=""),
        request(webhook_id="msg.1"),
        request(webhook_timestamp="1772352001"),
        request(webhook_timestamp="now"),
        request(webhook_signature=SIGNATURE.replace("v1,", "")),
        request(webhook_signature=SIGNATURE.replace("v1,", "v2,")),
        request(webhook_signature="v1,é"),
        request(webhook_signature=""),
    ],
)
def test_what_is_not_signed_as_it_is_is_refused(fake: FakeReceiver, asked: Request) -> None:
    assert status(fake, asked) == 401
    assert (fake.events, fake.rejected) == ([], {401: 1})


@pytest.mark.parametrize(
    ("seconds", "expected"), [(300, 204), (301, 401), (-300, 204), (-301, 401)]
)
def test_five_minutes_either_way_are_enough_and_not_more(
    fake: FakeReceiver, clock: ManualClock, seconds: int, expected: int
) -> None:
    clock.advance(timedelta(seconds=seconds))
    assert status(fake, request()) == expected


def signed(fake: FakeReceiver, body: bytes) -> Request:
    """Sign with the fake's own key: here the body matters."""
    mac = hmac.digest(fake._key, b"msg-1.1772352000." + body, "sha256")
    return request(body, webhook_signature=f"v1,{base64.b64encode(mac).decode()}")


@pytest.mark.parametrize(
    "change",
    [
        {"type": "no type"},
        {"type": None},
        {"timestamp": "2026-03-01T08:00:00"},
        {"timestamp": "today"},
        {"timestamp": None},
        {"data": []},
    ],
)
def test_what_is_no_event_is_refused(fake: FakeReceiver, change: dict[str, object]) -> None:
    body = json.dumps(json.loads(BODY) | change).encode()
    assert status(fake, signed(fake, body)) == 400


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b"\xff"])
def test_what_is_no_json_object_is_refused(fake: FakeReceiver, body: bytes) -> None:
    assert status(fake, signed(fake, body)) == 400


def test_json_is_announced(fake: FakeReceiver) -> None:
    assert status(fake, request(content_type="text/plain")) == 400


def test_it_is_one_endpoint(fake: FakeReceiver) -> None:
    assert status(fake, Request("POST", "/elsewhere", {}, BODY)) == 404
    assert status(fake, Request("GET", webhook.PATH, {}, b"")) == 405


def test_it_answers_with_a_status_as_ordered_and_says_when_to_come_back(
    fake: FakeReceiver,
) -> None:
    fake.order(Fault.ERRCODE, errcode=429)
    fake.order(Fault.ERRCODE, errcode=410)
    fake.retry_after = 30
    busy, gone = fake.answer(request()), fake.answer(request())
    assert isinstance(busy, Reply)
    assert isinstance(gone, Reply)
    assert (busy.status, busy.headers) == (429, {"Retry-After": "30"})
    assert (gone.status, gone.headers) == (410, {})
    assert fake.events == []


def test_a_lost_answer_leaves_the_event_received(fake: FakeReceiver) -> None:
    fake.order(Fault.LOSE_ANSWER)
    assert fake.answer(request()) is Misconduct.DROP
    assert [event.answer_lost for event in fake.events] == [True]
    assert fake.answers_lost == 1
