"""Slack: `POST /api/chat.postMessage` with a bot's token, judged by the body's `ok`.

What follows in an episode hangs under its first notice, in the order in which it happened. A
change of level, a reminder and the end also show in the channel (`reply_broadcast`): they change
what a reader should do. Editing the first notice instead (chat.update) would ring nobody, and take
away what people had acted upon.

Errors are HTTP 200 with a word, but for 429, which says in `Retry-After` how long to wait. Two of
the words leave open whether the message was posted; a repeat is not recognised. `&`, `<` and `>`
are the only characters that have to be escaped; `<@U…>` rings a member (api.slack.com:
chat.postMessage, rate limits, formatting text).
"""

import json
import re
import ssl
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, ValidationError

from services.notifier.destinations.exchange import (
    Answer,
    Exchange,
    doubtful,
    of_status,
    unreadable,
)
from services.notifier.destinations.rendering import Reading, Templates, fitting, plain
from services.notifier.destinations.transport import Message
from services.notifier.destinations.views import View
from services.notifier.domain.addresses import Slack
from services.notifier.domain.deliveries import Delivery
from services.notifier.domain.destinations import Destination
from services.notifier.domain.outcomes import Outcome, Verdict
from shared.chat_ids import SLACK_USER_ID
from shared.events.stock_alerts import ENDINGS, AlertEvent, Recipient

PATH = "/api/chat.postMessage"

PASSING = {
    "ratelimited",
    "rate_limited",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
}
"""Certainly not posted, and worth another try."""

IN_DOUBT = {"fatal_error", "internal_error"}
"""\"It's possible some aspect of the operation succeeded\"."""

SHORTEST_WAIT = timedelta(seconds=1)
"""A channel takes one message a second."""

_TS = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")

_BROADCAST = ENDINGS | {AlertEvent.LEVEL_CHANGED, AlertEvent.REMINDED, AlertEvent.ESCALATED}

# Quotation mark and asterisk operator, which look alike and mean nothing.
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'", "*": "\u2217"})


def escaped(text: str) -> str:
    """Return a text that mentions nobody and links nowhere."""
    return plain(text).translate(_MARKUP)


def mention(person: Recipient) -> str | None:
    """Return what rings somebody whose member id is known."""
    user_id = person.slack_user_id or ""
    return f"<@{user_id}>" if SLACK_USER_ID.fullmatch(user_id) else None


def render(
    delivery: Delivery, destination: Destination, slack: Slack, templates: Templates
) -> bytes:
    """Return the JSON body of a delivery."""
    phrasing = templates.phrasing(destination, escaped, mention)

    def written(view: View) -> str:
        return templates.written("slack.md.j2", view, phrasing).strip()

    view = fitting(
        delivery, phrasing, lambda view: len(written(view).encode()), Slack.longest_bytes
    )
    body: dict[str, object] = {
        "channel": slack.channel,
        "text": written(view),
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if delivery.thread is not None:
        body["thread_ts"] = delivery.thread
        body["reply_broadcast"] = delivery.event in _BROADCAST
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def read(rendered: bytes) -> Reading:
    """Return what a body says; the text alone counts."""
    text = str(json.loads(rendered)["text"])
    return Reading(text, len(text.encode()))


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    ok: bool
    error: str = ""
    ts: str | None = None


class SlackTransport:
    """Sends to one channel."""

    def __init__(self, slack: Slack, tls: ssl.SSLContext) -> None:
        self._slack = slack
        self._exchange = Exchange(tls, slack.secrets.values())

    async def send(self, message: Message) -> Outcome:
        """Post one message."""
        headers = {"Authorization": f"Bearer {self._slack.token.get_secret_value()}"}
        return await self._exchange.post(
            self._slack.url + PATH, message.rendered, judge, now=message.now, headers=headers
        )

    async def close(self) -> None:
        """Close kept connections."""
        await self._exchange.close()


def judge(answer: Answer) -> Outcome:
    """Return what an answer means."""
    if answer.status != 200:
        return of_status(answer)
    try:
        said = _Answer.model_validate_json(answer.body)
    except ValidationError:
        return unreadable("ok")
    if said.ok:
        receipt = said.ts if said.ts is not None and _TS.fullmatch(said.ts) else None
        return Outcome(Verdict.ACCEPTED, "ok", "ok", receipt=receipt)
    error = said.error
    if error in IN_DOUBT:
        return doubtful(error, error)
    if error in PASSING:
        wait = answer.retry_after or SHORTEST_WAIT
        return Outcome(Verdict.TRANSIENT, error, error, wait, wait)
    return Outcome(Verdict.PERMANENT, error, error)
