r"""Feishu custom bot: `POST /open-apis/bot/v2/hook/{token}`, judged by the body's code.

A bot with a secret wants `timestamp` (seconds, of this hour) and `sign` in the body:
base64(HMAC-SHA256("{timestamp}\n{secret}", "")). They are put into the stored body at each
attempt, since a signature would be stale by the time of a late repeat. Sends a card; the whole
body may have 20 KB. A repeat is not recognised. Errors are mostly HTTP 200 with a code
(the vendor's guide of custom bots).

In a card's markdown `<at id=ou_…></at>` rings somebody; of custom bots by open_id alone (its page
on the markdown component). A card with an id that it does not know is refused whole, with 11246
(feiyu563/PrometheusAlert #461, #514), and sent again without any: a warning is not lost for
somebody's id. That is an attempt of its own, since the vendor counts both.
"""

import base64
import hashlib
import hmac
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from services.notifier.destinations.exchange import (
    AT_ONCE,
    Answer,
    Exchange,
    of_status,
    unreadable,
)
from services.notifier.destinations.rendering import (
    Reading,
    Templates,
    fitting,
    plain_markdown,
    with_keyword,
)
from services.notifier.destinations.transport import Message
from services.notifier.destinations.views import View
from services.notifier.domain.addresses import FeishuBot
from services.notifier.domain.deliveries import Delivery
from services.notifier.domain.destinations import Destination
from services.notifier.domain.outcomes import Outcome, Verdict, of_errcode
from shared.chat_ids import FEISHU_OPEN_ID
from shared.events.stock_alerts import Recipient

PATH = "/open-apis/bot/v2/hook"

SIGNATURE_BYTES = 100
"""More than `"timestamp":"1772352000","sign":"…44 characters…",` adds to a body."""

PASSING: Mapping[int, timedelta] = {
    9499: AT_ONCE,
    11232: timedelta(seconds=1),
}
"""Both are told of a busy server and of too many messages. 9499 also of a body that is none;
ours is one."""

UNKNOWN_PERSON = 11246
"""\"There is an invalid user resource (at/person) in your card\"."""

_MENTION = re.compile(rf"<at id={FEISHU_OPEN_ID.pattern}></at>")
_UNMENTIONED = "—"

_COLOURS: Mapping[str, str] = {"out": "red", "urgent": "orange", "watch": "blue", "": "green"}


def mention(person: Recipient) -> str | None:
    """Return what rings somebody whose open_id is known."""
    open_id = person.feishu_open_id or ""
    return f"<at id={open_id}></at>" if FEISHU_OPEN_ID.fullmatch(open_id) else None


def render(
    delivery: Delivery, destination: Destination, bot: FeishuBot, templates: Templates
) -> bytes:
    """Return the JSON body of a delivery, without its signature."""
    phrasing = templates.phrasing(destination, plain_markdown, mention)

    def body(view: View) -> bytes:
        text = templates.written("feishu_bot.md.j2", view, phrasing, colours=_COLOURS).strip()
        text = with_keyword(text, bot.keyword)
        card = {
            "config": {"wide_screen_mode": True},
            "header": {
                "template": _COLOURS[view.level],
                "title": {"tag": "plain_text", "content": view.title},
            },
            "elements": [{"tag": "markdown", "content": text}],
        }
        message = {"msg_type": "interactive", "card": card}
        return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()

    view = fitting(
        delivery,
        phrasing,
        lambda view: len(body(view)) + SIGNATURE_BYTES,
        bot.longest_bytes,
    )
    return body(view)


def read(rendered: bytes) -> Reading:
    """Return what a card says; all of it counts, and so will its signature."""
    card = json.loads(rendered)["card"]
    text = f"{card['header']['title']['content']}\n{card['elements'][0]['content']}"
    return Reading(text, len(rendered) + SIGNATURE_BYTES)


def again(rendered: bytes, code: str | None) -> bytes:
    """Return the body to send after an attempt with another that ended with a code.

    It rings nobody where somebody was not known.
    """
    if code != str(UNKNOWN_PERSON):
        return rendered
    return _MENTION.sub(_UNMENTIONED, rendered.decode()).encode()


def signature(secret: str, timestamp: int) -> str:
    """Return the `sign` of an instant. Key and message are the other way round than elsewhere."""
    signed = hmac.digest(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256)
    return base64.b64encode(signed).decode()


def signed(rendered: bytes, secret: str, timestamp: int) -> bytes:
    """Return a body with its signature in front of everything else."""
    proof = {"timestamp": str(timestamp), "sign": signature(secret, timestamp)}
    return json.dumps(proof, separators=(",", ":")).encode()[:-1] + b"," + rendered[1:]


class _Answer(BaseModel):
    """The vendor calls the same things by older names now and then."""

    model_config = ConfigDict(extra="ignore")

    code: int = Field(validation_alias=AliasChoices("code", "StatusCode"))
    msg: str = Field("", validation_alias=AliasChoices("msg", "StatusMessage"))


class FeishuBotTransport:
    """Sends to one bot."""

    def __init__(self, bot: FeishuBot, tls: ssl.SSLContext) -> None:
        self._bot = bot
        self._exchange = Exchange(tls, bot.secrets.values())

    async def send(self, message: Message) -> Outcome:
        """Post one message, signed now; one that mentions somebody unknown goes `again`."""
        body, now = message.rendered, message.now
        if self._bot.secret is not None:
            body = signed(body, self._bot.secret.get_secret_value(), int(now.timestamp()))
        url = f"{self._bot.url}{PATH}/{quote(self._bot.token.get_secret_value(), safe='')}"
        outcome = await self._exchange.post(url, body, judge, now=now)
        goes_without = again(message.rendered, outcome.code) != message.rendered
        return replace(outcome, verdict=Verdict.TRANSIENT) if goes_without else outcome

    async def close(self) -> None:
        """Close kept connections."""
        await self._exchange.close()


def judge(answer: Answer) -> Outcome:
    """Return what an answer means; a refusal with HTTP 400 also says its code."""
    if answer.status not in {200, 400}:
        return of_status(answer)
    try:
        said = _Answer.model_validate_json(answer.body)
    except ValidationError:
        return unreadable("a code") if answer.status == 200 else of_status(answer)
    if said.code == 0 and answer.status != 200:
        return of_status(answer)
    return of_errcode(said.code, said.msg, PASSING)
