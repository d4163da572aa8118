from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from services.notifier.domain.addresses import WecomApp
from services.notifier.domain.cards import Press
from services.notifier.inbound.proofs import Forged
from services.notifier.inbound.wecom_callback import Mailroom, encrypted_part, press_in
from shared.testing.wecom_app import FakeWecomApp
from shared.testing.wecom_envelope import seal, signed

TOKEN = "QDG6eK"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
CORP = "wx5823bf96d3bd56c7"
TIMESTAMP, NONCE = 1_409_659_589, "263014780"
NOW = datetime.fromtimestamp(TIMESTAMP, UTC)
ECHO = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
SIGNATURE = "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"


def app(corp_id: str = CORP) -> WecomApp:
    return WecomApp(
        corp_id=corp_id,
        agent_id=1,
        secret=SecretStr("s"),
        callback_token=SecretStr(TOKEN),
        encoding_aes_key=SecretStr(AES_KEY),
        to=("zhangsan",),
        url="https://wecom.example",
    )


ROOM = Mailroom(app())


def sealed(message: bytes, receive_id: str = CORP) -> tuple[str, str, str, str]:
    envelope = seal(
        message,
        token=TOKEN,
        encoding_aes_key=AES_KEY,
        receive_id=receive_id,
        timestamp=TIMESTAMP,
    )
    query = envelope.query
    return query["msg_signature"], query["timestamp"], query["nonce"], envelope.encrypted


def resigned(encrypted: str, timestamp: str = str(TIMESTAMP)) -> tuple[str, str, str, str]:
    query = signed(TOKEN, timestamp, NONCE, encrypted)
    return query["msg_signature"], timestamp, NONCE, encrypted


def test_the_vendors_own_example_is_opened() -> None:
    said = ROOM.opened(SIGNATURE, str(TIMESTAMP), NONCE, ECHO, NOW)
    assert said == b"1616140317555161061"
    assert signed(TOKEN, str(TIMESTAMP), NONCE, ECHO)["msg_signature"] == SIGNATURE


@given(st.binary(max_size=200))
def test_what_the_vendor_seals_is_opened(message: bytes) -> None:
    assert ROOM.opened(*sealed(message), NOW) == message


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(minutes=-5)])
def test_five_minutes_are_near_enough_and_more_are_not(ahead: timedelta) -> None:
    ROOM.opened(SIGNATURE, str(TIMESTAMP), NONCE, ECHO, NOW + ahead)
    with pytest.raises(Forged, match="too far"):
        ROOM.opened(SIGNATURE, str(TIMESTAMP), NONCE, ECHO, NOW + ahead + ahead / 300)


@pytest.mark.parametrize("place", range(4))
def test_whatever_is_changed_breaks_the_signature(place: int) -> None:
    parts = [SIGNATURE, str(TIMESTAMP), NONCE, ECHO]
    parts[place] = ("2" if parts[place][0] == "1" else "1") + parts[place][1:]
    signature, timestamp, nonce, encrypted = parts
    with pytest.raises(Forged, match="signature"):
        ROOM.opened(signature, timestamp, nonce, encrypted, NOW)


def test_what_is_for_another_company_is_refused() -> None:
    with pytest.raises(Forged, match="somebody else"):
        ROOM.opened(*sealed(b"x", receive_id="another"), NOW)
    with pytest.raises(Forged, match="somebody else"):
        Mailroom(app("another")).opened(SIGNATURE, str(TIMESTAMP), NONCE, ECHO, NOW)


@pytest.mark.parametrize("encrypted", ["", "AAAA", "不", ECHO[:-4], "A" * 64, ECHO + "===="])
def test_signed_nonsense_is_refused(encrypted: str) -> None:
    with pytest.raises(Forged):
        ROOM.opened(*resigned(encrypted), NOW)


@pytest.mark.parametrize("timestamp", ["", "-5", "1e9", "9" * 20, "\uff11"])
def test_a_timestamp_is_a_number(timestamp: str) -> None:
    with pytest.raises(Forged, match="timestamp"):
        ROOM.opened(*resigned(ECHO, timestamp), NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<xml/>",
        b"<xml><Encrypt></Encrypt></xml>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><xml><Encrypt>&a;</Encrypt></xml>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml><Encrypt>a</Encrypt></xml>',
        b'<?xml version="1.0" encoding="foo"?><xml><Encrypt>a</Encrypt></xml>',
        b'<?xml version="1.0" encoding="hex"?><xml><Encrypt>a</Encrypt></xml>',
        b'<?xml version="1.0" encoding="rot13"?><xml><Encrypt>a</Encrypt></xml>',
        b'<?xml version="1.0" encoding="undefined"?><xml><Encrypt>a</Encrypt></xml>',
    ],
)
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(Forged):
        encrypted_part(body)


def test_a_press_is_read_with_its_choice() -> None:
    fake = FakeWecomApp(("zhangsan",), corp_id=CORP)
    envelope = fake.envelope("zhangsan", "snooze", "lowtide-1", option="minutes:240", at=NOW)
    query = envelope.query
    message = ROOM.opened(
        query["msg_signature"],
        query["timestamp"],
        query["nonce"],
        encrypted_part(envelope.body),
        NOW,
    )
    assert press_in(message) == Press(
        "zhangsan", NOW, "lowtide-1", "snooze", ("minutes:240",), "code-1"
    )


def test_other_events_are_no_presses() -> None:
    assert press_in(b"<xml><Event>enter_agent</Event></xml>") is None
    assert press_in(b"<xml><MsgType>text</MsgType></xml>") is None


@pytest.mark.parametrize(
    "fields",
    [
        "<CreateTime>1</CreateTime>",
        "<FromUserName>a</FromUserName>",
        "<FromUserName>a</FromUserName><CreateTime>x</CreateTime>",
        f"<FromUserName>{'a' * 65}</FromUserName><CreateTime>1</CreateTime>",
    ],
)
def test_a_press_has_an_author_and_a_time(fields: str) -> None:
    with pytest.raises(Forged):
        press_in(f"<xml><Event>template_card_event</Event>{fields}</xml>".encode())
