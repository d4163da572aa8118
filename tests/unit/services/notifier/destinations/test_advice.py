"""What a notice advises, in both languages: it never asks to buy where that would be wrong."""

import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from services.alerting.domain.kind import RuleKind
from services.notifier.destinations import wecom_app
from services.notifier.destinations.kinds import Renderer
from services.notifier.destinations.wecom_cards import SUBTITLE
from services.notifier.domain.addresses import WecomApp, WecomBot
from services.notifier.domain.destinations import Language
from shared.events.stock_alerts import SHORTAGES, AlertLevel, StockAlert
from tests.factories.stock_alerts import stock_alert
from tests.unit.services.notifier.destinations.deliveries import NOW, delivery, destination

RENDERER = Renderer("http://console.example/")
BOT = WecomBot(SecretStr("0f6b2a1c"), "https://wecom.example")
APP = WecomApp(
    "corp", 1, SecretStr("s"), SecretStr("t"), SecretStr("k"), ("lin",), "https://wecom.example"
)
ASKS_TO_BUY = ("补货", "下单", "Reorder", "Order today", "next order")
OTHERS = [kind for kind in RuleKind if kind not in SHORTAGES]


def alert(kind: str, level: AlertLevel = AlertLevel.URGENT, **facts: object) -> StockAlert:
    rule = {"id": "r", "version": 1, "kind": kind, "name": {"zh-CN": "规则", "en": "Rule"}}
    numbers = {"available": 3, "on_hand": 3, "low_water": 3}
    return stock_alert(rule=rule, level=level, facts=numbers | facts)


def advised(told: StockAlert, language: Language) -> Iterator[str]:
    """Yield the advice as a message in markdown has it, and as a card does."""
    one = delivery(told)
    body = json.loads(RENDERER.render(one, destination(language, BOT), NOW))
    label = "> 建议：" if language is Language.CHINESE else "> What to do: "
    lines = body["markdown"]["content"].splitlines()
    yield next(line.removeprefix(label) for line in lines if line.startswith(label))
    yield wecom_app.read(RENDERER.render(one, destination(language, APP), NOW)).text.splitlines()[1]


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("level", list(AlertLevel))
@pytest.mark.parametrize("kind", OTHERS)
def test_only_of_a_shortage_it_is_advised_to_buy(
    kind: RuleKind, level: AlertLevel, language: Language
) -> None:
    for said in advised(alert(kind, level), language):
        assert said
        assert not any(words in said for words in ASKS_TO_BUY)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("level", list(AlertLevel))
@pytest.mark.parametrize("kind", sorted(SHORTAGES))
def test_what_is_phased_out_is_never_advised_to_be_bought(
    kind: str, level: AlertLevel, language: Language
) -> None:
    for said in advised(alert(kind, level), language):
        assert any(words in said for words in ASKS_TO_BUY)
    for said in advised(alert(kind, level, is_bought=False), language):
        assert said
        assert not any(words in said for words in ASKS_TO_BUY)


@pytest.mark.parametrize(
    ("kind", "zh", "en"),
    [
        ("overstock", "暂停采购", "Buy no more for now"),
        ("negative", "先盘点", "Count"),
        ("data_doubt", "先查明原因", "Find out why"),
        ("inbound_overdue", "向供应商催货", "Ask the supplier"),
        ("broken_size_run", "补齐缺货的规格", "Transfer or refill the options"),
        ("custom", "对照规则的条件", "compare the rule's condition"),
        ("one of a later version", "对照规则的条件", "compare the rule's condition"),
    ],
)
def test_each_kind_is_advised_what_helps(kind: str, zh: str, en: str) -> None:
    for language, words in ((Language.CHINESE, zh), (Language.ENGLISH, en)):
        for said in advised(alert(kind), language):
            assert words in said


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("is_bought", [True, False])
@pytest.mark.parametrize("kind", [kind for kind in RuleKind if kind != RuleKind.STOCK_OUT])
def test_a_card_has_room_for_the_advice(
    kind: RuleKind, is_bought: bool, language: Language
) -> None:
    whole, on_card = advised(alert(kind, is_bought=is_bought), language)
    assert on_card == whole
    assert len(whole) <= SUBTITLE
