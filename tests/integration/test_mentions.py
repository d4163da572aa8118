"""From a shortage to the phones of those whom it is for, in the groups of four vendors."""

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from services.alerting.settings import AlertingSettings
from services.notifier.settings import SecretSettings
from services.notifier.wiring import consume as notifier_consume
from shared.clock import ManualClock, WallClock
from shared.testing.dingtalk import FakeDingtalk
from shared.testing.feishu import FakeFeishu
from shared.testing.slack import FakeSlack
from shared.testing.stack import Database
from tests.integration.alerting.service import alerting_on
from tests.integration.alerting.service import running as role
from tests.integration.notifier.service import KEY, OTHER_KEY, Notifier, running

pytestmark = pytest.mark.stack

TOKEN, CHANNEL = "3f1d0c6a5e4f439f0a6a0d5d6f7e11aa", "C024BE91L"
LIN = {
    "name": "林",
    "wecom_userid": "lin",
    "dingtalk_userid": "manager4220",
    "feishu_open_id": "ou_7d8a6e6df7621556ce0d21922b676706",
    "slack_user_id": "U012AB3CD",
}
BOSS = {
    "name": "老板 <@lin>",
    "wecom_userid": "boss",
    "dingtalk_userid": "manager1",
    "feishu_open_id": "ou_7d8a6e6df7621556ce0d21922b676707",
    "slack_user_id": "U012AB3CE",
}
EVIL = (
    "<@all> <@boss> @manager1 @all <at id=all></at> "
    f"<at id={BOSS['feishu_open_id']}></at> <!channel> <@U012AB3CE>"
)
STEP = {
    "whom": [{"role": "owner"}],
    "expects": "acknowledge",
    "within_minutes": 30,
    "late": [
        {"do": "remind"},
        {"do": "escalate", "after_minutes": 10, "to": [{"role": "manager"}]},
    ],
}


async def test_a_group_rings_whom_it_is_for_and_nobody_when_it_is_over(
    surroundings: dict[str, Any], database: Database, key: Path
) -> None:
    notifying = SecretSettings(
        **surroundings,
        database_url=SecretStr(database.url("notifier")),
        secret_key=SecretStr(Fernet.generate_key().decode()),
    )
    warning = AlertingSettings(**surroundings, database_url=database.url("alerting"))
    clock = ManualClock(WallClock().now())
    ding, slack = FakeDingtalk({TOKEN: None}), FakeSlack(TOKEN, {CHANNEL}, members=_users())
    feishu = FakeFeishu({TOKEN: None}, people={LIN["feishu_open_id"], BOSS["feishu_open_id"]})
    async with AsyncExitStack() as held:
        alerting = await held.enter_async_context(alerting_on(warning, database, key, clock))
        notifier = await held.enter_async_context(running(notifying, database, key))
        urls = [await held.enter_async_context(each.serving()) for each in (ding, feishu, slack)]
        await _put_groups(notifier, *urls)
        for person, body in (("lin", LIN), ("boss", BOSS)):
            await alerting.ask("PUT", f"/v1/people/{person}", body)
        table = {"items": [{"owner": "lin", "manager": "boss"}]}
        await alerting.ask("PUT", "/v1/responsibilities", table)
        await alerting.ask("PUT", "/v1/attention-policy", {"enabled": False})
        playbook = {"name": {"zh-CN": "快", "en": "Quick"}, "steps": [STEP]}
        answer = await alerting.client.put("/v1/playbooks/quick", json=playbook)
        assert answer.is_success, answer.text
        await alerting.put_rule("low", playbook="quick")
        await alerting.name("A", name=EVIL)
        await held.enter_async_context(alerting.consuming())
        await held.enter_async_context(alerting.relaying())
        await held.enter_async_context(role(lambda stop: notifier_consume.run(notifying, stop)))
        await held.enter_async_context(notifier.sending())

        # What is low when it is first heard of is known before, and nobody is late with it.
        await alerting.tell(alerting.level(100), alerting.level(5))
        await notifier.until_states(*["sent"] * 5)
        clock.advance(timedelta(minutes=31))
        await notifier.until_states(*["sent"] * 10)
        clock.advance(timedelta(minutes=10))
        await notifier.until_states(*["sent"] * 15)
        await alerting.tell(alerting.level(50))
        await notifier.until_states(*["sent"] * 20)

    told = {
        "wecom_userid": [each.rung for each in notifier.wecom.of(KEY)],
        "dingtalk_userid": [each.rung for each in ding.accepted],
        "feishu_open_id": [each.rung for each in feishu.accepted],
        "slack_user_id": [list(each.rung) for each in slack.posted],
    }
    # Opened, reminded, escalated, over.
    assert told == {name: [[LIN[name]], [LIN[name]], [BOSS[name]], []] for name in told}
    quiet = notifier.wecom.of(OTHER_KEY)
    assert [each.rung for each in quiet] == [[], [], [], []]
    assert all("\u2039@all\u203a" in each.content for each in quiet)


def _users() -> set[str]:
    return {LIN["slack_user_id"], BOSS["slack_user_id"]}


async def _put_groups(notifier: Notifier, ding: str, feishu: str, slack: str) -> None:
    await notifier.bot("buyers", KEY)
    await notifier.bot("quiet", OTHER_KEY, mentions=False)
    await notifier.put("ding", "dingtalk_bot", {"token": TOKEN, "url": ding})
    await notifier.put("feishu", "feishu_bot", {"token": TOKEN, "url": feishu})
    await notifier.put("slack", "slack", {"token": TOKEN, "channel": CHANNEL, "url": slack})
