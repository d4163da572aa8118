r"""DingTalk group bot: `POST /robot/send?access_token=`, judged by the body's errcode.

A bot with a secret wants `timestamp` (milliseconds, of this hour) and `sign` in the query:
base64(HMAC-SHA256(secret, "{timestamp}\n{secret}")). One with keywords takes only what has one of
them. Sends markdown; the whole body may have 20,000 bytes. It rings those whose userids are both in
`at.atUserIds` and, after an @, in the text (the vendor's page on custom bots,
robots/custom-robot-access). A repeat is not recognised. Errors are HTTP 200 with an errcode, which
may be a text; one message too many in a minute blocks the bot for ten.
"""

import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from services.notifier.destinations.exchange import AT_ONCE, Answer, Exchange, by_errcode
from services.notifier.destinations.rendering import (
    Reading,
    Templates,
    fitting,
    plain_markdown,
    with_keyword,
)
from services.notifier.destinations.transport import Message
from services.notifier.destinations.views import View
from services.notifier.domain.addresses import DingtalkBot
from services.notifier.domain.deliveries import Delivery
from services.notifier.domain.destinations import Destination
from services.notifier.domain.outcomes import Outcome
from shared.chat_ids import DINGTALK_USERID
from shared.events.stock_alerts import Recipient

PATH = "/robot/send"

BLOCK = timedelta(minutes=10)
PASSING: Mapping[int, timedelta] = {-1: AT_ONCE, 130101: BLOCK, 410100: BLOCK}
"""-1 is a busy server; the others say in two ways that it was too fast."""


def mention(person: Recipient) -> str | None:
    """Return what rings somebody whose userid is known, if `at` has it too."""
    userid = person.dingtalk_userid or ""
    return f"@{userid}" if DINGTALK_USERID.fullmatch(userid) else None


def render(
    delivery: Delivery, destination: Destination, bot: DingtalkBot, templates: Templates
) -> bytes:
    """Return the JSON body of a delivery."""
    phrasing = templates.phrasing(destination, plain_markdown, mention)

    def body(view: View) -> bytes:
        text = templates.written("dingtalk_bot.md.j2", view, phrasing).strip()
        text = with_keyword(text, bot.keyword)
        message: dict[str, object] = {
            "msgtype": "markdown",
            "markdown": {"title": view.title, "text": text},
        }
        if view.rung:
            ids = [each.removeprefix("@") for each in view.rung]
            message["at"] = {"atUserIds": ids, "isAtAll": False}
        return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()

    view = fitting(delivery, phrasing, lambda view: len(body(view)), bot.longest_bytes)
    return body(view)


def read(rendered: bytes) -> Reading:
    """Return what a body says; all of it counts."""
    return Reading(str(json.loads(rendered)["markdown"]["text"]), len(rendered))


def signature(secret: str, timestamp_ms: int) -> str:
    """Return the `sign` of an instant, before it is escaped for the query."""
    signed = hmac.digest(secret.encode(), f"{timestamp_ms}\n{secret}".encode(), hashlib.sha256)
    return base64.b64encode(signed).decode()


class DingtalkBotTransport:
    """Sends to one bot."""

    def __init__(self, bot: DingtalkBot, tls: ssl.SSLContext) -> None:
        self._bot = bot
        self._exchange = Exchange(tls, bot.secrets.values())

    async def send(self, message: Message) -> Outcome:
        """Post one message."""
        url = f"{self._bot.url}{PATH}?{urlencode(self._query(message.now))}"
        return await self._exchange.post(url, message.rendered, judge, now=message.now)

    def _query(self, now: datetime) -> dict[str, str]:
        query = {"access_token": self._bot.token.get_secret_value()}
        if self._bot.secret is not None:
            timestamp_ms = int(now.timestamp() * 1_000)
            query["timestamp"] = str(timestamp_ms)
            query["sign"] = signature(self._bot.secret.get_secret_value(), timestamp_ms)
        return query

    async def close(self) -> None:
        """Close kept connections."""
        await self._exchange.close()


def judge(answer: Answer) -> Outcome:
    """Return what an answer means."""
    return by_errcode(answer, PASSING)
