import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

from services.notifier.domain.cards import Press
from services.notifier.inbound.proofs import Forged
from services.notifier.inbound.slack_callback import press_in, verify
from shared.events.alert_responses import Via
from shared.testing.slack import signature

SECRET = SecretStr("8f742231b10e8888abcd99yyyzzz85a5")
TIMESTAMP = "1531420618"
NOW = datetime.fromtimestamp(int(TIMESTAMP), UTC)
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
    b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


def test_the_vendors_own_example_is_let_in() -> None:
    verify(SECRET, SIGNATURE, TIMESTAMP, BODY, NOW)
    assert signature(SECRET.get_secret_value(), TIMESTAMP, BODY) == SIGNATURE
    assert press_in(BODY) is None


@pytest.mark.parametrize(
    ("given", "timestamp", "body", "secret"),
    [
        (SIGNATURE, TIMESTAMP, BODY + b"&", SECRET),
        (SIGNATURE, TIMESTAMP, BODY.replace(b"U2C", b"U2D"), SECRET),
        (SIGNATURE, "1531420619", BODY, SECRET),
        (SIGNATURE, TIMESTAMP, BODY, SecretStr("8f742231b10e8888abcd99yyyzzz85a6")),
        (SIGNATURE.removeprefix("v0="), TIMESTAMP, BODY, SECRET),
        (SIGNATURE.upper(), TIMESTAMP, BODY, SECRET),
        ("", TIMESTAMP, BODY, SECRET),
        ("v0=\xe9", TIMESTAMP, BODY, SECRET),
    ],
)
def test_whatever_is_changed_breaks_the_signature(
    given: str, timestamp: str, body: bytes, secret: SecretStr
) -> None:
    with pytest.raises(Forged, match="signature"):
        verify(secret, given, timestamp, body, NOW)


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(minutes=-5)])
def test_five_minutes_are_near_enough_and_more_are_not(ahead: timedelta) -> None:
    verify(SECRET, SIGNATURE, TIMESTAMP, BODY, NOW + ahead)
    with pytest.raises(Forged, match="too far"):
        verify(SECRET, SIGNATURE, TIMESTAMP, BODY, NOW + ahead + ahead / 300)


@pytest.mark.parametrize("timestamp", ["", "-5", "1e9", "9" * 20, "\uff11"])
def test_a_timestamp_is_a_number(timestamp: str) -> None:
    signed = signature(SECRET.get_secret_value(), timestamp, BODY)
    with pytest.raises(Forged, match="timestamp"):
        verify(SECRET, signed, timestamp, BODY, NOW)


def form(**fields: object) -> bytes:
    """Return the form of a press on a button, unless it is said otherwise."""
    action = {
        "type": "button",
        "action_id": "acknowledge",
        "block_id": "lowtide-1",
        "action_ts": "1531420618.340180",
        "value": "acknowledge",
    }
    said: dict[str, object] = {
        "type": "block_actions",
        "user": {"id": "U2CERLKJA", "username": "roadrunner"},
        "actions": [action | {name: value for name, value in fields.items() if name in action}],
    }
    said |= {name: value for name, value in fields.items() if name in {"type", "user", "actions"}}
    return urlencode({"payload": json.dumps(said)}).encode()


def test_a_button_says_who_when_and_what() -> None:
    assert press_in(form(value="ordered:200", action_id="ordered")) == Press(
        who="U2CERLKJA",
        at=NOW + timedelta(microseconds=340_180),
        task_id="lowtide-1",
        event_key="ordered:200",
        via=Via.SLACK,
    )


def test_a_menu_says_what_was_chosen() -> None:
    chosen = {
        "type": "static_select",
        "action_id": "snooze",
        "block_id": "lowtide-1",
        "action_ts": "1531420618.340180",
        "selected_option": {"text": {"type": "plain_text", "text": "x"}, "value": "minutes:240"},
    }
    press = press_in(form(actions=[chosen]))
    assert press is not None
    assert (press.event_key, press.options) == ("snooze", ("minutes:240",))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=",
        b"ssl_check=1",
        form(type="view_submission"),
        form(actions=[]),
        form(user=None),
    ],
)
def test_what_else_the_vendor_tells_is_no_press(body: bytes) -> None:
    assert press_in(body) is None


@pytest.mark.parametrize(
    "body",
    [
        b"payload=x",
        b"payload=%5B%5D",
        b"payload=%FF",
        form(action_ts="yesterday"),
        form(action_ts="9" * 30 + ".1"),
        form(user={"id": ""}),
        form(user={"id": "U\x00"}),
        form(actions=[{}]),
    ],
)
def test_a_payload_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(Forged, match="payload"):
        press_in(body)
