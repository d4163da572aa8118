import json
from datetime import timedelta

import pytest
from pydantic import SecretStr

from services.notifier.destinations import webhook
from services.notifier.destinations.exchange import Answer
from services.notifier.destinations.webhook import judge, signature
from services.notifier.domain.addresses import Webhook
from services.notifier.domain.outcomes import Verdict
from shared.events.stock_alerts import StockAlert
from tests.factories.stock_alerts import stock_alert
from tests.unit.services.notifier.destinations.deliveries import EVERY_KIND, NOW, delivery

HOOK = Webhook(SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "https://shop.example/hooks")


def test_the_signature_is_that_of_the_specifications_own_example() -> None:
    signed = signature(
        HOOK.secret.get_secret_value(),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_data_is_the_alert_as_it_is_on_the_topic() -> None:
    alert = stock_alert(7, sku_name="<@all> & 断货")
    body = json.loads(webhook.render(delivery(alert), NOW))
    assert (body["type"], body["timestamp"]) == ("stock.alert.opened", "2026-03-01T08:00:00+00:00")
    assert StockAlert.model_validate(body["data"]) == alert
    assert body["data"] == json.loads(alert.encode())


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("first", "stock.alert.opened"),
        ("change", "stock.alert.resolved"),
        ("acknowledged", "stock.alert.acknowledged"),
        ("digest", "stock.alert.digest"),
        ("test", "notifier.test"),
        ("meta", "notifier.destination_failed"),
    ],
)
def test_the_type_says_what_the_data_is(name: str, type_: str) -> None:
    assert json.loads(webhook.render(EVERY_KIND[name], NOW))["type"] == type_


def test_a_body_is_read_as_it_is() -> None:
    rendered = webhook.render(EVERY_KIND["first"], NOW)
    assert webhook.read(rendered) == (rendered.decode(), len(rendered))


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.ACCEPTED),
        (202, Verdict.ACCEPTED),
        (204, Verdict.ACCEPTED),
        (301, Verdict.PERMANENT),
        (400, Verdict.PERMANENT),
        (401, Verdict.PERMANENT),
        (410, Verdict.PERMANENT),
        (429, Verdict.TRANSIENT),
        (500, Verdict.TRANSIENT),
        (502, Verdict.TRANSIENT),
        (503, Verdict.TRANSIENT),
        (504, Verdict.TRANSIENT),
    ],
)
def test_the_status_decides(status: int, verdict: Verdict) -> None:
    outcome = judge(Answer(status, b""))
    assert outcome.verdict is verdict
    assert outcome.gone is (status == 410)


@pytest.mark.parametrize("status", [429, 503])
def test_who_says_when_to_come_back_is_left_alone_until_then(status: int) -> None:
    assert judge(Answer(status, b"", timedelta(seconds=90))).lane_wait == timedelta(seconds=90)
