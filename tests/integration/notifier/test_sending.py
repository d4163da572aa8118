"""What arrives at a WeCom group, on a real database and over real HTTP."""

import pytest

from tests.factories.stock_alerts import stock_alert
from tests.integration.notifier.service import KEY, Notifier

pytestmark = pytest.mark.stack


async def test_an_alert_arrives_as_one_message(notifier: Notifier) -> None:
    await notifier.bot()
    async with notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
    (message,) = notifier.wecom.of(KEY)
    assert message.type == "markdown"
    assert "断货" in message.content
    assert "#7 " in message.content
