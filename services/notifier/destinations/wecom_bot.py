r"""WeCom group bot: `POST /cgi-bin/webhook/send?key=`, judged by the body's errcode.

Sends markdown of at most 4,096 bytes of UTF-8, unescaped (`\uXXXX` is refused with 40033). In it
`<@userid>` rings somebody in the group; `mentioned_list` is of texts alone, and markdown_v2
mentions nobody (the vendor's page on group bots, path/91770). A repeat is not recognised. Errors
are HTTP 200 with an errcode.
"""

import json
import ssl
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

from services.notifier.destinations.exchange import AT_ONCE, Answer, Exchange, by_errcode
from services.notifier.destinations.rendering import Reading, Templates, fitting, plain_markdown
from services.notifier.destinations.transport import Message
from services.notifier.destinations.views import View
from services.notifier.domain.addresses import WecomBot
from services.notifier.domain.deliveries import Delivery
from services.notifier.domain.destinations import Destination
from services.notifier.domain.outcomes import Outcome
from shared.chat_ids import WECOM_USERID
from shared.events.stock_alerts import Recipient

PATH = "/cgi-bin/webhook/send"

BUSY = -1
TOO_OFTEN = 45009
PASSING: Mapping[int, timedelta] = {
    BUSY: AT_ONCE,
    6000: AT_ONCE,
    45033: AT_ONCE,
    TOO_OFTEN: timedelta(seconds=60),
}


def mention(person: Recipient) -> str | None:
    """Return what rings somebody whose user id is known."""
    userid = person.wecom_userid or ""
    return f"<@{userid}>" if WECOM_USERID.fullmatch(userid) else None


def render(delivery: Delivery, destination: Destination, templates: Templates) -> bytes:
    """Return the JSON body of a delivery."""
    phrasing = templates.phrasing(destination, plain_markdown, mention)

    def written(view: View) -> str:
        return templates.written("wecom.md.j2", view, phrasing, url=view.url).strip()

    view = fitting(
        delivery, phrasing, lambda view: len(written(view).encode()), WecomBot.longest_bytes
    )
    body = {"msgtype": "markdown", "markdown": {"content": written(view)}}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def read(rendered: bytes) -> Reading:
    """Return what a body says; the content alone counts."""
    content = str(json.loads(rendered)["markdown"]["content"])
    return Reading(content, len(content.encode()))


class WecomBotTransport:
    """Sends to one bot."""

    def __init__(self, bot: WecomBot, tls: ssl.SSLContext) -> None:
        self._bot = bot
        self._exchange = Exchange(tls, bot.secrets.values())

    async def send(self, message: Message) -> Outcome:
        """Post one message."""
        key = quote(self._bot.key.get_secret_value(), safe="")
        url = f"{self._bot.url}{PATH}?key={key}"
        return await self._exchange.post(url, message.rendered, judge, now=message.now)

    async def close(self) -> None:
        """Close kept connections."""
        await self._exchange.close()


def judge(answer: Answer) -> Outcome:
    """Return what an answer means."""
    return by_errcode(answer, PASSING)
