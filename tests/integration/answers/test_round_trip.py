"""From a shortage to a card, from a button to the card that says who took it on: all parts real.

In Slack the card is a message.
"""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from services.alerting.settings import AlertingSettings
from services.notifier.settings import SecretSettings
from services.notifier.wiring import consume as notifier_consume
from shared.testing.slack import RATE_LIMITED, FakeSlack
from shared.testing.stack import Database
from shared.testing.waiting import until
from shared.testing.wecom_app import FakeWecomApp, Shown
from tests.integration.alerting.service import alerting_on
from tests.integration.alerting.service import running as role
from tests.integration.notifier.service import running

pytestmark = pytest.mark.stack

SLACK_TOKEN, CHANNEL = "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy", "C024BE91L"
LIN, PASSERBY = "U024BE7LH", "U0PASSERBY"


async def test_a_button_in_wecom_takes_an_alert_on(
    surroundings: dict[str, Any], database: Database, key: Path
) -> None:
    notifying = SecretSettings(
        **surroundings,
        database_url=SecretStr(database.url("notifier")),
        secret_key=SecretStr(Fernet.generate_key().decode()),
    )
    warning = AlertingSettings(**surroundings, database_url=database.url("alerting"))
    fake = FakeWecomApp(("lin", "passerby"))
    async with AsyncExitStack() as held:
        vendor = await held.enter_async_context(fake.serving())
        alerting = await held.enter_async_context(alerting_on(warning, database, key))
        notifier = await held.enter_async_context(running(notifying, database, key))
        await notifier.application(fake, vendor, ("lin", "passerby"))
        await alerting.ask("PUT", "/v1/people/lin", {"name": "林", "wecom_userid": "Lin"})
        await alerting.ask("PUT", "/v1/responsibilities", {"items": [{"owner": "lin"}]})
        await alerting.ask("PUT", "/v1/attention-policy", {"enabled": False})
        await alerting.put_rule("low")
        await held.enter_async_context(alerting.consuming())
        await held.enter_async_context(alerting.relaying())
        await held.enter_async_context(role(lambda stop: notifier_consume.run(notifying, stop)))
        await held.enter_async_context(notifier.sending())
        callback = f"{await held.enter_async_context(notifier.answering())}/callbacks/wecom/app"

        await alerting.tell(alerting.level(5))
        (card,) = await phone(fake, "lin", 1)
        told = await fake.press(callback, "passerby", "acknowledge", shown=card)
        assert told.statuses == [200]
        (refusal,) = await phone(fake, "passerby", 1)
        assert "没有生效" in refusal.text

        assert (await fake.press(callback, "lin", "acknowledge")).statuses == [200]

        async def changed() -> bool:
            return card.changes == 1

        await until(changed)
        assert "已接单 · 林" in card.text
        assert "acknowledge" not in card.keys
        await alerting.tell(alerting.level(50))

        async def ended() -> bool:
            return card.changes == 2

        await until(ended)
        assert card.keys == []
        (alert,) = await alerting.alerts()
        assert (alert["acknowledged_by"], alert["state"]) == ("lin", "resolved")
        assert len(fake.phones["lin"]) == 1
        assert fake.rejected == {}
        assert await notifier.rows("SELECT id FROM response_outbox") == []


async def test_a_button_in_slack_takes_an_alert_on(
    surroundings: dict[str, Any], database: Database, key: Path
) -> None:
    notifying = SecretSettings(
        **surroundings,
        database_url=SecretStr(database.url("notifier")),
        secret_key=SecretStr(Fernet.generate_key().decode()),
    )
    warning = AlertingSettings(**surroundings, database_url=database.url("alerting"))
    fake = FakeSlack(SLACK_TOKEN, {CHANNEL}, members={LIN, PASSERBY})
    async with AsyncExitStack() as held:
        vendor = await held.enter_async_context(fake.serving())
        alerting = await held.enter_async_context(alerting_on(warning, database, key))
        notifier = await held.enter_async_context(running(notifying, database, key))
        part: dict[str, object] = {"token": SLACK_TOKEN, "channel": CHANNEL, "url": vendor}
        await notifier.put("channel", "slack", part | {"signing_secret": fake.signing_secret})
        await alerting.ask("PUT", "/v1/people/lin", {"name": "林", "slack_user_id": LIN})
        await alerting.ask("PUT", "/v1/responsibilities", {"items": [{"owner": "lin"}]})
        await alerting.ask("PUT", "/v1/attention-policy", {"enabled": False})
        await alerting.put_rule("low")
        await held.enter_async_context(alerting.consuming())
        await held.enter_async_context(alerting.relaying())
        await held.enter_async_context(role(lambda stop: notifier_consume.run(notifying, stop)))
        await held.enter_async_context(notifier.sending())
        url = await held.enter_async_context(notifier.answering())
        callback = f"{url}/callbacks/slack/channel"

        async def posted(count: int) -> None:
            async def there() -> bool:
                return len(fake.posted) >= count

            await until(there)

        await alerting.tell(alerting.level(5))
        await posted(1)
        assert (await fake.press(callback, PASSERBY, "acknowledge")).statuses == [200] * 3

        async def refused() -> bool:
            return bool(fake.alone)

        await until(refused)
        (first,) = fake.posted
        assert (first.changes, [each.user for each in fake.alone]) == (0, [PASSERBY])
        assert "没有生效" in fake.alone[0].text

        assert (await fake.press(callback, LIN, "acknowledge")).statuses == [200] * 3
        await posted(2)
        assert (first.changes, first.actions) == (1, ["false_alarm", "ordered", "snooze"])
        assert "已接单 · 林" in first.shown
        await alerting.tell(alerting.level(50))
        await posted(3)
        assert (first.changes, first.actions) == (2, [])
        assert [each.thread for each in fake.posted] == [None, first.ts, first.ts]
        (alert,) = await alerting.alerts()
        assert (alert["acknowledged_by"], alert["state"]) == ("lin", "resolved")
        found = await alerting.ask("GET", f"/v1/alerts/{alert['id']}")
        events = [each["event"] for each in found["history"]]
        assert events == ["opened", "refused", "acknowledged", "resolved"]
        assert {*fake.rejected} <= {RATE_LIMITED}
        assert await notifier.rows("SELECT id FROM response_outbox") == []


async def phone(fake: FakeWecomApp, user: str, count: int) -> list[Shown]:
    """Return what a phone shows once it shows so much."""

    async def shows_them() -> bool:
        return len(fake.phones[user]) >= count

    await until(shows_them)
    return fake.phones[user]
