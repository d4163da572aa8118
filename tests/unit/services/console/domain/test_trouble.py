"""The usual codes of vendors mean something to people."""

import pytest

from services.console.domain.language import Language
from services.console.domain.texts import Words
from services.console.domain.trouble import trouble
from services.notifier.destinations import dingtalk_bot, feishu_bot, slack, wecom_bot

ZH = Words(Language.CHINESE)


@pytest.mark.parametrize(
    ("kind", "code", "meaning"),
    [
        ("wecom_bot", "93000", "bad_key"),
        ("wecom_app", "60020", "address_not_trusted"),
        ("wecom_app", "81013", "nobody_there"),
        ("wecom_app", "45009", "too_often"),
        ("dingtalk_bot", "310000", "bad_signature"),
        ("feishu_bot", "19022", "address_not_allowed"),
        ("slack", "not_in_channel", "not_in_channel"),
        ("email", "535", "bad_password"),
        ("email", "503", None),
        ("webhook", "503", "away"),
        ("webhook", "410", "gone"),
        ("wecom_bot", "timeout", "unknown"),
        ("wecom_bot", "81013", None),
        ("wecom_bot", None, None),
    ],
)
def test_a_code_of_a_vendor_is_told(kind: str, code: str | None, meaning: str | None) -> None:
    assert trouble(kind, code) == meaning


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        *(("wecom_bot", str(code)) for code in wecom_bot.PASSING),
        *(("dingtalk_bot", str(code)) for code in dingtalk_bot.PASSING),
        *(("feishu_bot", str(code)) for code in feishu_bot.PASSING),
        *(("slack", code) for code in sorted({*slack.PASSING, *slack.IN_DOUBT})),
    ],
)
def test_what_the_notifier_takes_for_passing_does_not_send_people_away(
    kind: str, code: str
) -> None:
    assert trouble(kind, code) in {"too_often", "busy", "unknown", None}


@pytest.mark.parametrize(
    ("kind", "reason", "words"),
    [
        ("wecom_bot", "refused: errcode 93000: invalid webhook url", "密钥或令牌不对"),
        ("wecom_app", "refused: gettoken: errcode 40001: invalid", "密钥或令牌不对"),
        ("webhook", "refused: HTTP 404", "地址不存在"),
        ("email", "gave_up: 450 mailbox busy", "对方忙"),
        ("slack", "refused: is_archived", "频道已归档"),
        ("wecom_bot", "no_route", "没有目的地要这类预警"),
        ("", "refused: errcode 1: so so", "对方拒收 · errcode 1: so so"),
        ("wecom_bot", "something new", "something new"),
    ],
)
def test_a_reason_is_told_in_plain_words(kind: str, reason: str, words: str) -> None:
    assert words in ZH.why(reason, kind)
