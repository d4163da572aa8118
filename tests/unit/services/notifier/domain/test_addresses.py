from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from services.notifier.domain.addresses import (
    ADDRESSES,
    Address,
    DestinationKind,
    DingtalkBot,
    Email,
    FeishuBot,
    Slack,
    Webhook,
    WecomBot,
)
from services.notifier.domain.destinations import Destination, Language

BOT = WecomBot(SecretStr("0f6b2a1c-6a5e"), "https://wecom.example")
MAIL = Email(("a@example.com",), "b@example.com", "mail.example", 25, "b", SecretStr("tide"))
HOOK = Webhook(SecretStr("whsec_bG93dGlkZQ=="), "https://shop.example/hooks")
DING = DingtalkBot(SecretStr("3f1d0c6a5e4f"), "https://ding.example", SecretStr("SEC0"))
FEISHU = FeishuBot(SecretStr("5d6f7e11"), "https://feishu.example")
SLACK = Slack(SecretStr("xoxb-1"), "C024BE91L", "https://slack.example")


def destination(address: Address, id_: str = "buyers") -> Destination:
    return Destination(id_, "Buyers", Language.ENGLISH, "UTC", enabled=True, address=address)


def test_every_kind_has_an_address() -> None:
    assert set(ADDRESSES) == set(DestinationKind)


@pytest.mark.parametrize("address", [BOT, DING, FEISHU, SLACK, MAIL, HOOK])
def test_secrets_and_settings_are_the_whole_address_and_apart(address: Address) -> None:
    assert not address.secrets.keys() & address.settings.keys()
    values: dict[str, Any] = address.settings | address.secrets
    assert type(address)(**values) == address


def test_a_secret_that_is_not_set_is_a_setting_that_is_none() -> None:
    without = Email(("a@example.com",), "b@example.com", "mail.example", 25)
    assert without.secrets == {}
    assert without.settings["password"] is None


def test_a_lane_tells_the_kind_and_no_secret() -> None:
    lane = destination(BOT).lane
    assert lane.startswith("wecom_bot:")
    assert "0f6b2a1c" not in lane
    assert destination(MAIL).lane == "email:buyers"


def test_two_destinations_of_one_bot_share_a_lane() -> None:
    assert destination(BOT, "a").lane == destination(BOT, "b").lane
    assert destination(MAIL, "a").lane != destination(MAIL, "b").lane


def test_a_slack_bot_has_a_lane_for_each_channel() -> None:
    other = replace(SLACK, channel="C024BE92M")
    assert destination(SLACK).lane != destination(other).lane
